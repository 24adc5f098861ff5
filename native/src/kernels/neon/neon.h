/* SPDX-License-Identifier: Apache-2.0 */
/* What the NEON kernels share: targets, small pieces that AArch64 and ARMv7 spell differently, and output channels
 * with their formulas. Sums in registers become bytes without touching memory where a channel block is EXACT_FAST. */
#ifndef EFM_NEON_H
#define EFM_NEON_H

#include "../kernel.h"
#include "../table.h"

#if EFM_KERNEL_NEON
#include <arm_neon.h>
#include <string.h>

/* What a function uses beyond what the compiler was told of; extensions that others have may come along. */
#if defined(__ARM_NEON)
#define EFM_NEON
#else
#define EFM_NEON __attribute__((target("arch=armv7-a+simd")))
#endif
#if defined(__ARM_FEATURE_DOTPROD)
#define EFM_DOT
#elif defined(__clang__)
#define EFM_DOT __attribute__((target("dotprod")))
#else
#define EFM_DOT __attribute__((target("arch=armv8.2-a+dotprod+fp16+crypto")))
#endif
#define EFM_PRAGMA(text) _Pragma(#text)
#define EFM_UNROLL(n)    EFM_PRAGMA(GCC unroll n)
#define EFM_INLINE       static inline __attribute__((always_inline))

enum {
    EFM_NEON_LANES = 4,
    EFM_NEON_BLOCK = 16 /* most channels of a block, which a kernel makes of some pixels at once */
};

/* How the sums of a block of channels become bytes. */
enum {
    EFM_NEON_FAST = 0, /* twice rounded, shift < 0 and |sum + bias| < 2^30 whatever the input, zero point in int8 */
    EFM_NEON_GENERAL = 1, /* twice rounded */
    EFM_NEON_ONCE = 2 /* once */
};

/* The head of a table. */
typedef struct efm_neon_result {
    int32_t low, high, zero_point, weight_zero;
} efm_neon_result;

/* Channels of a block: what efm_channel says, in vectors. */
typedef struct efm_neon_channels {
    int32_t mode;
    int32_t narrow; /* packing OWN: sums of two products that lie together in a vector fit into 16 bits */
    int32_t unused[2];
    int32_t bias[EFM_NEON_BLOCK];
    int32_t multiplier[EFM_NEON_BLOCK];
    int32_t shift[EFM_NEON_BLOCK];
    int32_t low[EFM_NEON_BLOCK];
} efm_neon_channels;

/* Channels first .. first + count - 1, count <= EFM_NEON_BLOCK; those past `count` are zero up to a
   multiple of four. */
void efm_neon_read_channels(const efm_table *table, uint32_t first, uint32_t count, efm_neon_channels *to);

efm_neon_result efm_neon_read_result(const efm_table *table);

/* Whether results are as in EFM_NEON_FAST, whatever the channels. */
EFM_INLINE int efm_neon_is_usual(const efm_table *table)
{
    return table->low <= table->high && table->zero_point == (int8_t)table->zero_point;
}

/* Packing OWN begins with this. */
typedef struct efm_neon_head {
    efm_neon_result result;
    int32_t unused[12];
} efm_neon_head;

/* Bytes of `count` sums, bias included, by any formula, any clamp; they are those of channels at, at + 1, .. */
void efm_neon_finish(const efm_neon_channels *c, uint32_t at, const efm_neon_result *r, const int32_t *sums,
                     uint32_t count, int8_t *out);

/* -- Pieces ----------------------------------------------------------------------------------------------- */

/* Loads through `pointer` stay where they are written: a compiler that has many of them early runs out of registers.
   And the pointer is moved on by the load itself. */
#define EFM_NEON_IN_ORDER(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

/* The next 32 bytes; where the ones after them are. */
EFM_INLINE EFM_NEON const int8_t *efm_neon_load_two(const int8_t *from, int8x16_t *a, int8x16_t *b)
{
#if defined(__aarch64__)
    __asm__ volatile("ldp %q0, %q1, [%2], #32" : "=w"(*a), "=w"(*b), "+r"(from) : : "memory");
    return from;
#else
    *a = vld1q_s8(from);
    *b = vld1q_s8(from + 16);
    return from + 32;
#endif
}

/* `count` <= 16 bytes, zeros behind them. */
EFM_INLINE EFM_NEON int8x16_t efm_neon_part(const int8_t *from, uint32_t count)
{
    int8_t all[16] = {0};
    memcpy(all, from, count);
    return vld1q_s8(all);
}

/* Sums of packages that were not checked: they wrap. */
EFM_INLINE EFM_NEON int32x4_t efm_neon_wrapping_sum(int32x4_t a, int32x4_t b)
{
    return vreinterpretq_s32_u32(vaddq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)));
}

/* -1 in the last `count` <= 16 lanes, 0 in the others. */
EFM_INLINE EFM_NEON int8x16_t efm_neon_last(uint32_t count)
{
    static const int8_t lanes[32] = {[16] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return vld1q_s8(lanes + count);
}

/* efm_requant_twice of an EFM_NEON_FAST channel: sums that are negative round down at a half. */
EFM_INLINE EFM_NEON int32x4_t efm_neon_scale(int32x4_t sum, int32x4_t multiplier, int32x4_t shift)
{
    int32x4_t high = vqrdmulhq_s32(sum, multiplier);
    return vrshlq_s32(vsraq_n_s32(high, high, 31), shift);
}

/* Eight results, before the clamp. */
EFM_INLINE EFM_NEON int8x8_t efm_neon_eight(int32x4_t a, int32x4_t b, int16x8_t zero_point)
{
    return vqmovn_s16(vqaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), zero_point));
}

/* The sums of four vectors. */
EFM_INLINE EFM_NEON int32x4_t efm_neon_fold(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d)
{
#if defined(__aarch64__)
    return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
#else
    int32x2_t ab = vpadd_s32(vadd_s32(vget_low_s32(a), vget_high_s32(a)), vadd_s32(vget_low_s32(b), vget_high_s32(b)));
    int32x2_t cd = vpadd_s32(vadd_s32(vget_low_s32(c), vget_high_s32(c)), vadd_s32(vget_low_s32(d), vget_high_s32(d)));
    return vcombine_s32(ab, cd);
#endif
}

#endif
#endif
