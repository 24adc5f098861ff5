/* SPDX-License-Identifier: Apache-2.0 */
/* Packing ROWS in place: EFM_PIXELS pixels with four rows of weights, sixteen bytes in depth at a time. A file that
 * includes this supplies EFM_TARGET, EFM_PIXELS and `add`. */
#ifndef EFM_NEON_ROWS_H
#define EFM_NEON_ROWS_H

#include "four.h"

enum { ROWS = EFM_NEON_LANES };

EFM_INLINE EFM_TARGET int32x4_t add(int32x4_t sum, int8x16_t x, int8x16_t w);

typedef struct tile {
    int32x4_t sum[EFM_PIXELS][ROWS];
} tile;

#define ALL_PIXELS EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)
#define ALL_ROWS   EFM_UNROLL(4) for (uint32_t r = 0; r < ROWS; r++)

/* Sixteen bytes in depth. */
EFM_INLINE EFM_TARGET void step(tile *t, const int8x16_t *x, const int8_t *const *w, uint32_t at, uint32_t pixels)
{
    ALL_ROWS
    {
        int8x16_t row = vld1q_s8(w[r] + at);
        ALL_PIXELS
        {
            t->sum[p][r] = add(t->sum[p][r], x[p], row);
        }
    }
}

/* The last `left` bytes of a run of at least sixteen: all sixteen, those that were taken before with zero. */
EFM_INLINE EFM_TARGET void last_step(tile *t, const int8_t *const *x, const int8_t *const *w, uint32_t bytes,
                                     uint32_t left, uint32_t pixels)
{
    int8x16_t some[EFM_PIXELS], mask = efm_neon_last(left);
    ALL_PIXELS
    {
        some[p] = vandq_s8(vld1q_s8(x[p] + bytes - 16), mask);
    }
    step(t, some, w, bytes - 16, pixels);
}

/* All bytes of a run of fewer. */
EFM_INLINE EFM_TARGET void short_step(tile *t, const int8_t *const *x, const int8_t *const *w, uint32_t bytes,
                                      uint32_t pixels)
{
    int8x16_t some[EFM_PIXELS];
    ALL_PIXELS
    {
        some[p] = efm_neon_part(x[p], bytes);
    }
    ALL_ROWS
    {
        int8x16_t row = efm_neon_part(w[r], bytes);
        ALL_PIXELS
        {
            t->sum[p][r] = add(t->sum[p][r], some[p], row);
        }
    }
}

/* A run of pixels that begins at x. */
EFM_INLINE EFM_TARGET void add_run(tile *t, const int8_t *const *x, const int8_t *const *w, uint32_t bytes,
                                   uint32_t pixels)
{
    uint32_t at = 0;
    for (; bytes - at >= 16; at += 16) {
        int8x16_t all[EFM_PIXELS];
        ALL_PIXELS
        {
            all[p] = vld1q_s8(x[p] + at);
        }
        step(t, all, w, at, pixels);
    }
    if (bytes < 16) {
        short_step(t, x, w, bytes, pixels);
    } else if (at < bytes) {
        last_step(t, x, w, bytes, bytes - at, pixels);
    }
}

EFM_INLINE EFM_TARGET void make(const efm_neon_job *job, efm_neon_place *at, uint32_t pixels)
{
    tile t;
    const int8_t *w[ROWS], *x[EFM_PIXELS];
    ALL_ROWS
    {
        w[r] = job->w + (r < job->channels ? r : job->channels - 1) * job->w_step; /* the last stands in for more */
        ALL_PIXELS
        {
            t.sum[p][r] = vdupq_n_s32(0);
        }
    }
    for (uint32_t run = 0; run < job->runs; run++) {
        ALL_PIXELS
        {
            x[p] = at->in[p * job->runs + run];
        }
        add_run(&t, x, w, job->run_bytes, pixels);
        ALL_ROWS
        {
            w[r] += job->run_bytes;
        }
    }
    int32x4_t sum[4];
    ALL_PIXELS
    {
        sum[p] = efm_neon_fold(t.sum[p][0], t.sum[p][1], t.sum[p][2], t.sum[p][3]);
    }
    efm_neon_end(job, at, sum, pixels, 0);
    efm_neon_go_on(at, job, pixels, 0);
}

EFM_INLINE EFM_TARGET void make_all(const efm_neon_job *asked)
{
    const efm_neon_job job = *asked; /* which no result can alias */
    efm_neon_place at = efm_neon_place_of(&job);
    uint32_t left = job.pixels;
    for (; left >= EFM_PIXELS; left -= EFM_PIXELS) {
        make(&job, &at, EFM_PIXELS);
    }
    if (left >= 2) {
        make(&job, &at, 2);
        left -= 2;
    }
    if (left == 1) {
        make(&job, &at, 1);
    }
}

#endif
