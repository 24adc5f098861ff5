/* SPDX-License-Identifier: Apache-2.0 */
/* The end of inner loops with four channels in a vector, of up to four pixels. */
#ifndef EFM_NEON_FOUR_H
#define EFM_NEON_FOUR_H

#include "conv.h"

#if EFM_KERNEL_NEON

/* Where the next pixels are. */
typedef struct efm_neon_place {
    const int8_t *const *in;
    const int32_t *start;
    int32_t *sums;
    int8_t *const *out;
} efm_neon_place;

EFM_INLINE efm_neon_place efm_neon_place_of(const efm_neon_job *job)
{
    return (efm_neon_place){job->in, job->start, job->sums, job->out};
}

/* Whether nothing in a job is unusual: loops with these as constants are shorter. */
EFM_INLINE int efm_neon_is_plain(const efm_neon_job *job)
{
    return job->runs == 1 && job->start_step == 0 && !job->sums && job->channels == EFM_NEON_LANES * job->lanes
           && job->result->low == INT8_MIN && job->result->high == INT8_MAX;
}

EFM_INLINE void efm_neon_go_on(efm_neon_place *at, const efm_neon_job *job, uint32_t pixels, int plain)
{
    at->in += plain ? pixels : pixels * job->runs;
    at->out += pixels;
    if (!plain) {
        at->start += pixels * job->start_step;
        at->sums += job->sums ? pixels * EFM_NEON_BLOCK : 0;
    }
}

/* Half of eight bytes. */
EFM_INLINE EFM_NEON void efm_neon_put_four(int8_t *to, int8x8_t bytes, int half)
{
    uint32x2_t words = vreinterpret_u32_s8(bytes);
    uint32_t four = half ? vget_lane_u32(words, 1) : vget_lane_u32(words, 0);
    memcpy(to, &four, 4);
}

/* The first n < 16 bytes. */
EFM_INLINE EFM_NEON void efm_neon_put_part(int8_t *to, int8x16_t bytes, uint32_t n)
{
    if (n & 8) {
        vst1_s8(to, vget_low_s8(bytes));
        to += 8;
        bytes = vextq_s8(bytes, bytes, 8);
    }
    if (n & 4) {
        efm_neon_put_four(to, vget_low_s8(bytes), 0);
        to += 4;
        bytes = vextq_s8(bytes, bytes, 4);
    }
    uint32_t rest = vgetq_lane_u32(vreinterpretq_u32_s8(bytes), 0);
    for (n &= 3; n > 0; n--, rest >>= 8) {
        *to++ = (int8_t)rest;
    }
}

/* Bytes of two pixels, or one. */
EFM_INLINE EFM_NEON void efm_neon_put_two(const efm_neon_job *job, int8_t *const *out, uint32_t pixels, int32x4_t a,
                                          int32x4_t b, int16x8_t zero, int plain)
{
    int8x8_t bytes = efm_neon_eight(a, b, zero);
    if (!plain) {
        bytes = vmin_s8(vmax_s8(bytes, vdup_n_s8((int8_t)job->result->low)), vdup_n_s8((int8_t)job->result->high));
    }
    if (!plain && job->channels < EFM_NEON_LANES) {
        efm_neon_put_part(out[0] + job->out_at, vcombine_s8(bytes, bytes), job->channels);
        if (pixels > 1) {
            efm_neon_put_part(out[1] + job->out_at, vcombine_s8(vext_s8(bytes, bytes, 4), bytes), job->channels);
        }
        return;
    }
    efm_neon_put_four(out[0] + job->out_at, bytes, 0);
    if (pixels > 1) {
        efm_neon_put_four(out[1] + job->out_at, bytes, 1);
    }
}

/* Sums of pixels, without what they begin with, become bytes, or stay sums. */
EFM_INLINE EFM_NEON void efm_neon_end(const efm_neon_job *job, const efm_neon_place *at, int32x4_t sum[4],
                                      uint32_t pixels, int plain)
{
    EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)
    {
        sum[p] = efm_neon_wrapping_sum(sum[p], vld1q_s32(at->start + (plain ? 0 : p * job->start_step)));
    }
    if (!plain && job->sums) {
        EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)
        {
            vst1q_s32(at->sums + p * EFM_NEON_BLOCK, sum[p]);
        }
        return;
    }
    int32x4_t multiplier = vld1q_s32(job->multiplier), shift = vld1q_s32(job->shift);
    int16x8_t zero = vdupq_n_s16((int16_t)job->result->zero_point);
    EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)
    {
        sum[p] = efm_neon_scale(sum[p], multiplier, shift);
    }
    efm_neon_put_two(job, at->out, pixels, sum[0], sum[pixels > 1], zero, plain);
    if (pixels > 2) {
        efm_neon_put_two(job, at->out + 2, pixels - 2, sum[2], sum[pixels - 1], zero, plain);
    }
}

#endif
#endif
