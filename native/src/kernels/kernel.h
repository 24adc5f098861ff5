/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of convolution, once per instruction set; all give the same bits. */
#ifndef EFM_KERNEL_H
#define EFM_KERNEL_H

#include <stdint.h>

#include "../config.h"

enum {
    EFM_DOT_PATCHES = 2,  /* most patches of one dots() */
    EFM_DOT_ROWS = 16,    /* most weight rows of one dots() */
    EFM_TAPS = 9,         /* most taps of one taps() */
    EFM_DEPTH_MAX = 65535 /* products in one int32 sum: 65535 * 128 * 255 < 2^31 */
};

/* How sums become int8: clamp(zero_point + scale(sum + bias)), per channel. The arrays hold one
   little-endian field per channel of the operator, at any alignment. */
typedef struct efm_requant {
    const uint8_t *bias;       /* i32 */
    const uint8_t *multiplier; /* i32, >= 0 */
    const uint8_t *shift;      /* i8, EFM_SHIFT_MIN .. EFM_SHIFT_MAX */
    const uint8_t *low;        /* u32, only when rounding is 1 */
    int32_t rounding;          /* 0: efm_requant_twice, 1: efm_requant_once */
    int32_t zero_point;
    int32_t act_min;
    int32_t act_max;
} efm_requant;

typedef struct efm_kernel {
    /* Whether the processor has what the other functions use. */
    int (*usable)(void);
    /* sums[p][r] = x[p] . w[r] for p < patches <= EFM_DOT_PATCHES, r < rows <= EFM_DOT_ROWS; the
       other sums hold anything. x[p] begins at x + p * x_stride, w[r] at w + r * w_stride. */
    void (*dots)(const int8_t *x, uint32_t x_stride, uint32_t patches, const int8_t *w, uint32_t w_stride,
                 uint32_t rows, uint32_t depth, int32_t sums[EFM_DOT_PATCHES][EFM_DOT_ROWS]);
    /* sums[c] += sum over t of x[t][c] * (w[t * channels + c] - w_zero); taps <= EFM_TAPS. */
    void (*taps)(const int8_t *const *x, uint32_t taps, const int8_t *w, int32_t w_zero, uint32_t channels,
                 int32_t *sums);
    /* Channels first .. first + count - 1 of one pixel; sums and out begin at channel `first`. */
    void (*requantize)(const efm_requant *how, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out);
} efm_kernel;

/* Weight rows r .. r + 3; the last row stands in for those past it. */
static inline void efm_four_rows(const int8_t *w, uint32_t w_stride, uint32_t r, uint32_t rows, const int8_t *four[4])
{
    for (uint32_t i = 0; i < 4; i++) {
        four[i] = w + (r + i < rows ? r + i : rows - 1) * w_stride;
    }
}

/* Functions of the portable kernel by name: one that calls some of them does not bring the others along. */
void efm_portable_dots(const int8_t *x, uint32_t x_stride, uint32_t patches, const int8_t *w, uint32_t w_stride,
                       uint32_t rows, uint32_t depth, int32_t sums[EFM_DOT_PATCHES][EFM_DOT_ROWS]);
void efm_portable_taps(const int8_t *const *x, uint32_t taps, const int8_t *w, int32_t w_zero, uint32_t channels,
                       int32_t *sums);
void efm_portable_requantize(const efm_requant *how, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out);

extern const efm_kernel efm_kernel_portable;
extern const efm_kernel efm_kernel_x86;
extern const efm_kernel efm_kernel_dsp;

/* The best kernel of this build for the processor that runs it. */
const efm_kernel *efm_kernel_choose(void);

#endif
