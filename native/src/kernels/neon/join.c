/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of few channels, whose runs are shorter than a step of the inner loops, as one run for each pixel. */
#include "conv.h"

#if EFM_KERNEL_NEON

/* memcpy of a few bytes: the first and the last eight, or four, which may have some in common. */
static inline void copy(int8_t *to, const int8_t *from, uint32_t n)
{
    if (n > 16) {
        memcpy(to, from, n);
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else {
        to[0] = from[0];
        to[n / 2] = from[n / 2];
        to[n - 1] = from[n - 1];
    }
}

/* Runs that already lie side by side are copied together. */
static void join_pixel(const int8_t *const *run, uint32_t runs, uint32_t run_bytes, int8_t *to)
{
    for (const int8_t *const *end = run + runs; run < end;) {
        const int8_t *from = *run, *next = from;
        do {
            next += run_bytes;
        } while (++run < end && *run == next);
        copy(to, from, (uint32_t)(next - from));
        to += next - from;
    }
}

void efm_neon_join(const efm_conv_call *call, uint32_t first, uint32_t n, uint32_t bytes, int8_t *to,
                   const int8_t **pixels)
{
    const int8_t *const *run = call->in + (size_t)first * call->runs;
    if (bytes > call->tile.depth) {
        memset(to, 0, (size_t)bytes * n);
    }
    for (uint32_t p = 0; p < n; p++, to += bytes, run += call->runs) {
        join_pixel(run, call->runs, call->run_bytes, to);
        pixels[p] = to;
    }
}

#endif
