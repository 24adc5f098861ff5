/* SPDX-License-Identifier: Apache-2.0 */
/* Four sums become bytes, for any table: what the assembly does not do by its short formula. Lanes are four channels
 * of a pixel, or four pixels of a channel. */
#ifndef EFM_MVE_REQUANTIZE_H
#define EFM_MVE_REQUANTIZE_H

#include <arm_mve.h>

#include "mve.h"

/* What each lane is scaled by: as efm_channel, and as vectors want it. */
typedef struct efm_mve_scale {
    int32_t multiplier[EFM_MVE_LANES];
    int32_t shift[EFM_MVE_LANES];
    uint32_t low[EFM_MVE_LANES]; /* rounding once */
} efm_mve_scale;

static inline void efm_mve_scale_lane(efm_mve_scale *scale, uint32_t lane, const efm_channel *c)
{
    scale->multiplier[lane] = c->multiplier;
    scale->shift[lane] = c->shift;
    scale->low[lane] = c->low;
}

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
