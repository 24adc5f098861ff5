/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and MUL. */
#include "pair.h"

enum {
    ADD_FIRST = EFM_PAIR_PARAMS,
    ADD_SECOND = ADD_FIRST + 3,
    ADD_SUM = ADD_SECOND + 3,
    ADD_CLAMP = ADD_SUM + 2,
    ADD_PARAMS = ADD_CLAMP + 2,
    MUL_FACTOR = ADD_FIRST,
    MUL_CLAMP = MUL_FACTOR + 2,
    MUL_PARAMS = MUL_CLAMP + 2
};

/* Little work is left here where the processor's own kernels do most of it. */
#if EFM_ELEMENTS_VECTORS || EFM_ELEMENTS_DSP
static __attribute__((noinline)) int32_t scaled(int32_t x, const efm_factor *factor)
#else
static int32_t scaled(int32_t x, const efm_factor *factor)
#endif
{
    return efm_requant_twice(x, factor->multiplier, factor->shift);
}

static uint32_t fine(const efm_operand *operand, uint32_t i)
{
    int32_t v = (operand->at[i] - operand->zero) * (1 << EFM_LEFT_SHIFT);
    return (uint32_t)scaled(v, &operand->factor) * (uint32_t)operand->sign;
}

static void finish(const efm_elements *run, uint32_t i, int32_t v)
{
    v = scaled(v, &run->factor);
    run->out[i] = (int8_t)(efm_clamp(v, run->low - run->zero, run->high - run->zero) + run->zero);
}

static void add_elements(const efm_elements *run)
{
    const efm_elements r = *run;
    for (uint32_t i = efm_add_fast(run); i < r.count; i++) {
        finish(&r, i, (int32_t)(fine(&r.a, i) + fine(&r.b, i)));
    }
}

static void mul_elements(const efm_elements *run)
{
    const efm_elements r = *run;
    for (uint32_t i = efm_mul_fast(run); i < r.count; i++) {
        finish(&r, i, (r.a.at[i] - r.a.zero) * (r.b.at[i] - r.b.zero));
    }
}

/* The factor and the clamp are those of the operator's parameters from `factor` and `clamp` on. */
static efm_elements elements_of(const efm_op_args *args, const efm_span *span, uint32_t factor, uint32_t clamp)
{
    efm_elements run = {.a = {.at = span->a, .zero = span->a_zero},
                        .b = {.at = span->b, .zero = span->b_zero},
                        .out = span->out,
                        .count = span->elements,
                        .factor = efm_factor_at(args, factor),
                        .zero = args->out[0].zero_point,
                        .low = efm_param(args, clamp),
                        .high = efm_param(args, clamp + 1)};
    return run;
}

static void add_span(const efm_op_args *args, const efm_span *span)
{
    efm_elements run = elements_of(args, span, ADD_SUM, ADD_CLAMP);
    run.a.factor = efm_factor_at(args, ADD_FIRST);
    run.a.sign = efm_param(args, ADD_FIRST + 2);
    run.b.factor = efm_factor_at(args, ADD_SECOND);
    run.b.sign = efm_param(args, ADD_SECOND + 2);
    add_elements(&run);
}

static void mul_span(const efm_op_args *args, const efm_span *span)
{
    efm_elements run = elements_of(args, span, MUL_FACTOR, MUL_CLAMP);
    mul_elements(&run);
}

static int is_sign(const efm_op_args *args, uint32_t i)
{
    return efm_param(args, i) == 1 || efm_param(args, i) == -1;
}

static efm_status add_check(const efm_op_args *args)
{
    if (!efm_pair_fits(args, ADD_PARAMS, 0) || !efm_is_factor(args, ADD_FIRST) || !is_sign(args, ADD_FIRST + 2)
        || !efm_is_factor(args, ADD_SECOND) || !is_sign(args, ADD_SECOND + 2) || !efm_is_factor(args, ADD_SUM)
        || !efm_is_clamp(args, ADD_CLAMP)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static efm_status mul_check(const efm_op_args *args)
{
    if (!efm_pair_fits(args, MUL_PARAMS, 0) || !efm_is_factor(args, MUL_FACTOR) || !efm_is_clamp(args, MUL_CLAMP)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static void add_rows(const efm_op_args *args)
{
    efm_pair_rows(args, add_span, 0);
}

static void mul_rows(const efm_op_args *args)
{
    efm_pair_rows(args, mul_span, 0);
}

const efm_op_class efm_op_add = {
    .id = EFM_OP_ADD, .flags = EFM_OP_SHARES | EFM_OP_LATE, .check = add_check, .need = efm_pair_need, .run = add_rows};
const efm_op_class efm_op_mul = {
    .id = EFM_OP_MUL, .flags = EFM_OP_SHARES | EFM_OP_LATE, .check = mul_check, .need = efm_pair_need, .run = mul_rows};
