/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for every processor. */
#include <string.h>

#include "edgefm_bytes.h"
#include "../fixed.h"

#define EFM_TARGET
#include "taps.h"

/* Four weight rows against two patches: each value that is loaded is used at least twice. */
static void dots_by_four(const int8_t *restrict x0, const int8_t *restrict x1, const int8_t *restrict const w[4],
                         uint32_t depth, int32_t *restrict sums0, int32_t *restrict sums1)
{
    const int8_t *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3];
    int32_t s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
    for (size_t k = 0; k < depth; k++) {
        s00 += x0[k] * w0[k];
        s01 += x0[k] * w1[k];
        s02 += x0[k] * w2[k];
        s03 += x0[k] * w3[k];
        s10 += x1[k] * w0[k];
        s11 += x1[k] * w1[k];
        s12 += x1[k] * w2[k];
        s13 += x1[k] * w3[k];
    }
    sums0[0] = s00, sums0[1] = s01, sums0[2] = s02, sums0[3] = s03;
    sums1[0] = s10, sums1[1] = s11, sums1[2] = s12, sums1[3] = s13;
}

void efm_portable_dots(const int8_t *x, uint32_t x_stride, uint32_t patches, const int8_t *w, uint32_t w_stride,
                       uint32_t rows, uint32_t depth, int32_t sums[EFM_DOT_PATCHES][EFM_DOT_ROWS])
{
    const int8_t *x1 = patches > 1 ? x + x_stride : x;
    for (uint32_t r = 0; r < rows; r += 4) {
        const int8_t *four[4];
        efm_four_rows(w, w_stride, r, rows, four);
        dots_by_four(x, x1, four, depth, sums[0] + r, sums[1] + r);
    }
}

/* efm_load_le32s that vectorizes: one plain load where the host is little-endian. */
static inline int32_t field(const uint8_t *fields, size_t i)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    int32_t v;
    memcpy(&v, fields + 4 * i, 4);
    return v;
#else
    return efm_load_le32s(fields + 4 * i);
#endif
}

/* efm_requant_twice for multiplier >= 0: then nothing saturates, and of the shifted product only
   bits 31 .. 62 are kept, so that a logical shift does (vector units lack the arithmetic one). */
static inline int32_t scale(int32_t v, int32_t multiplier, int32_t shift)
{
    int64_t product = (int64_t)efm_shift_left(v, shift > 0 ? shift : 0) * multiplier;
    uint32_t high = (uint32_t)((uint64_t)(product + (1 << 30)) >> 31);
    return efm_round_shift((int32_t)high, shift < 0 ? -shift : 0);
}

static inline int32_t biased(const efm_requant *how, int32_t sum, size_t c)
{
    return (int32_t)((uint32_t)sum + (uint32_t)field(how->bias, c));
}

static inline int8_t finish(const efm_requant *how, int32_t v)
{
    v = (int32_t)((uint32_t)v + (uint32_t)how->zero_point);
    return (int8_t)efm_clamp(v, how->act_min, how->act_max);
}

void efm_portable_taps(const int8_t *const *x, uint32_t count, const int8_t *w, int32_t w_zero, uint32_t channels,
                       int32_t *sums)
{
    taps(x, count, w, w_zero, channels, sums);
}

void efm_portable_requantize(const efm_requant *how, const int32_t *restrict sums, uint32_t first, uint32_t count,
                             int8_t *restrict out)
{
    const efm_requant q = *how; /* a copy that out cannot alias */
    if (q.rounding == 0) {
        for (size_t i = 0, c = first; i < count; i++, c++) {
            int32_t v = scale(biased(&q, sums[i], c), field(q.multiplier, c), (int8_t)q.shift[c]);
            out[i] = finish(&q, v);
        }
    } else {
        for (size_t i = 0, c = first; i < count; i++, c++) {
            int32_t v = efm_requant_once(biased(&q, sums[i], c), field(q.multiplier, c), (uint32_t)field(q.low, c),
                                         (int8_t)q.shift[c]);
            out[i] = finish(&q, v);
        }
    }
}

static int usable(void)
{
    return 1;
}

const efm_kernel efm_kernel_portable = {usable, efm_portable_dots, efm_portable_taps, efm_portable_requantize};
