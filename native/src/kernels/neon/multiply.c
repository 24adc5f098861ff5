/* SPDX-License-Identifier: Apache-2.0 */
/* Packing OWN for processors without SDOT: a step is 32 in depth of four channels. Products of 8 bits take 16; two of
 * them are added there before pairs go to sums of 32 bits, or four, where pack() found that weights are small enough:
 * of 32 * 16 products by 16 pixels and channels 96 or 80 instructions in registers, 12 loads and 5 more.
 *
 *     [steps][32 / 16][4 channels][16], then [4][16] and [4][16 or 8] of what is left, then a byte for each step. */
#include "four.h"

#if EFM_KERNEL_NEON

#if defined(__aarch64__)
enum { PIXELS = 4 };
#else
enum { PIXELS = 2 };
#endif

enum { CHANNELS = EFM_NEON_LANES, STEP = 32, HALF = 16 };

/* How many products are added in 16 bits. */
enum { ONE = 1, TWO = 2, FOUR = 4 };

typedef struct tile {
    int32x4_t sum[PIXELS][CHANNELS];
} tile;

#define ALL_PIXELS   EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)
#define ALL_CHANNELS EFM_UNROLL(4) for (uint32_t c = 0; c < CHANNELS; c++)

EFM_INLINE EFM_NEON int16x8_t low_products(int8x16_t x, int8x16_t w)
{
    return vmull_s8(vget_low_s8(x), vget_low_s8(w));
}

EFM_INLINE EFM_NEON int16x8_t add_low(int16x8_t to, int8x16_t x, int8x16_t w)
{
    return vmlal_s8(to, vget_low_s8(x), vget_low_s8(w));
}

EFM_INLINE EFM_NEON int16x8_t high_products(int8x16_t x, int8x16_t w)
{
#if defined(__aarch64__)
    return vmull_high_s8(x, w);
#else
    return vmull_s8(vget_high_s8(x), vget_high_s8(w));
#endif
}

EFM_INLINE EFM_NEON int16x8_t add_high(int16x8_t to, int8x16_t x, int8x16_t w)
{
#if defined(__aarch64__)
    return vmlal_high_s8(to, x, w);
#else
    return vmlal_s8(to, vget_high_s8(x), vget_high_s8(w));
#endif
}

/* `begin`: there is no sum yet. */
EFM_INLINE EFM_NEON int32x4_t add(int32x4_t sum, int16x8_t products, int begin)
{
    return begin ? vpaddlq_s16(products) : vpadalq_s16(sum, products);
}

EFM_INLINE EFM_NEON int32x4_t add_half(int32x4_t sum, int8x16_t x, int8x16_t w, uint32_t together, int begin)
{
    if (together == ONE) {
        return add(add(sum, low_products(x, w), begin), high_products(x, w), 0);
    }
    return add(sum, add_high(low_products(x, w), x, w), begin);
}

/* Sixteen in depth. */
EFM_INLINE EFM_NEON const int8_t *half_step(tile *t, const int8_t *const *x, const int8_t *w, uint32_t pixels,
                                            uint32_t together, int begin)
{
    int8x16_t v[PIXELS];
    ALL_PIXELS
    {
        v[p] = vld1q_s8(x[p]);
    }
    ALL_CHANNELS
    {
        int8x16_t by = vld1q_s8(w);
        w += HALF;
        EFM_NEON_IN_ORDER(w);
        ALL_PIXELS
        {
            t->sum[p][c] = add_half(t->sum[p][c], v[p], by, together, begin);
        }
    }
    return w;
}

/* Thirty-two. */
EFM_INLINE EFM_NEON const int8_t *step(tile *t, const int8_t *const *x, const int8_t *w, uint32_t pixels,
                                       uint32_t together, int begin)
{
    int8x16_t a[PIXELS], b[PIXELS];
    ALL_PIXELS
    {
        a[p] = vld1q_s8(x[p]);
        b[p] = vld1q_s8(x[p] + HALF);
    }
    ALL_CHANNELS
    {
        int8x16_t by_a = vld1q_s8(w), by_b = vld1q_s8(w + CHANNELS * HALF);
        w += HALF;
        EFM_NEON_IN_ORDER(w);
        ALL_PIXELS
        {
            if (together == FOUR) {
                int16x8_t four = add_low(add_high(low_products(a[p], by_a), a[p], by_a), b[p], by_b);
                t->sum[p][c] = add(t->sum[p][c], add_high(four, b[p], by_b), begin);
            } else {
                t->sum[p][c] = add_half(t->sum[p][c], a[p], by_a, together, begin);
                t->sum[p][c] = add_half(t->sum[p][c], b[p], by_b, together, 0);
            }
        }
    }
    return w + CHANNELS * HALF;
}

/* The last bytes, no more than eight: weights of those that were taken before are zero. */
EFM_INLINE EFM_NEON const int8_t *last_step(tile *t, const int8_t *const *x, const int8_t *w, uint32_t pixels)
{
    int8x8_t v[PIXELS];
    ALL_PIXELS
    {
        v[p] = vld1_s8(x[p]);
    }
    ALL_CHANNELS
    {
        int8x8_t by = vld1_s8(w);
        w += 8;
        ALL_PIXELS
        {
            t->sum[p][c] = vpadalq_s16(t->sum[p][c], vmull_s8(v[p], by));
        }
    }
    return w;
}

EFM_INLINE void move(const int8_t **x, int32_t by, uint32_t pixels)
{
    ALL_PIXELS
    {
        x[p] += by;
    }
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
                                 const uint8_t **small, uint32_t left, uint32_t pixels, uint32_t together)
{
    const int8_t *x[PIXELS], *w = *weights;
    ALL_PIXELS
    {
        x[p] = in[p * runs];
    }
    for (; left >= STEP; left -= STEP) {
        if (together == TWO && *(*small)++) {
            w = step(&t, x, w, pixels, FOUR, 0);
        } else {
            w = step(&t, x, w, pixels, together, 0);
        }
        move(x, STEP, pixels);
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
    uint32_t runs = plain ? 1 : job->runs;
    tile t = no_sums(pixels);
    for (uint32_t run = 0; run < runs; run++) {
        t = add_run(t, at->in + run, runs, &w, &small, job->run_bytes, pixels, together);
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
