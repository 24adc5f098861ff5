/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of every operator: an entry in one const table. */
#ifndef EFM_OP_H
#define EFM_OP_H

#include <stdint.h>

#include "../config.h"
#include "../rows.h"
#include "list.h"
#include "edgefm_status.h"

/* One operator with its operands. For check() and need() the rows' base is not set yet. */
typedef struct efm_op_args {
    const uint8_t *params;   /* n_params little-endian i32, order as in FORMAT.md */
    uint32_t n_params;
    const uint8_t *weights;  /* the operator's weight section; any alignment; null where they come later */
    uint32_t weights_bytes;
    uint32_t packing;        /* of those weights: EFM_PACKING_* */
#if EFM_WITH_WEIGHT_CODES || EFM_HAS(SLICED)
    const int8_t *decoded;   /* where the weights are that are not behind their table, or null */
#endif
#if EFM_HAS(SLICED)
    uint32_t flags;          /* CONV: EFM_SUMS_* */
    const efm_rows *sums;    /* and where those lie, as the output's pixels do */
#endif
    const uint8_t *own;      /* or the tile in the kernel's own packing, where efm_model_prepare() made one */
    const efm_rows *in;      /* [n_in] */
    uint32_t n_in;
    const efm_rows *out;     /* [n_out] */
    uint32_t n_out;
    uint8_t *scratch;        /* 8-byte aligned; an accumulating operator's state lives here from its
                                first firing (first == 0) to its last */
    uint32_t scratch_bytes;
    uint32_t first;          /* first row to produce; accumulating operators: first input row to take */
    uint32_t count;          /* rows, >= 1 */
#if EFM_WITH_WORKERS
    uint32_t x, pixels;      /* CONV: as many pixels from x of the first row on, 0: all of the rows */
#endif
} efm_op_args;

enum {
    EFM_OP_ACCUMULATES = 1,
    EFM_OP_SHARES = 2, /* several threads may make rows of a firing: no value of a map says where anything lies */
    EFM_OP_LATE = 4    /* check() takes constants that are not there yet, null, and need() does without them */
};

typedef struct efm_op_class {
    uint8_t id;
    uint8_t flags;
    /* Refuses anything run() could not execute safely: operand counts, shapes, element sizes,
       parameter ranges, the exact size of the weight section, enough scratch. */
    efm_status (*check)(const efm_op_args *args);
    /* First and last row of input `input` that output row y needs (accumulating: that input row y
       of input 0 goes with). Clamped to [0, height - 1] and monotone in y. */
    void (*need)(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high);
    /* Produces rows first .. first + count - 1 of every output. An accumulating operator takes
       those input rows and writes its outputs when first + count reaches the input's height. */
    void (*run)(const efm_op_args *args);
} efm_op_class;

/* True while the constants are not there yet: check() is called again when they are. */
static inline int efm_comes_later(const efm_op_args *args)
{
    return EFM_WITH_WEIGHT_PORT && args->weights == 0;
}

/* The operator with this id, or null when it is unknown or switched off. */
const efm_op_class *efm_op_find(uint32_t id);

#endif
