/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of packing ROWS, for a kernel that supplies the inner loops: `dots` of up to two pixels with up to
 * EFM_BLOCK rows of weights, and `requantize` of their sums. A kernel includes this with EFM_TARGET as its functions'
 * target attribute. */
#ifndef EFM_BY_ROWS_H
#define EFM_BY_ROWS_H

#include <stddef.h>
#include <string.h>

#include "kernel.h"
#include "table.h"

enum { EFM_BLOCK = 16, EFM_PAIR = 2 };

/* sums[p][r] += x[p] . w[r], r < rows <= EFM_BLOCK, of `count` bytes; w[r] begins at w + r * stride. Sums past `rows`,
   up to a multiple of four, may become anything. */
typedef void efm_dots(const int8_t *const x[EFM_PAIR], const int8_t *w, size_t stride, uint32_t rows, uint32_t count,
                      int32_t sums[EFM_PAIR][EFM_BLOCK]);

/* Channels first .. first + count - 1 of a pixel; sums and out begin at channel `first`. */
typedef void efm_requantize_function(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count,
                                     int8_t *out);

/* Weight rows r .. r + 3; the last row stands in for those past it. */
static inline void efm_four_rows(const int8_t *w, size_t stride, uint32_t r, uint32_t rows, const int8_t *four[4])
{
    for (uint32_t i = 0; i < 4; i++) {
        four[i] = w + (r + i < rows ? r + i : rows - 1) * stride;
    }
}

/* sum x * (w - zero) = sum x * w - zero * sum x */
static inline EFM_TARGET void efm_take_off_weight_zero(const efm_conv_call *call, uint32_t p, int32_t zero,
                                                       uint32_t rows, int32_t *sums)
{
    int32_t sum = 0;
    for (uint32_t run = 0; run < call->runs; run++) {
        const int8_t *x = call->in[p * call->runs + run];
        for (uint32_t k = 0; k < call->run_bytes; k++) {
            sum += x[k];
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        sums[r] = (int32_t)((uint32_t)sums[r] - (uint32_t)zero * (uint32_t)sum);
    }
}

static inline void efm_start_sums(const efm_conv_call *call, uint32_t p, uint32_t first, uint32_t rows, int32_t *sums)
{
    if (call->flags & EFM_SUMS_TAKE) {
        memcpy(sums, call->sums[p] + first, 4 * (size_t)rows);
    } else {
        memset(sums, 0, 4 * (size_t)EFM_BLOCK);
    }
}

/* Channels first .. first + rows - 1 of pixels p and, if `pair`, p + 1. */
static inline EFM_TARGET void efm_conv_block(const efm_conv_call *call, const efm_table *table, uint32_t p, uint32_t n,
                                             uint32_t first, uint32_t rows, efm_dots *dots,
                                             efm_requantize_function *requantize)
{
    int32_t sums[EFM_PAIR][EFM_BLOCK];
    for (uint32_t i = 0; i < n; i++) {
        efm_start_sums(call, p + i, first, rows, sums[i]);
    }
    const int8_t *w = call->tile.weights + (size_t)first * call->tile.depth;
    for (uint32_t run = 0; run < call->runs; run++, w += call->run_bytes) {
        const int8_t *x[EFM_PAIR] = {call->in[p * call->runs + run], call->in[(p + n - 1) * call->runs + run]};
        dots(x, w, call->tile.depth, rows, call->run_bytes, sums);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (table->weight_zero != 0) {
            efm_take_off_weight_zero(call, p + i, table->weight_zero, rows, sums[i]);
        }
        if (call->flags & EFM_SUMS_LEAVE) {
            memcpy(call->sums[p + i] + first, sums[i], 4 * (size_t)rows);
        } else {
            requantize(table, sums[i], first, rows, call->out[p + i] + first);
        }
    }
}

/* A block of weights serves all pixels before the next is read. */
static inline EFM_TARGET void efm_conv_by_rows(const efm_conv_call *call, efm_dots *dots,
                                               efm_requantize_function *requantize)
{
    efm_table table = efm_table_read(call->tile.table);
    if (call->flags & EFM_SUMS_TAKE) {
        table.flags &= ~(uint32_t)EFM_TABLE_PROVED; /* sums that are taken over may be anything */
    }
    for (uint32_t first = 0; first < call->tile.out; first += EFM_BLOCK) {
        uint32_t rows = call->tile.out - first < EFM_BLOCK ? call->tile.out - first : EFM_BLOCK;
        for (uint32_t p = 0; p < call->pixels; p += EFM_PAIR) {
            uint32_t n = call->pixels - p < EFM_PAIR ? call->pixels - p : EFM_PAIR;
            efm_conv_block(call, &table, p, n, first, rows, dots, requantize);
        }
    }
}

#endif
