/* SPDX-License-Identifier: Apache-2.0 */
/* Output channels of a table in vectors, and the formulas that the fast one in registers does not cover. */
#include "neon.h"

#if EFM_KERNEL_NEON

efm_neon_result efm_neon_read_result(const efm_table *table)
{
    return (efm_neon_result){table->low, table->high, table->zero_point, table->weight_zero};
}

/* Records of four channels. */
static inline EFM_NEON void read_four(const uint8_t *at, efm_neon_channels *to, uint32_t i)
{
    int32x4x3_t v = vld3q_s32((const int32_t *)(const void *)at);
    int32x4_t shift = vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v.val[2]), 22));
    shift = vaddq_s32(vandq_s32(shift, vdupq_n_s32(63)), vdupq_n_s32(EFM_SHIFT_MIN));
    vst1q_s32(to->bias + i, v.val[0]);
    vst1q_s32(to->multiplier + i, vandq_s32(v.val[1], vdupq_n_s32(INT32_MAX)));
    vst1q_s32(to->shift + i, vminq_s32(shift, vdupq_n_s32(EFM_SHIFT_MAX)));
    vst1q_s32(to->low + i, vandq_s32(v.val[2], vdupq_n_s32(0x3fffff)));
}

EFM_NEON void efm_neon_read_channels(const efm_table *table, uint32_t first, uint32_t count, efm_neon_channels *to)
{
    to->mode = table->flags & EFM_TABLE_ROUND_ONCE                           ? EFM_NEON_ONCE
               : table->flags & EFM_TABLE_PROVED && efm_neon_is_usual(table) ? EFM_NEON_FAST
                                                                             : EFM_NEON_GENERAL;
    const uint8_t *at = table->channels + (size_t)EFM_CHANNEL_BYTES * first;
    uint32_t i = 0;
    for (; count - i >= EFM_NEON_LANES; i += EFM_NEON_LANES, at += EFM_NEON_LANES * EFM_CHANNEL_BYTES) {
        read_four(at, to, i);
    }
    if (i < count) {
        uint8_t last[EFM_NEON_LANES * EFM_CHANNEL_BYTES] = {0};
        memcpy(last, at, (size_t)EFM_CHANNEL_BYTES * (count - i));
        read_four(last, to, i);
    }
}

/* efm_requant_twice for any operands. What SQRDMULH gives is above INT32_MIN, so that one can be taken from it. */
static inline EFM_NEON int32x4_t scale_twice(int32x4_t v, int32x4_t multiplier, int32x4_t shift)
{
    const int32x4_t zero = vdupq_n_s32(0);
    int32x4_t right = vminq_s32(shift, zero);
    int32x4_t high = vqrdmulhq_s32(vshlq_s32(v, vmaxq_s32(shift, zero)), multiplier);
    int32x4_t away = vandq_s32(vshrq_n_s32(high, 31), vshrq_n_s32(right, 31));
    return vrshlq_s32(vaddq_s32(high, away), right);
}

/* Two values of efm_requant_once without their signs. */
static inline EFM_NEON uint32x2_t scale_sizes(uint32x2_t size, uint32x2_t high, uint32x2_t low, int32x2_t shift)
{
    uint64x2_t product = vsraq_n_u64(vmull_u32(size, high), vmull_u32(size, low), 22);
    return vqmovn_u64(vrshlq_u64(product, vmovl_s32(vsub_s32(shift, vdup_n_s32(31)))));
}

static inline EFM_NEON int32x4_t scale_once(int32x4_t v, int32x4_t multiplier, int32x4_t low, int32x4_t shift)
{
    uint32x4_t size = vreinterpretq_u32_s32(vabsq_s32(v)), high = vreinterpretq_u32_s32(multiplier);
    uint32x4_t rest = vreinterpretq_u32_s32(low);
    uint32x2_t a = scale_sizes(vget_low_u32(size), vget_low_u32(high), vget_low_u32(rest), vget_low_s32(shift));
    uint32x2_t b = scale_sizes(vget_high_u32(size), vget_high_u32(high), vget_high_u32(rest), vget_high_s32(shift));
    int32x4_t result = vreinterpretq_s32_u32(vminq_u32(vcombine_u32(a, b), vdupq_n_u32((uint32_t)1 << 24)));
    int32x4_t sign = vshrq_n_s32(v, 31);
    return vsubq_s32(veorq_s32(result, sign), sign);
}

/* efm_clamp, also where low > high */
static inline EFM_NEON int32x4_t clamp(int32x4_t v, const efm_neon_result *r)
{
    int32x4_t low = vdupq_n_s32(r->low), high = vdupq_n_s32(r->high);
    return vbslq_s32(vcltq_s32(v, low), low, vminq_s32(v, high));
}

static inline EFM_NEON void finish_four(const efm_neon_channels *c, const efm_neon_result *r, int32x4_t v, uint32_t i,
                                        int8_t to[EFM_NEON_LANES])
{
    int32x4_t multiplier = vld1q_s32(c->multiplier + i), shift = vld1q_s32(c->shift + i);
    v = c->mode == EFM_NEON_ONCE ? scale_once(v, multiplier, vld1q_s32(c->low + i), shift)
                                 : scale_twice(v, multiplier, shift);
    v = clamp(efm_neon_wrapping_sum(v, vdupq_n_s32(r->zero_point)), r);
    int16x4_t half = vmovn_s32(v);
    uint32_t bytes = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(half, half))), 0);
    memcpy(to, &bytes, EFM_NEON_LANES);
}

EFM_NEON void efm_neon_finish(const efm_neon_channels *c, uint32_t at, const efm_neon_result *r, const int32_t *sums,
                              uint32_t count, int8_t *out)
{
    uint32_t i = 0;
    for (; count - i >= EFM_NEON_LANES; i += EFM_NEON_LANES) {
        finish_four(c, r, vld1q_s32(sums + i), at + i, out + i);
    }
    if (i < count) {
        int32_t last[EFM_NEON_LANES] = {0};
        int8_t bytes[EFM_NEON_LANES];
        memcpy(last, sums + i, 4 * (size_t)(count - i));
        finish_four(c, r, vld1q_s32(last), at + i, bytes);
        memcpy(out + i, bytes, count - i);
    }
}

#endif
