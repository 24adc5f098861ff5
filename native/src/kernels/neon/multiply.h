/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of multiply.c: pixels by four channels, 32, 16 or 8 in depth. */
#ifndef EFM_NEON_MULTIPLY_H
#define EFM_NEON_MULTIPLY_H

#include "conv.h"
#include "multiply_four.h"
#include "multiply_two.h"

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

EFM_INLINE EFM_NEON int32x4_t add_sixteen(int32x4_t sum, int8x16_t x, int8x16_t w, uint32_t together, int begin)
{
    if (together == ONE) {
        return add(add(sum, low_products(x, w), begin), high_products(x, w), 0);
    }
    return add(sum, add_high(low_products(x, w), x, w), begin);
}

/* Channel c of sixteen in depth. */
EFM_INLINE EFM_NEON void add_half(tile *t, uint32_t c, const int8x16_t *x, int8x16_t w, uint32_t pixels,
                                  uint32_t together, int begin)
{
    if (pixels == PIXELS && together >= TWO) {
#if defined(__aarch64__)
        int32x4_t *const sums[4] = {&t->sum[0][c], &t->sum[1][c], &t->sum[2][c], &t->sum[3][c]};
        efm_neon_add_two(sums, x, w, begin);
#else
        int16x8_t products[2];
        efm_neon_products(products, x, w);
        t->sum[0][c] = add(t->sum[0][c], products[0], begin);
        t->sum[1][c] = add(t->sum[1][c], products[1], begin);
#endif
        return;
    }
    ALL_PIXELS
    {
        t->sum[p][c] = add_sixteen(t->sum[p][c], x[p], w, together, begin);
    }
}

EFM_INLINE EFM_NEON int8x16_t next_weights(const int8_t **w)
{
    int8x16_t v = vld1q_s8(*w);
    *w += HALF;
    EFM_NEON_IN_ORDER(*w);
    return v;
}

/* Channel c of thirty-two in depth, where x goes on with y. */
EFM_INLINE EFM_NEON void add_twos(tile *t, uint32_t c, const int8x16_t *x, const int8x16_t *y, const int8_t **w,
                                  uint32_t pixels, uint32_t together, int begin)
{
#if defined(__aarch64__)
    int8x16_t a, b;
    *w = efm_neon_load_two(*w, &a, &b);
    add_half(t, c, x, a, pixels, together, begin);
    add_half(t, c, y, b, pixels, together, 0);
#else
    add_half(t, c, x, next_weights(w), pixels, together, begin);
    add_half(t, c, y, next_weights(w), pixels, together, 0);
#endif
}

/* The same, four products together. */
EFM_INLINE EFM_NEON void add_fours(tile *t, uint32_t c, const int8x16_t *x, const int8x16_t *y, const int8_t **w,
                                   uint32_t pixels, int begin)
{
#if defined(__aarch64__)
    if (pixels == PIXELS) {
        int32x4_t *const sums[4] = {&t->sum[0][c], &t->sum[1][c], &t->sum[2][c], &t->sum[3][c]};
        int8x16_t a, b;
        *w = efm_neon_load_two(*w, &a, &b);
        efm_neon_add_four(sums, x, y, a, b, begin);
        return;
    }
#else
    if (pixels == PIXELS) {
        int16x8_t products[2];
        efm_neon_products(products, x, next_weights(w));
        efm_neon_add_products(products, y, next_weights(w));
        t->sum[0][c] = add(t->sum[0][c], products[0], begin);
        t->sum[1][c] = add(t->sum[1][c], products[1], begin);
        return;
    }
#endif
    int8x16_t a = next_weights(w), b = next_weights(w);
    ALL_PIXELS
    {
        int16x8_t four = add_low(add_high(low_products(x[p], a), x[p], a), y[p], b);
        t->sum[p][c] = add(t->sum[p][c], add_high(four, y[p], b), begin);
    }
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
        add_half(t, c, v, next_weights(&w), pixels, together, begin);
    }
    return w;
}

/* The next thirty-two. */
EFM_INLINE EFM_NEON const int8_t *step(tile *t, const int8_t **x, const int8_t *w, uint32_t pixels, uint32_t together,
                                       int begin)
{
    int8x16_t a[PIXELS], b[PIXELS];
    ALL_PIXELS
    {
        x[p] = efm_neon_load_two(x[p], &a[p], &b[p]);
    }
    ALL_CHANNELS
    {
        if (together == FOUR) {
            add_fours(t, c, a, b, &w, pixels, begin);
        } else {
            add_twos(t, c, a, b, &w, pixels, together, begin);
        }
    }
    return w;
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

#endif
#endif
