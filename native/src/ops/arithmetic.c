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

enum { LEFT_SHIFT = 20 };

static void add_span(const efm_op_args *args, const efm_span *run)
{
    const efm_factor of_a = efm_factor_at(args, ADD_FIRST), of_b = efm_factor_at(args, ADD_SECOND),
                     of_sum = efm_factor_at(args, ADD_SUM);
    const int32_t a_sign = efm_param(args, ADD_FIRST + 2), b_sign = efm_param(args, ADD_SECOND + 2);
    const int32_t zero = args->out[0].zero_point, a_zero = run->a_zero, b_zero = run->b_zero;
    const int32_t low = efm_param(args, ADD_CLAMP) - zero, high = efm_param(args, ADD_CLAMP + 1) - zero;
    const int8_t *restrict a = run->a, *restrict b = run->b;
    int8_t *restrict out = run->out;
    const uint32_t elements = run->elements;
    for (uint32_t i = 0; i < elements; i++) {
        int32_t fine_a = efm_requant_twice((a[i] - a_zero) * (1 << LEFT_SHIFT), of_a.multiplier, of_a.shift);
        int32_t fine_b = efm_requant_twice((b[i] - b_zero) * (1 << LEFT_SHIFT), of_b.multiplier, of_b.shift);
        uint32_t sum = (uint32_t)fine_a * (uint32_t)a_sign + (uint32_t)fine_b * (uint32_t)b_sign;
        int32_t y = efm_requant_twice((int32_t)sum, of_sum.multiplier, of_sum.shift);
        out[i] = (int8_t)(efm_clamp(y, low, high) + zero);
    }
}

static void mul_span(const efm_op_args *args, const efm_span *run)
{
    const efm_factor of_product = efm_factor_at(args, MUL_FACTOR);
    const int32_t zero = args->out[0].zero_point, a_zero = run->a_zero, b_zero = run->b_zero;
    const int32_t low = efm_param(args, MUL_CLAMP) - zero, high = efm_param(args, MUL_CLAMP + 1) - zero;
    const int8_t *restrict a = run->a, *restrict b = run->b;
    int8_t *restrict out = run->out;
    const uint32_t elements = run->elements;
    for (uint32_t i = 0; i < elements; i++) {
        int32_t product = (a[i] - a_zero) * (b[i] - b_zero);
        int32_t y = efm_requant_twice(product, of_product.multiplier, of_product.shift);
        out[i] = (int8_t)(efm_clamp(y, low, high) + zero);
    }
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

const efm_op_class efm_op_add = {.id = EFM_OP_ADD, .check = add_check, .need = efm_pair_need, .run = add_rows};
const efm_op_class efm_op_mul = {.id = EFM_OP_MUL, .check = mul_check, .need = efm_pair_need, .run = mul_rows};
