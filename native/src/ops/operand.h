/* SPDX-License-Identifier: Apache-2.0 */
/* What operators share: reading parameters, refusing operands, walking pixels. */
#ifndef EFM_OPERAND_H
#define EFM_OPERAND_H

#include <string.h>

#include "edgefm_bytes.h"
#include "../fixed.h"
#include "op.h"

/* Parameter i; check() has made sure that it is there. */
static inline int32_t efm_param(const efm_op_args *args, uint32_t i)
{
    return efm_load_le32s(args->params + 4 * i);
}

static inline int efm_param_within(const efm_op_args *args, uint32_t i, int32_t low, int32_t high)
{
    return efm_param(args, i) >= low && efm_param(args, i) <= high;
}

static inline int efm_has_operands(const efm_op_args *args, uint32_t n_in, uint32_t n_out, uint32_t n_params)
{
    return args->n_in == n_in && args->n_out == n_out && args->n_params == n_params;
}

/* Parameters i, i + 1 are a fixed-point factor. */
int efm_is_factor(const efm_op_args *args, uint32_t i);

/* Parameters i, i + 1 are the int8 limits of a result, the lower one first. */
int efm_is_clamp(const efm_op_args *args, uint32_t i);

static inline int efm_same_shape(const efm_rows *a, const efm_rows *b)
{
    return a->height == b->height && a->width == b->width && a->channels == b->channels;
}

static inline uint32_t efm_pixel_bytes(const efm_rows *rows)
{
    return rows->channels * rows->element;
}

static inline uint32_t efm_row_bytes(const efm_rows *rows)
{
    return rows->width * efm_pixel_bytes(rows);
}

/* True when the pixels of a row lie side by side. */
static inline int efm_is_packed(const efm_rows *rows)
{
    return rows->pixel_stride == efm_pixel_bytes(rows) || rows->width == 1;
}

/* The need of an operator whose row y is made of input row y. */
void efm_need_same(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high);

#endif
