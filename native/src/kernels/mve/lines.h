/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of DEPTHWISE, in assembly. Columns of the input lie in scratch as [column][group][16 channels][4
 * rows]: a word is what a channel has in four rows of a column, and one instruction gathers the words of four columns
 * and another adds 16 products with a channel's weights, which lie in the same way. Rows and columns that a window
 * does not have meet weights of zero. */
#ifndef EFM_MVE_LINES_H
#define EFM_MVE_LINES_H

#include "mve.h"

enum {
    EFM_MVE_CHANNELS = 16, /* of a group of rows: a vector of bytes */
    EFM_MVE_ROWS = 4,
    EFM_MVE_GROUP_BYTES = EFM_MVE_CHANNELS * EFM_MVE_ROWS,
    EFM_MVE_FEW = 3, /* times that the assembly gathers words for a window, at most */
    EFM_MVE_MOST = 9 /* that anything does */
};

/* What becomes columns: up to four rows of up to 16 channels. The assembly knows every offset, here and below. */
typedef struct efm_mve_columns {
    const int8_t *row[EFM_MVE_ROWS];
    uint32_t step[EFM_MVE_ROWS]; /* bytes to the next column; 0 where a row repeats its pixel */
    uint8_t *to;
    uint32_t to_step;            /* bytes */
    uint32_t count;              /* columns, > 0 */
    uint32_t channels;           /* bytes that are read of each pixel */
} efm_mve_columns;

void efm_mve_three_rows(const efm_mve_columns *columns); /* the fourth row is anything */
void efm_mve_four_rows(const efm_mve_columns *columns);

typedef struct efm_mve_channel {
    int32_t bias, multiplier;
    int32_t shift;  /* < 0 */
    uint32_t input; /* where its words are in a column's group */
} efm_mve_channel;

/* Four or more pixels of a row, of several channels. */
typedef struct efm_mve_line {
    const uint8_t *columns;      /* the first pixel's first */
    const uint8_t *weights;      /* of the first channel, in the column before the first of a window: zeros */
    const efm_mve_channel *channels, *end;
    int8_t *out;
    uint32_t fours, rest;        /* pixels: four times the one, and 0 .. 3; fours > 0 */
    uint32_t out_step;           /* bytes to the next pixel */
    uint32_t column_step;        /* bytes from a pixel's first column to the next one's */
    int32_t zero_point, low, high;
    uint32_t lanes[EFM_MVE_LANES]; /* 0, 1, 2, 3 times out_step */
    struct {
        uint32_t x[EFM_MVE_LANES]; /* where words of a window are, from its first column */
        uint32_t w[EFM_MVE_LANES]; /* and their weights, from `weights` */
    } words[EFM_MVE_MOST];
} efm_mve_line;

/* Each takes line->weights and line->out on by its channels. */
void efm_mve_line_of_pairs(efm_mve_line *line); /* 3 columns of a group of rows, and the next pixel's are one on */
void efm_mve_line_by_two(efm_mve_line *line);   /* words[0] alone, and the next pixel's columns are two on */
void efm_mve_line_of_few(efm_mve_line *line);   /* words[0 .. 2] */

#endif
