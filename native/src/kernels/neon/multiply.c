/* SPDX-License-Identifier: Apache-2.0 */
/* Packing OWN for processors without SDOT: a step is 32 in depth of four channels. Products of 8 bits take 16; two of
 * them are added there before pairs go to sums of 32 bits, or four, where pack() found that weights are small enough:
 * of 32 * 16 products by 16 pixels and channels 96 or 80 instructions in registers, 12 loads and 5 more.
 *
 *     [steps][4 channels][32], then [4][16] and [4][16 or 8] of the rest, then a byte for each step. */
#include "four.h"
#include "multiply.h"

#if EFM_KERNEL_NEON

EFM_INLINE void move(const int8_t **x, int32_t by, uint32_t pixels)
{
    ALL_PIXELS
    {
        x[p] += by;
    }
}

EFM_INLINE EFM_NEON const int8_t *any_step(tile *t, const int8_t **x, const int8_t *w, const uint8_t **small,
                                           uint32_t pixels, uint32_t together, int begin)
{
    if (together == TWO && *(*small)++) {
        return step(t, x, w, pixels, FOUR, begin);
    }
    return step(t, x, w, pixels, together, begin);
}

EFM_INLINE EFM_NEON tile no_sums(uint32_t pixels)
{
    tile t;
    ALL_CHANNELS
    {
        ALL_PIXELS
        {
            t.sum[p][c] = vdupq_n_s32(0);
        }
    }
    return t;
}

/* Runs of pixels that begin at in[0], in[runs], ..; the first run if `begin`. */
EFM_INLINE EFM_NEON tile add_run(tile t, const int8_t *const *in, uint32_t runs, const int8_t **weights,
                                 const uint8_t **small, uint32_t left, uint32_t pixels, uint32_t together, int begin)
{
    const int8_t *x[PIXELS], *w = *weights;
    ALL_PIXELS
    {
        x[p] = in[p * runs];
    }
    if (begin && left >= STEP) {
        w = any_step(&t, x, w, small, pixels, together, 1);
        left -= STEP;
    }
    for (; left >= STEP; left -= STEP) {
        w = any_step(&t, x, w, small, pixels, together, 0);
    }
    if (left >= HALF) {
        w = half_step(&t, x, w, pixels, together, 0);
        move(x, HALF, pixels);
        left -= HALF;
    }
    if (left > 8) {
        move(x, (int32_t)left - HALF, pixels);
        w = half_step(&t, x, w, pixels, together, 0);
    } else if (left > 0) {
        move(x, (int32_t)left - 8, pixels);
        w = last_step(&t, x, w, pixels);
    }
    *weights = w;
    return t;
}

EFM_INLINE EFM_NEON void make(const efm_neon_job *job, efm_neon_place *at, uint32_t pixels, uint32_t together,
                              int plain)
{
    const int8_t *w = job->w;
    const uint8_t *small = job->small;
    uint32_t runs = job->runs;
    tile t = no_sums(pixels);
    if (plain) {
        t = add_run(t, at->in, 1, &w, &small, job->run_bytes, pixels, together, 1);
    } else {
        for (uint32_t run = 0; run < runs; run++) {
            t = add_run(t, at->in + run, runs, &w, &small, job->run_bytes, pixels, together, 0);
        }
    }
    int32x4_t sum[4];
    ALL_PIXELS
    {
        sum[p] = efm_neon_fold(t.sum[p][0], t.sum[p][1], t.sum[p][2], t.sum[p][3]);
    }
    efm_neon_end(job, at, sum, pixels, plain);
    efm_neon_go_on(at, job, pixels, plain);
}

EFM_INLINE EFM_NEON void make_all(const efm_neon_job *asked, uint32_t together, int plain)
{
    const efm_neon_job job = *asked; /* which no result can alias */
    efm_neon_place at = efm_neon_place_of(&job);
    uint32_t left = job.pixels;
    for (; left >= PIXELS; left -= PIXELS) {
        make(&job, &at, PIXELS, together, plain);
    }
    if (left >= 2) {
        make(&job, &at, 2, together, plain);
        left -= 2;
    }
    if (left == 1) {
        make(&job, &at, 1, together, plain);
    }
}

EFM_NEON void efm_neon_multiply(const efm_neon_job *job)
{
    if (!job->narrow) {
        make_all(job, ONE, 0);
    } else if (efm_neon_is_plain(job)) {
        make_all(job, TWO, 1);
    } else {
        make_all(job, TWO, 0);
    }
}

#endif
