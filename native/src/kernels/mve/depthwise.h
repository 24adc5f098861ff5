/* SPDX-License-Identifier: Apache-2.0 */
/* What a DEPTHWISE call knows of its window, of the channels at hand, and of where they lie in scratch. */
#ifndef EFM_MVE_DEPTHWISE_H
#define EFM_MVE_DEPTHWISE_H

#include "lines.h"

enum { EFM_MVE_PARTS = 3 };

/* How a window becomes words. */
typedef struct efm_mve_window {
    uint32_t groups;  /* of four rows */
    uint32_t column;  /* bytes */
    uint32_t vectors; /* of four words, for one part of its weights */
    uint32_t reach;   /* columns */
} efm_mve_window;

typedef struct efm_mve_job {
    const efm_depthwise_call *call;
    efm_table table;
    efm_mve_window window;
    uint32_t pixels;          /* of a piece */
    uint8_t *weights;         /* columns of zeros, of the window, of zeros, and of the window's other parts */
    uint8_t *columns;
    uint32_t first, channels; /* output channels at hand */
    uint32_t input, inputs;   /* input channels of theirs */
    int32_t short_formula;    /* the assembly's will do for all of them */
    efm_mve_channel channel[EFM_MVE_CHANNELS];
    uint32_t low[EFM_MVE_CHANNELS];
    uint32_t vectors;         /* line.words that their windows have */
    efm_mve_line line;
} efm_mve_job;

static inline uint32_t efm_smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Columns that `pixels` side by side see. */
static inline uint32_t efm_mve_columns_of(const efm_depthwise_call *call, const efm_mve_window *w, uint32_t pixels)
{
    return (pixels - 1) * call->stride_w + w->reach;
}

/* Most parts of weights less their zero point: a difference may be more than a byte. */
static inline uint32_t efm_mve_parts_of(const efm_table *table)
{
    return table->weight_zero == 0 ? 1 : EFM_MVE_PARTS;
}

/* Where the words of a window, and their weights, are: j->line.words. */
void efm_mve_set_words(efm_mve_job *j);

/* The weights of the channels at hand; how many parts of them are not all zero. */
uint32_t efm_mve_lay_out_weights(const efm_mve_job *j);

/* What the piece from output pixel x on sees of output row r, counted from the call's first. */
void efm_mve_lay_out_columns(const efm_mve_job *j, uint32_t r, uint32_t x);

#endif
