/* SPDX-License-Identifier: Apache-2.0 */
/* MATMUL: each pixel of the first map times each pixel of a row of the second, which is the same row or the only one. */
#include "operand.h"

enum { MULTIPLIER, SHIFT, CLAMP, PARAMS = CLAMP + 2 };
enum { DEPTH_MAX = 65535 }; /* products of two differences of int8 values that a sum holds modulo 2^32 */

static int32_t product(const efm_op_args *args, const int8_t *a, const int8_t *b)
{
    const int32_t a_zero = args->in[0].zero_point, b_zero = args->in[1].zero_point;
    uint32_t sum = 0;
    for (uint32_t c = 0; c < args->in[0].channels; c++) {
        sum += (uint32_t)((a[c] - a_zero) * (b[c] - b_zero));
    }
    return efm_requant_twice((int32_t)sum, efm_param(args, MULTIPLIER), efm_param(args, SHIFT));
}

static void matmul_pixel(const efm_op_args *args, const int8_t *a, const int8_t *b, int8_t *to)
{
    const efm_rows *out = &args->out[0];
    const int32_t low = efm_param(args, CLAMP) - out->zero_point, high = efm_param(args, CLAMP + 1) - out->zero_point;
    for (uint32_t c = 0; c < out->channels; c++) {
        to[c] = (int8_t)(efm_clamp(product(args, a, b + (size_t)c * args->in[1].pixel_stride), low, high)
                         + out->zero_point);
    }
}

static void need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    *low = *high = input == 1 && args->in[1].height == 1 ? 0 : y;
}

static void run(const efm_op_args *args)
{
    const efm_rows *a = &args->in[0], *b = &args->in[1], *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const int8_t *matrix = (const int8_t *)efm_row(b, b->height == 1 ? 0 : y);
        for (uint32_t x = 0; x < out->width; x++) {
            matmul_pixel(args, (const int8_t *)efm_row(a, y) + (size_t)x * a->pixel_stride, matrix,
                         (int8_t *)efm_row(out, y) + (size_t)x * out->pixel_stride);
        }
    }
}

static efm_status check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 2, 1, PARAMS) || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *a = &args->in[0], *b = &args->in[1], *out = &args->out[0];
    if (a->element != 1 || b->element != 1 || out->element != 1 || a->height != out->height || a->width != out->width
        || (b->height != 1 && b->height != out->height) || b->width != out->channels || a->channels != b->channels
        || a->channels > DEPTH_MAX || !efm_is_factor(args, MULTIPLIER) || !efm_is_clamp(args, CLAMP)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

const efm_op_class efm_op_matmul = {
    .id = EFM_OP_MATMUL, .flags = EFM_OP_SHARES, .check = check, .need = need, .run = run};
