/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and MUL of an int8 map and a second operand: a map, a pixel, or a constant. */
#include "operand.h"

enum {
    KIND,
    CONSTANT_ZERO,
    ADD_FIRST,
    ADD_SECOND = ADD_FIRST + 3,
    ADD_SUM = ADD_SECOND + 3,
    ADD_CLAMP = ADD_SUM + 2,
    ADD_PARAMS = ADD_CLAMP + 2,
    MUL_FACTOR = ADD_FIRST,
    MUL_CLAMP = MUL_FACTOR + 2,
    MUL_PARAMS = MUL_CLAMP + 2
};

/* What the second operand is: a stream of the same shape, a stream of one pixel, one constant per
   channel, a whole constant map. */
enum { OF_MAP, OF_PIXEL, OF_CHANNELS, OF_CONSTANT_MAP };

enum { LEFT_SHIFT = 20 };

typedef struct factor {
    int32_t multiplier;
    int32_t shift;
} factor;

/* Elements side by side in both operands and in the result. */
typedef struct span {
    const int8_t *a;
    const int8_t *b;
    int8_t *out;
    uint32_t elements;
    int32_t a_zero;
    int32_t b_zero;
} span;

typedef void span_function(const efm_op_args *args, const span *run);

static factor factor_at(const efm_op_args *args, uint32_t i)
{
    factor f = {efm_param(args, i), efm_param(args, i + 1)};
    return f;
}

static void add_span(const efm_op_args *args, const span *run)
{
    const factor of_a = factor_at(args, ADD_FIRST), of_b = factor_at(args, ADD_SECOND),
                 of_sum = factor_at(args, ADD_SUM);
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

static void mul_span(const efm_op_args *args, const span *run)
{
    const factor of_product = factor_at(args, MUL_FACTOR);
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

/* Row y of the second operand, and the bytes from one of its pixels to the next. */
static const int8_t *second_row(const efm_op_args *args, uint32_t y, uint32_t *stride)
{
    const efm_rows *out = &args->out[0];
    switch (efm_param(args, KIND)) {
    case OF_MAP:
        *stride = args->in[1].pixel_stride;
        return (const int8_t *)efm_row(&args->in[1], y);
    case OF_PIXEL:
        *stride = 0;
        return (const int8_t *)efm_row(&args->in[1], 0);
    case OF_CHANNELS:
        *stride = 0;
        return (const int8_t *)args->weights;
    default:
        *stride = out->channels;
        return (const int8_t *)args->weights + (size_t)y * efm_row_bytes(out);
    }
}

static void run_rows(const efm_op_args *args, span_function *function)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const int of_stream = efm_param(args, KIND) <= OF_PIXEL;
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        uint32_t b_stride, pixels = out->width;
        span run = {(const int8_t *)efm_row(in, y),
                    second_row(args, y, &b_stride),
                    (int8_t *)efm_row(out, y),
                    out->channels,
                    in->zero_point,
                    of_stream ? args->in[1].zero_point : efm_param(args, CONSTANT_ZERO)};
        if (efm_is_packed(in) && efm_is_packed(out) && b_stride == out->channels) {
            run.elements *= pixels;
            pixels = 1;
        }
        for (uint32_t x = 0; x < pixels; x++) {
            function(args, &run);
            run.a += in->pixel_stride;
            run.b += b_stride;
            run.out += out->pixel_stride;
        }
    }
}

static int second_fits(const efm_op_args *args)
{
    const efm_rows *out = &args->out[0], *b = &args->in[1];
    switch (efm_param(args, KIND)) {
    case OF_MAP:
        return args->n_in == 2 && args->weights_bytes == 0 && b->element == 1 && efm_same_shape(b, out);
    case OF_PIXEL:
        return args->n_in == 2 && args->weights_bytes == 0 && b->element == 1 && b->height == 1 && b->width == 1
               && b->channels == out->channels;
    case OF_CHANNELS:
        return args->n_in == 1 && args->weights_bytes == out->channels;
    case OF_CONSTANT_MAP:
        return args->n_in == 1 && args->weights_bytes % efm_row_bytes(out) == 0
               && args->weights_bytes / efm_row_bytes(out) == out->height;
    default:
        return 0;
    }
}

static int operands_fit(const efm_op_args *args, uint32_t n_params)
{
    return args->n_in >= 1 && args->n_out == 1 && args->n_params == n_params && args->in[0].element == 1
           && args->out[0].element == 1 && efm_same_shape(&args->in[0], &args->out[0])
           && efm_param_within(args, CONSTANT_ZERO, -128, 127) && second_fits(args);
}

static int is_sign(const efm_op_args *args, uint32_t i)
{
    return efm_param(args, i) == 1 || efm_param(args, i) == -1;
}

static efm_status add_check(const efm_op_args *args)
{
    if (!operands_fit(args, ADD_PARAMS) || !efm_is_factor(args, ADD_FIRST) || !is_sign(args, ADD_FIRST + 2)
        || !efm_is_factor(args, ADD_SECOND) || !is_sign(args, ADD_SECOND + 2) || !efm_is_factor(args, ADD_SUM)
        || !efm_is_clamp(args, ADD_CLAMP)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static efm_status mul_check(const efm_op_args *args)
{
    if (!operands_fit(args, MUL_PARAMS) || !efm_is_factor(args, MUL_FACTOR) || !efm_is_clamp(args, MUL_CLAMP)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static void need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    *low = *high = input == 1 && efm_param(args, KIND) == OF_PIXEL ? 0 : y;
}

static void add_rows(const efm_op_args *args)
{
    run_rows(args, add_span);
}

static void mul_rows(const efm_op_args *args)
{
    run_rows(args, mul_span);
}

const efm_op_class efm_op_add = {.id = EFM_OP_ADD, .check = add_check, .need = need, .run = add_rows};
const efm_op_class efm_op_mul = {.id = EFM_OP_MUL, .check = mul_check, .need = need, .run = mul_rows};
