/* SPDX-License-Identifier: Apache-2.0 */
/* L2_NORMALIZATION of the channels of a pixel. */
#include "operand.h"

enum { BEFORE, PARAMS };
enum { SHIFT = 7, CHANNELS_MAX = 1 << 15 };

/* 1 / sqrt(x) of x >= 0 (0 counts as 1) as m * 2^(shift - 31): five Newton steps in Q3.28. */
static int32_t inverse_root(int32_t x, int32_t *shift)
{
    *shift = 0;
    if (x <= 1) {
        return INT32_MAX;
    }
    int32_t right = 11;
    while (x >= 1 << 29) {
        x /= 4;
        right++;
    }
    while (x < 1 << 27) {
        x *= 4;
        right--;
    }
    const int32_t half = efm_round_shift(x >> 1, 1);
    int32_t y = 1 << 28;
    for (int i = 0; i < 5; i++) {
        int32_t cube = efm_shift_left_saturating(efm_multiply_high(efm_multiply_high(y, y), y), 6);
        y = efm_shift_left_saturating(efm_multiply_high(y, (1 << 28) + (1 << 27)) - efm_multiply_high(half, cube), 3);
    }
    y = efm_multiply_high(y, 1518500250); /* sqrt(2) / 2 */
    *shift = right > 0 ? -right : 0;
    return right < 0 ? efm_shift_left(y, -right) : y;
}

static void normalize_pixel(const efm_op_args *args, const int8_t *from, int8_t *to)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const int32_t before = efm_param(args, BEFORE);
    int32_t sum = 0, shift;
    for (uint32_t c = 0; c < in->channels; c++) {
        sum += (from[c] - in->zero_point) * (from[c] - in->zero_point);
    }
    const int32_t multiplier = inverse_root(sum, &shift);
    for (uint32_t c = 0; c < in->channels; c++) {
        int32_t x = (from[c] - in->zero_point) * (1 << before);
        int32_t y = efm_requant_twice(x, multiplier, shift + SHIFT - before);
        to[c] = (int8_t)(efm_clamp(y, -128 - out->zero_point, 127 - out->zero_point) + out->zero_point);
    }
}

static void run(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        for (uint32_t x = 0; x < in->width; x++) {
            normalize_pixel(args, (const int8_t *)efm_row(in, y) + (size_t)x * in->pixel_stride,
                            (int8_t *)efm_row(out, y) + (size_t)x * out->pixel_stride);
        }
    }
}

static efm_status check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, PARAMS) || args->weights_bytes != 0 || args->in[0].element != 1
        || args->out[0].element != 1 || !efm_same_shape(&args->in[0], &args->out[0])
        || args->in[0].channels > CHANNELS_MAX || !efm_param_within(args, BEFORE, 0, SHIFT)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

const efm_op_class efm_op_l2_normalization = {
    .id = EFM_OP_L2_NORMALIZATION, .check = check, .need = efm_need_same, .run = run};
