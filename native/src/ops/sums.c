/* SPDX-License-Identifier: Apache-2.0 */
#include "sums.h"

enum { BLOCK = 4 }; /* sums in registers */

static inline int32_t plus(int32_t sum, int8_t value)
{
    return (int32_t)((uint32_t)sum + (uint32_t)value);
}

static void sum_block(const int8_t *at, size_t stride, uint32_t pixels, int32_t *sums)
{
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (; pixels > 0; pixels--, at += stride) {
        s0 = plus(s0, at[0]), s1 = plus(s1, at[1]), s2 = plus(s2, at[2]), s3 = plus(s3, at[3]);
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

static void sum_one(const int8_t *at, size_t stride, uint32_t pixels, int32_t *sum)
{
    for (; pixels > 0; pixels--, at += stride) {
        *sum = plus(*sum, *at);
    }
}

void efm_sum_pixels(const efm_rows *in, uint32_t y, uint32_t x0, uint32_t x1, int32_t *sums)
{
    const int8_t *at = (const int8_t *)efm_row(in, y) + (size_t)x0 * in->pixel_stride;
    const size_t stride = in->pixel_stride;
    const uint32_t channels = in->channels, pixels = x1 - x0;
    uint32_t c = efm_sum_fast(sums, at, stride, pixels, channels);
    for (; !EFM_ELEMENTS_DSP && channels - c >= BLOCK; c += BLOCK) { /* those do all blocks */
        sum_block(at + c, stride, pixels, sums + c);
    }
    for (; c < channels; c++) {
        sum_one(at + c, stride, pixels, sums + c);
    }
}

/* sum / count, rounded half up or half away from zero. */
static int32_t average(int32_t sum, int32_t count, int up)
{
    if (up) {
        return (sum + 128 * count + count / 2) / count - 128;
    }
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

void efm_divide_sums(const efm_sums *run, int up)
{
    for (uint32_t c = efm_divide_fast(run, up); c < run->count; c++) {
        int32_t v = average(efm_possible_sum(run->at[c], run->pixels), run->pixels, up);
        run->out[c] = (int8_t)efm_clamp(v, run->low, run->high);
    }
}
