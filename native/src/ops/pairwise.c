/* SPDX-License-Identifier: Apache-2.0 */
/* PRELU, EXTREME, SQUARED_DIFFERENCE and DIV. */
#include "pair.h"

enum {
    FIRST = EFM_PAIR_PARAMS,
    SECOND = FIRST + 2,
    PRELU_PARAMS = SECOND + 2,
    EXTREME_PARAMS = FIRST + 1,
    OF_SQUARE = SECOND + 2,
    DIFFERENCE_PARAMS = OF_SQUARE + 2,
    DIV_CLAMP = FIRST + 2,
    DIV_PARAMS = DIV_CLAMP + 2
};

enum { DIFFERENCE_SHIFT = 7, RECIPROCALS_BYTES = 1024 };

static int32_t scaled(int32_t x, efm_factor by)
{
    return efm_requant_twice(x, by.multiplier, by.shift);
}

/* `y`, a result less the output's zero point, as int8. */
static int8_t stored(const efm_op_args *args, int32_t y)
{
    const int32_t zero = args->out[0].zero_point;
    return (int8_t)(efm_clamp(y, -128 - zero, 127 - zero) + zero);
}

/* -- PRELU: a factor from zero on, one for the product with the slope below ----------------------- */

static void prelu_span(const efm_op_args *args, const efm_span *run)
{
    const efm_factor above = efm_factor_at(args, FIRST), below = efm_factor_at(args, SECOND);
    for (uint32_t i = 0; i < run->elements; i++) {
        int32_t x = run->a[i] - run->a_zero;
        run->out[i] = stored(args, x >= 0 ? scaled(x, above) : scaled(x * (run->b[i] - run->b_zero), below));
    }
}

static void prelu_rows(const efm_op_args *args)
{
    efm_pair_rows(args, prelu_span, 0);
}

static efm_status prelu_check(const efm_op_args *args)
{
    return efm_pair_fits(args, PRELU_PARAMS, 0) && efm_is_factor(args, FIRST) && efm_is_factor(args, SECOND)
               ? EFM_OK
               : EFM_BAD_OPERATOR;
}

/* -- EXTREME: the larger of two stored values, or the smaller ------------------------------------- */

static void extreme_span(const efm_op_args *args, const efm_span *run)
{
    const int smaller = efm_param(args, FIRST) != 0;
    for (uint32_t i = 0; i < run->elements; i++) {
        run->out[i] = (run->a[i] < run->b[i]) == smaller ? run->a[i] : run->b[i];
    }
}

static void extreme_rows(const efm_op_args *args)
{
    efm_pair_rows(args, extreme_span, 0);
}

static efm_status extreme_check(const efm_op_args *args)
{
    return efm_pair_fits(args, EXTREME_PARAMS, 0) && efm_param_within(args, FIRST, 0, 1) ? EFM_OK : EFM_BAD_OPERATOR;
}

/* -- SQUARED_DIFFERENCE --------------------------------------------------------------------------- */

static void difference_span(const efm_op_args *args, const efm_span *run)
{
    const efm_factor of_a = efm_factor_at(args, FIRST), of_b = efm_factor_at(args, SECOND),
                     of_square = efm_factor_at(args, OF_SQUARE);
    for (uint32_t i = 0; i < run->elements; i++) {
        uint32_t a = (uint32_t)scaled((run->a[i] - run->a_zero) * (1 << DIFFERENCE_SHIFT), of_a);
        uint32_t b = (uint32_t)scaled((run->b[i] - run->b_zero) * (1 << DIFFERENCE_SHIFT), of_b);
        run->out[i] = stored(args, scaled((int32_t)((a - b) * (a - b)), of_square));
    }
}

static void difference_rows(const efm_op_args *args)
{
    efm_pair_rows(args, difference_span, 0);
}

static efm_status difference_check(const efm_op_args *args)
{
    return efm_pair_fits(args, DIFFERENCE_PARAMS, 0) && efm_is_factor(args, FIRST) && efm_is_factor(args, SECOND)
                   && efm_is_factor(args, OF_SQUARE)
               ? EFM_OK
               : EFM_BAD_OPERATOR;
}

/* -- DIV: the weight section begins with 2^(31 + n) / d for d = 0 .. 255 of n + 1 bits ------------ */

/* Bits of x >= 0 below and with its first one. */
static int32_t bits_of(int32_t x)
{
    int32_t bits = 0;
    while (bits < 31 && x >> bits != 0) {
        bits++;
    }
    return bits;
}

static int32_t quotient(const efm_op_args *args, int32_t a, int32_t b, efm_factor by)
{
    if (b < 0) {
        a = -a;
        b = -b;
    }
    int32_t room = 31 - bits_of(a < 0 ? ~a : a);
    int32_t fine = efm_multiply_high(efm_shift_left(a, room), efm_load_le32s(args->weights + 4 * b));
    int32_t shift = efm_clamp(bits_of(b) - 1 + room - by.shift, 0, 31);
    return efm_round_shift(efm_multiply_high(fine, by.multiplier), shift);
}

static void div_span(const efm_op_args *args, const efm_span *run)
{
    const efm_factor by = efm_factor_at(args, FIRST);
    const int32_t zero = args->out[0].zero_point;
    const int32_t low = efm_param(args, DIV_CLAMP) - zero, high = efm_param(args, DIV_CLAMP + 1) - zero;
    for (uint32_t i = 0; i < run->elements; i++) {
        int32_t b = run->b[i] - run->b_zero;
        int32_t y = b == 0 ? 0 : quotient(args, run->a[i] - run->a_zero, b, by);
        run->out[i] = (int8_t)(efm_clamp(y, low, high) + zero);
    }
}

static void div_rows(const efm_op_args *args)
{
    efm_pair_rows(args, div_span, RECIPROCALS_BYTES);
}

static efm_status div_check(const efm_op_args *args)
{
    return efm_pair_fits(args, DIV_PARAMS, RECIPROCALS_BYTES) && efm_is_factor(args, FIRST)
                   && efm_is_clamp(args, DIV_CLAMP)
               ? EFM_OK
               : EFM_BAD_OPERATOR;
}

const efm_op_class efm_op_prelu = {.id = EFM_OP_PRELU,
                                   .flags = EFM_OP_SHARES | EFM_OP_LATE,
                                   .check = prelu_check,
                                   .need = efm_pair_need,
                                   .run = prelu_rows};
const efm_op_class efm_op_extreme = {.id = EFM_OP_EXTREME,
                                     .flags = EFM_OP_SHARES | EFM_OP_LATE,
                                     .check = extreme_check,
                                     .need = efm_pair_need,
                                     .run = extreme_rows};
const efm_op_class efm_op_squared_difference = {.id = EFM_OP_SQUARED_DIFFERENCE,
                                                .flags = EFM_OP_SHARES | EFM_OP_LATE,
                                                .check = difference_check,
                                                .need = efm_pair_need,
                                                .run = difference_rows};
const efm_op_class efm_op_div = {
    .id = EFM_OP_DIV, .flags = EFM_OP_LATE, .check = div_check, .need = efm_pair_need, .run = div_rows};
