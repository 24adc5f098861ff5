/* SPDX-License-Identifier: Apache-2.0 */
/* What MEAN and AVERAGE_POOL share. Sums lie in memory that a broken package may share with rows: any value is
 * possible, and additions wrap. */
#ifndef EFM_SUMS_H
#define EFM_SUMS_H

#include "../kernels/elements.h"
#include "operand.h"

enum { EFM_CELLS_MAX = 1 << 22 }; /* sums of that many values, less a zero point each, fit 31 bits */

/* Adds pixels x0 .. x1 - 1 of row y to the channels' sums. */
void efm_sum_pixels(const efm_rows *in, uint32_t y, uint32_t x0, uint32_t x1, int32_t *sums);

/* A sum of `count` values, made one that it can be. */
static inline int32_t efm_possible_sum(int32_t raw, int32_t count)
{
    return efm_clamp(raw, -128 * count, 127 * count);
}

/* Divides sums by their pixels, which makes bytes: rounded half up, or half away from zero. */
void efm_divide_sums(const efm_sums *run, int up);

#endif
