/* SPDX-License-Identifier: Apache-2.0 */
/* What operators of an int8 map and a second operand have in common: a map, a pixel, or a constant, told by parameters
 * 0 and 1. */
#ifndef EFM_PAIR_H
#define EFM_PAIR_H

#include "../kernels/elements.h"
#include "operand.h"

enum { EFM_PAIR_PARAMS = 2 };

/* Elements side by side in both operands and in the result. */
typedef struct efm_span {
    const int8_t *a;
    const int8_t *b;
    int8_t *out;
    uint32_t elements;
    int32_t a_zero;
    int32_t b_zero;
} efm_span;

typedef void efm_span_function(const efm_op_args *args, const efm_span *run);

static inline efm_factor efm_factor_at(const efm_op_args *args, uint32_t i)
{
    efm_factor f = {efm_param(args, i), efm_param(args, i + 1)};
    return f;
}

/* The operators' run(). The weight section begins with `head` bytes of the operator's own; constants follow. */
void efm_pair_rows(const efm_op_args *args, efm_span_function *function, uint32_t head);

/* Whether the operands fit each other, the number of parameters, and the size of the weight section. */
int efm_pair_fits(const efm_op_args *args, uint32_t n_params, uint32_t head);

/* The operators' need(). */
void efm_pair_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high);

#endif
