/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFM_LANES_MVE_H
#define EFM_LANES_MVE_H

#include <arm_mve.h>

#include "edgefm_bytes.h"

#define EFM_TARGET
enum { LANES = 4, BYTES = 16 };

typedef int32x4_t lanes;

typedef struct lanes_factor {
    int32_t multiplier, left, right;
    int32x4_t sign; /* what counts as the sign: nothing where nothing is shifted out */
} lanes_factor;

typedef struct lanes_limits {
    int32_t zero;
    int32x4_t low, high;
} lanes_limits;

static inline int usable(void)
{
    return 1;
}

static inline lanes_factor factor_of(const efm_factor *f, int32_t before)
{
    return (lanes_factor){f->multiplier, before + (f->shift > 0 ? f->shift : 0), f->shift > 0 ? 0 : f->shift,
                          vdupq_n_s32(f->shift < 0 ? INT32_MIN : 0)};
}

static inline lanes_limits limits_of(int32_t zero, int32_t low, int32_t high)
{
    return (lanes_limits){zero, vdupq_n_s32(low - zero), vdupq_n_s32(high - zero)};
}

static inline lanes load(const int8_t *from)
{
    return vldrbq_s32(from);
}

static inline void store(int8_t *to, lanes v, const lanes_limits *l)
{
    v = vaddq_n_s32(vminq_s32(vmaxq_s32(v, l->low), l->high), l->zero);
    vstrbq_s32(to, v);
}

static inline lanes load_sums(const int32_t *from)
{
    return vld1q_s32(from);
}

static inline void store_sums(int32_t *to, lanes v)
{
    vst1q_s32(to, v);
}

static inline lanes all(int32_t x)
{
    return vdupq_n_s32(x);
}

static inline lanes plus(lanes a, lanes b)
{
    return vaddq_s32(a, b);
}

static inline lanes minus(lanes a, lanes b)
{
    return vsubq_s32(a, b);
}

static inline lanes times(lanes a, lanes b)
{
    return vmulq_s32(a, b);
}

static inline lanes flipped(lanes a, lanes bits)
{
    return veorq_s32(a, bits);
}

static inline lanes minus_all(lanes v, int32_t x)
{
    return vsubq_n_s32(v, x);
}

#define left(v, bits) vshlq_n_s32(v, bits)

static inline lanes scaled_right(lanes v, const lanes_factor *f)
{
    v = vqrdmulhq_n_s32(v, f->multiplier);
    return vrshlq_n_s32(vaddq_s32(v, vshrq_n_s32(v, 31)), f->right);
}

static inline lanes scaled(lanes v, const lanes_factor *f)
{
    v = vqrdmulhq_n_s32(vshlq_r_s32(v, f->left), f->multiplier);
    return vrshlq_n_s32(vaddq_s32(v, vshrq_n_s32(vandq_s32(v, f->sign), 31)), f->right);
}

static inline lanes shifted(lanes v, int32_t bits)
{
    return vshlq_r_s32(v, -bits);
}

static inline lanes upper(lanes v, uint32_t by)
{
    return vreinterpretq_s32_u32(vmulhq_u32(vreinterpretq_u32_s32(v), vdupq_n_u32(by)));
}

static inline lanes within(lanes v, int32_t low, int32_t high)
{
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(low)), vdupq_n_s32(high));
}

static inline lanes look_up(const uint8_t *table, lanes index)
{
    int32_t at[LANES];
    if ((uintptr_t)table % 4 == 0) {
        const int32_t *words = (const int32_t *)(const void *)table;
        return vldrwq_gather_shifted_offset_s32(words, vreinterpretq_u32_s32(index));
    }
    vst1q_s32(at, index);
    for (uint32_t i = 0; i < LANES; i++) {
        at[i] = efm_load_le32s(table + 4 * (size_t)at[i]);
    }
    return vld1q_s32(at);
}

typedef int8x16_t bytes;

static inline bytes load_bytes(const int8_t *from)
{
    return vld1q_s8(from);
}

static inline void store_bytes(int8_t *to, bytes v)
{
    vst1q_s8(to, v);
}

static inline bytes larger(bytes a, bytes b)
{
    return vmaxq_s8(a, b);
}

/* Copies of a vector at most, each in six instructions; longer ones 16 bytes after the other. */
static inline void copy(int8_t *to, size_t to_step, const int8_t *from, size_t from_step, uint32_t count, size_t size)
{
    if (size <= BYTES && count > 0) {
        __asm volatile("vctp.8 %[size]\n"
                       "dls lr, %[count]\n"
                       "1: vpstt\n"
                       "vldrbt.u8 q0, [%[from]]\n"
                       "vstrbt.8 q0, [%[to]]\n"
                       "add %[from], %[from], %[from_step]\n"
                       "add %[to], %[to], %[to_step]\n"
                       "le lr, 1b\n"
                       : [to] "+r"(to), [from] "+r"(from)
                       : [to_step] "r"(to_step), [from_step] "r"(from_step), [count] "r"(count), [size] "r"(size)
                       : "lr", "q0", "cc", "memory");
        return;
    }
    for (; count > 0; count--, to += to_step, from += from_step) {
        int8_t *t = to;
        const int8_t *f = from;
        __asm volatile("wlstp.8 lr, %[size], 2f\n"
                       "1: vldrb.u8 q0, [%[from]], #16\n"
                       "vstrb.8 q0, [%[to]], #16\n"
                       "letp lr, 1b\n"
                       "2:\n"
                       : [to] "+r"(t), [from] "+r"(f)
                       : [size] "r"(size)
                       : "lr", "q0", "cc", "memory");
    }
}

#endif
