/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFM_LANES_NEON_H
#define EFM_LANES_NEON_H

#include <arm_neon.h>

#include "edgefm_bytes.h"

#define EFM_TARGET
enum { LANES = 8, BYTES = 16 };

typedef struct lanes {
    int32x4_t low, high;
} lanes;

typedef struct lanes_factor {
    int32x4_t multiplier, left, right;
    int32x4_t sign; /* what counts as the sign: nothing where nothing is shifted out */
} lanes_factor;

typedef struct lanes_limits {
    int16x8_t zero;
    int8x8_t low, high;
} lanes_limits;

static inline int usable(void)
{
    return 1;
}

static inline lanes_factor factor_of(const efm_factor *f, int32_t before)
{
    return (lanes_factor){vdupq_n_s32(f->multiplier), vdupq_n_s32(before + (f->shift > 0 ? f->shift : 0)),
                          vdupq_n_s32(f->shift > 0 ? 0 : f->shift), vdupq_n_s32(f->shift < 0 ? INT32_MIN : 0)};
}

static inline lanes_limits limits_of(int32_t zero, int32_t low, int32_t high)
{
    return (lanes_limits){vdupq_n_s16((int16_t)zero), vdup_n_s8((int8_t)low), vdup_n_s8((int8_t)high)};
}

static inline lanes load(const int8_t *from)
{
    int16x8_t v = vmovl_s8(vld1_s8(from));
    return (lanes){vmovl_s16(vget_low_s16(v)), vmovl_s16(vget_high_s16(v))};
}

static inline void store(int8_t *to, lanes v, const lanes_limits *l)
{
    int16x8_t words = vqaddq_s16(vcombine_s16(vqmovn_s32(v.low), vqmovn_s32(v.high)), l->zero);
    vst1_s8(to, vmin_s8(vmax_s8(vqmovn_s16(words), l->low), l->high));
}

static inline lanes load_sums(const int32_t *from)
{
    return (lanes){vld1q_s32(from), vld1q_s32(from + 4)};
}

static inline void store_sums(int32_t *to, lanes v)
{
    vst1q_s32(to, v.low);
    vst1q_s32(to + 4, v.high);
}

static inline lanes all(int32_t x)
{
    return (lanes){vdupq_n_s32(x), vdupq_n_s32(x)};
}

static inline lanes plus(lanes a, lanes b)
{
    return (lanes){vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)};
}

static inline lanes minus(lanes a, lanes b)
{
    return (lanes){vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)};
}

static inline lanes times(lanes a, lanes b)
{
    return (lanes){vmulq_s32(a.low, b.low), vmulq_s32(a.high, b.high)};
}

static inline lanes flipped(lanes a, lanes bits)
{
    return (lanes){veorq_s32(a.low, bits.low), veorq_s32(a.high, bits.high)};
}

static inline lanes minus_all(lanes v, int32_t x)
{
    return minus(v, all(x));
}

#define left(v, bits) ((lanes){vshlq_n_s32((v).low, bits), vshlq_n_s32((v).high, bits)})

static inline int32x4_t scaled_four_right(int32x4_t v, const lanes_factor *f)
{
    v = vqrdmulhq_s32(v, f->multiplier);
    return vrshlq_s32(vsraq_n_s32(v, v, 31), f->right);
}

static inline lanes scaled_right(lanes v, const lanes_factor *f)
{
    return (lanes){scaled_four_right(v.low, f), scaled_four_right(v.high, f)};
}

static inline int32x4_t scaled_four(int32x4_t v, const lanes_factor *f)
{
    v = vqrdmulhq_s32(vshlq_s32(v, f->left), f->multiplier);
    return vrshlq_s32(vsraq_n_s32(v, vandq_s32(v, f->sign), 31), f->right);
}

static inline lanes scaled(lanes v, const lanes_factor *f)
{
    return (lanes){scaled_four(v.low, f), scaled_four(v.high, f)};
}

static inline lanes shifted(lanes v, int32_t bits)
{
    const int32x4_t by = vdupq_n_s32(-bits);
    return (lanes){vshlq_s32(v.low, by), vshlq_s32(v.high, by)};
}

static inline int32x4_t upper_four(int32x4_t v, uint32_t by)
{
    const uint32x4_t u = vreinterpretq_u32_s32(v);
    const uint32x2_t twice = vdup_n_u32(by);
    return vreinterpretq_s32_u32(vcombine_u32(vshrn_n_u64(vmull_u32(vget_low_u32(u), twice), 32),
                                              vshrn_n_u64(vmull_u32(vget_high_u32(u), twice), 32)));
}

static inline lanes upper(lanes v, uint32_t by)
{
    return (lanes){upper_four(v.low, by), upper_four(v.high, by)};
}

static inline int32x4_t within_four(int32x4_t v, int32_t low, int32_t high)
{
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(low)), vdupq_n_s32(high));
}

static inline lanes within(lanes v, int32_t low, int32_t high)
{
    return (lanes){within_four(v.low, low, high), within_four(v.high, low, high)};
}

static inline lanes look_up(const uint8_t *table, lanes index)
{
    int32_t at[LANES];
    store_sums(at, index);
    for (uint32_t i = 0; i < LANES; i++) {
        at[i] = efm_load_le32s(table + 4 * (size_t)at[i]);
    }
    return load_sums(at);
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

#endif
