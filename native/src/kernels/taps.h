/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels' taps() in C that compilers vectorize for any instruction set. A kernel includes it
 * with EFM_TARGET as its functions' target attribute. */
#include <stddef.h>

#include "kernel.h"

/* Three taps in one pass over the sums, the usual width of a window. */
static inline EFM_TARGET void taps_by(const int8_t *const *x, uint32_t taps, const int8_t *restrict w, int32_t w_zero,
                                      size_t channels, int32_t *restrict sums)
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

static EFM_TARGET void taps(const int8_t *const *x, uint32_t taps, const int8_t *w, int32_t w_zero, uint32_t channels,
                            int32_t *sums)
{
    if (w_zero == 0) { /* the common case, as a constant that compilers can fold */
        taps_by(x, taps, w, 0, channels, sums);
    } else {
        taps_by(x, taps, w, w_zero, channels, sums);
    }
}
