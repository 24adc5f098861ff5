/* SPDX-License-Identifier: Apache-2.0 */
/* Packing OWN as lanes.c reads it. */
#include "conv.h"

#if EFM_KERNEL_NEON_DOT

/* Four bytes, or any number above. */
static uint32_t pixel_bytes(uint32_t depth)
{
    return depth < 4 ? 4 : depth;
}

static uint32_t lane_bytes(uint32_t depth)
{
    return EFM_NEON_LANES * ((pixel_bytes(depth) + 3) / 4 * 4);
}

/* [steps][channels][4]. The last step ends with the last weights, and those that it has in common with the one before
   are zero. */
static void pack(const int8_t *w, uint32_t channels, uint32_t lanes, uint32_t depth, int8_t *to)
{
    uint32_t bytes = pixel_bytes(depth);
    for (uint32_t k = 0; k < bytes; k += 4) {
        uint32_t begin = k + 4 > bytes ? bytes - 4 : k;
        for (uint32_t r = 0; r < EFM_NEON_LANES * lanes; r++) {
            for (uint32_t i = 0; i < 4; i++, to++) {
                uint32_t at = begin + i;
                *to = r < channels && at >= k && at < depth ? w[(size_t)r * depth + at] : 0;
            }
        }
    }
}

const efm_neon_loops efm_neon_loops_dot = {.rows = efm_neon_rows_dot,
                                           .own = efm_neon_by_lanes,
                                           .lanes = EFM_NEON_LANES_MOST,
                                           .run_multiple = 4,
                                           .pixel_bytes = pixel_bytes,
                                           .weight_bytes = lane_bytes,
                                           .lane_bytes = lane_bytes,
                                           .pack = pack};

#endif
