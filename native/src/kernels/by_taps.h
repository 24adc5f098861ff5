/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE pixel by pixel, in C that compilers vectorize for any instruction set: sums of a pixel's channels are kept
 * in scratch, and behind them one pixel for padding and for channels that are repeated. A kernel includes this with
 * EFM_TARGET as its functions' target attribute. */
#ifndef EFM_BY_TAPS_H
#define EFM_BY_TAPS_H

#include "by_rows.h"

enum { EFM_TAPS = 9, EFM_TAPS_SCRATCH = 5 /* bytes per channel */ };

/* sums[c] += sum over t of x[t][c] * (w[t * channels + c] - w_zero) */
typedef void efm_taps(const int8_t *const *x, uint32_t taps, const int8_t *w, int32_t w_zero, uint32_t channels,
                      int32_t *sums);

/* Three taps in one pass over the sums, the usual width of a window. */
static inline EFM_TARGET void efm_taps_by_three(const int8_t *const *x, uint32_t taps, const int8_t *restrict w,
                                                int32_t w_zero, size_t channels, int32_t *restrict sums)
{
    for (; taps >= 3; taps -= 3, x += 3, w += 3 * channels) {
        const int8_t *restrict x0 = x[0], *restrict x1 = x[1], *restrict x2 = x[2];
        const int8_t *w1 = w + channels, *w2 = w1 + channels;
        for (size_t c = 0; c < channels; c++) {
            sums[c] += x0[c] * (w[c] - w_zero) + x1[c] * (w1[c] - w_zero) + x2[c] * (w2[c] - w_zero);
        }
    }
    for (; taps > 0; taps--, x++, w += channels) {
        const int8_t *restrict x0 = x[0];
        for (size_t c = 0; c < channels; c++) {
            sums[c] += x0[c] * (w[c] - w_zero);
        }
    }
}

/* What `taps` is where a kernel has nothing better. */
static inline EFM_TARGET void efm_any_taps(const int8_t *const *x, uint32_t taps, const int8_t *w, int32_t w_zero,
                                           uint32_t channels, int32_t *sums)
{
    if (w_zero == 0) { /* the common case, as a constant that compilers can fold */
        efm_taps_by_three(x, taps, w, 0, channels, sums);
    } else {
        efm_taps_by_three(x, taps, w, w_zero, channels, sums);
    }
}

typedef struct efm_pixel_sums {
    int32_t *sums; /* [out] */
    int8_t *pixel; /* [out]; holds padding unless the multiplier is above 1 */
} efm_pixel_sums;

/* The pixel under one tap with its channels repeated; `row` is null outside the map. */
static inline const int8_t *efm_tap(const efm_depthwise_call *call, const efm_pixel_sums *s, const int8_t *row,
                                    uint32_t x)
{
    const int8_t *from = row != 0 && x < call->in->width ? row + (size_t)x * call->in->pixel_stride : 0;
    if (call->multiplier == 1) {
        return from ? from : s->pixel;
    }
    for (uint32_t o = 0; o < call->tile.out; o++) {
        s->pixel[o] = from ? from[o / call->multiplier] : (int8_t)call->in->zero_point;
    }
    return s->pixel;
}

/* Adds the window of row r whose first pixel is `left`. */
static inline EFM_TARGET void efm_add_window(const efm_depthwise_call *call, const efm_pixel_sums *s, int32_t w_zero,
                                             uint32_t r, uint32_t left, efm_taps *taps)
{
    const int8_t *x[EFM_TAPS], *w = call->tile.weights;
    uint32_t most = call->multiplier == 1 ? EFM_TAPS : 1, n = 0;
    for (uint32_t i = 0; i < call->kernel_h; i++) {
        const int8_t *row = efm_depthwise_row(call, r, i);
        for (uint32_t j = 0; j < call->kernel_w; j++) {
            if (n == most) {
                taps(x, n, w, w_zero, call->tile.out, s->sums);
                w += (size_t)n * call->tile.out;
                n = 0;
            }
            x[n++] = efm_tap(call, s, row, left + j * call->dilation_w);
        }
    }
    taps(x, n, w, w_zero, call->tile.out, s->sums);
}

static inline EFM_TARGET void efm_depthwise_by_taps(const efm_depthwise_call *call, efm_taps *taps,
                                                    efm_requantize_function *requantize)
{
    const efm_table table = efm_table_read(call->tile.table);
    const efm_pixel_sums s = {(int32_t *)(void *)call->scratch, (int8_t *)call->scratch + 4 * (size_t)call->tile.out};
    memset(s.pixel, call->in->zero_point, call->tile.out);
    for (uint32_t r = 0; r < call->rows; r++) {
        int8_t *out = (int8_t *)efm_row(call->out, call->first + r);
        for (uint32_t x = 0; x < call->out->width; x++, out += call->out->pixel_stride) {
            memset(s.sums, 0, 4 * (size_t)call->tile.out);
            efm_add_window(call, &s, table.weight_zero, r, x * call->stride_w - call->pad_left, taps);
            requantize(&table, s.sums, 0, call->tile.out, out);
        }
    }
}

#endif
