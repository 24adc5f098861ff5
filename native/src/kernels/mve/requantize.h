/* SPDX-License-Identifier: Apache-2.0 */
/* Four sums become bytes, for any table: what the assembly does not do by its short formula. Lanes are four channels
 * of a pixel, or four pixels of a channel. */
#ifndef EFM_MVE_REQUANTIZE_H
#define EFM_MVE_REQUANTIZE_H

#include <arm_mve.h>
#include <string.h>

#include "mve.h"

/* efm_channel_read of four channels. */
typedef struct efm_mve_channels {
    int32x4_t bias, multiplier, shift;
    uint32x4_t low;
} efm_mve_channels;

/* Channels o .. o + count - 1, 0 < count <= 4; the last stands in for those past it. */
static inline efm_mve_channels efm_mve_channels_read(const efm_table *table, uint32_t o, uint32_t count)
{
    const uint8_t *records = table->channels + EFM_CHANNEL_BYTES * o;
    uint32_t copy[EFM_MVE_LANES * EFM_CHANNEL_BYTES / 4];
    uint32x4_t at = vmulq_n_u32(vminq_u32(vidupq_n_u32(0, 1), vdupq_n_u32(count - 1)), EFM_CHANNEL_BYTES);
    if ((uintptr_t)records % 4 != 0) { /* words are gathered from where words may lie */
        memcpy(copy, records, EFM_CHANNEL_BYTES * count);
        records = (const uint8_t *)copy;
    }
    const uint32_t *words = (const uint32_t *)(const void *)records;
    uint32x4_t packed = vldrwq_gather_offset_u32(words + EFM_CHANNEL_AT_SHIFT / 4, at);
    int32x4_t shift = vreinterpretq_s32_u32(vshrq_n_u32(vshlq_n_u32(packed, 4), 26));
    efm_mve_channels c = {vldrwq_gather_offset_s32((const int32_t *)words, at),
                          vldrwq_gather_offset_s32((const int32_t *)words + EFM_CHANNEL_AT_MULTIPLIER / 4, at),
                          vminq_s32(vaddq_n_s32(shift, EFM_SHIFT_MIN), vdupq_n_s32(EFM_SHIFT_MAX)),
                          vandq_u32(packed, vdupq_n_u32(0x3fffff))};
    c.multiplier = vandq_s32(c.multiplier, vdupq_n_s32(INT32_MAX));
    return c;
}

/* What each lane is scaled by. */
typedef struct efm_mve_scale {
    int32_t multiplier[EFM_MVE_LANES];
    int32_t shift[EFM_MVE_LANES];
    uint32_t low[EFM_MVE_LANES]; /* rounding once */
} efm_mve_scale;

/* efm_requant_twice. VRSHL rounds half up: one is taken from negative products before, unless nothing is shifted. */
static inline int32x4_t efm_mve_requant_twice(int32x4_t v, const efm_mve_scale *scale)
{
    int32x4_t shift = vldrwq_s32(scale->shift), zero = vdupq_n_s32(0);
    int32x4_t right = vminq_s32(shift, zero);
    v = vshlq_s32(v, vmaxq_s32(shift, zero));
    v = vqrdmulhq_s32(v, vldrwq_s32(scale->multiplier));
    v = vaddq_s32(v, vandq_s32(vshrq_n_s32(v, 31), vshrq_n_s32(right, 31)));
    return vrshlq_s32(v, right);
}

static inline int32x4_t efm_mve_requant_once(int32x4_t v, const efm_mve_scale *scale)
{
    int32_t lanes[EFM_MVE_LANES];
    vstrwq_s32(lanes, v);
    for (uint32_t i = 0; i < EFM_MVE_LANES; i++) {
        lanes[i] = efm_requant_once(lanes[i], scale->multiplier[i], scale->low[i], scale->shift[i]);
    }
    return vldrwq_s32(lanes);
}

/* efm_requantize of sums that have their bias. */
static inline int32x4_t efm_mve_requantize(int32x4_t v, const efm_table *table, const efm_mve_scale *scale)
{
    v = table->flags & EFM_TABLE_ROUND_ONCE ? efm_mve_requant_once(v, scale) : efm_mve_requant_twice(v, scale);
    v = vaddq_n_s32(v, table->zero_point);
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(table->low)), vdupq_n_s32(table->high));
}

#endif
