/* SPDX-License-Identifier: Apache-2.0 */
/* Packing OWN as multiply.c reads it. */
#include "conv.h"

#if EFM_KERNEL_NEON

enum { CHANNELS = EFM_NEON_LANES, STEP = 32, HALF = 16 };

/* Eight bytes or sixteen, or any number above. */
static uint32_t pixel_bytes(uint32_t depth)
{
    return depth <= 8 ? 8 : depth < HALF ? HALF : depth;
}

/* The weights of a piece. */
static uint32_t weight_bytes(uint32_t depth)
{
    return CHANNELS * ((pixel_bytes(depth) + 7) / 8 * 8);
}

/* What depth % 16 adds is eight or sixteen, so that this is a multiple of sixteen in all. */
static uint32_t lane_bytes(uint32_t depth)
{
    return weight_bytes(depth) + (depth / STEP + HALF - 1) / HALF * HALF;
}

/* Weights k .. k + width - 1 of four channels, or the last `width` where these are not all there: then those before k
   are zero. */
static int8_t *put(const int8_t *w, uint32_t channels, uint32_t depth, uint32_t k, uint32_t width, int8_t *to)
{
    uint32_t bytes = pixel_bytes(depth), begin = k + width > bytes ? bytes - width : k;
    for (uint32_t c = 0; c < CHANNELS; c++) {
        for (uint32_t i = begin; i < begin + width; i++) {
            *to++ = c < channels && i >= k && i < depth ? w[(size_t)c * depth + i] : 0;
        }
    }
    return to;
}

static uint32_t size(int8_t w)
{
    return (uint32_t)(w < 0 ? -w : w);
}

/* Whether the four products that a lane of 16 bits gets in a step are at most 255 * 128. */
static int is_small(const int8_t *w, uint32_t channels, uint32_t depth)
{
    for (uint32_t c = 0; c < channels; c++, w += depth) {
        for (uint32_t i = 0; i < 8; i++) {
            if (size(w[i]) + size(w[i + 8]) + size(w[i + 16]) + size(w[i + 24]) > 255) {
                return 0;
            }
        }
    }
    return 1;
}

static void pack(const int8_t *w, uint32_t channels, uint32_t lanes, uint32_t depth, int8_t *to)
{
    uint32_t k = 0, bytes = pixel_bytes(depth), rows = channels < CHANNELS ? channels : CHANNELS;
    int8_t *small = to + weight_bytes(depth);
    (void)lanes;
    while (k < bytes) {
        uint32_t left = bytes - k, width = left >= STEP ? STEP : left > 8 ? HALF : 8;
        to = put(w, rows, depth, k, width, to);
        k += width;
    }
    for (k = 0; k + STEP <= depth; k += STEP) {
        *small++ = (int8_t)is_small(w + k, rows, depth);
    }
}

const efm_neon_loops efm_neon_loops_multiply = {.rows = efm_neon_rows_multiply,
                                                .own = efm_neon_multiply,
                                                .lanes = 1,
                                                .run_multiple = STEP,
                                                .pixel_bytes = pixel_bytes,
                                                .weight_bytes = weight_bytes,
                                                .lane_bytes = lane_bytes,
                                                .pack = pack};

#endif
