/* SPDX-License-Identifier: Apache-2.0 */
/* A window of rows of one feature map, as an operator sees it. */
#ifndef EFM_ROWS_H
#define EFM_ROWS_H

#include <stdint.h>

#include "config.h"

typedef struct efm_rows {
    uint8_t *base;         /* first element of slot 0 (a concat part's channel offset is already added) */
    uint32_t row_stride;   /* bytes from slot to slot */
    uint32_t capacity;     /* slots >= 1; row y is in slot y % capacity */
    uint32_t pixel_stride; /* bytes from pixel to pixel, >= channels * element */
    uint32_t height;       /* rows of the whole map */
    uint32_t width;        /* pixels of a row */
    uint32_t channels;     /* elements of a pixel */
    uint32_t element;      /* bytes of an element: 1, 4 or 8 */
    int32_t zero_point;    /* of int8 rows */
} efm_rows;

EFM_SHARED uint8_t *efm_row(const efm_rows *rows, uint32_t y)
{
    return rows->base + (y % rows->capacity) * rows->row_stride;
}

#endif
