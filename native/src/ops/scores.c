/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX and ARGMAX: what the channels of a pixel are to each other. */
#include "operand.h"

enum { TABLE_BYTES = 4 * 256, CHANNELS_MAX = 4096 };

static int8_t largest(const int8_t *pixel, uint32_t channels, uint32_t *index)
{
    *index = 0;
    for (uint32_t c = 1; c < channels; c++) {
        if (pixel[c] > pixel[*index]) {
            *index = c;
        }
    }
    return pixel[*index];
}

/* e to the power of a difference to the largest, Q0.31. No value is larger, unless a broken package has
   results overwrite values that are still to come. */
static int32_t exponential(const uint8_t *table, int32_t largest, int8_t value)
{
    return efm_load_le32s(table + 4 * (largest > value ? largest - value : 0));
}

/* 1 / (1 + x), x >= 0, both Q0.31: gemmlowp's three Newton steps on half the denominator. */
static int32_t reciprocal(int32_t x)
{
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t y = 1515870810 + efm_multiply_high(half, -1010580540); /* 48/17 - 32/17 x, Q2.29 */
    for (int i = 0; i < 3; i++) {
        int32_t error = (1 << 29) - efm_multiply_high(half, y);
        y += efm_shift_left_saturating(efm_multiply_high(y, error), 2);
    }
    return efm_shift_left_saturating(y, 1);
}

static void softmax_pixel(const uint8_t *table, const int8_t *from, int8_t *to, uint32_t channels)
{
    uint32_t index, sum = 0; /* Q12.19, from 2^18 to 2^31 */
    const int32_t top = largest(from, channels, &index);
    for (uint32_t c = 0; c < channels; c++) {
        sum += (uint32_t)efm_round_shift(exponential(table, top, from[c]), 12);
    }
    int32_t bits = 0; /* sum is in [2^(bits - 1), 2^bits) */
    while ((uint64_t)sum >> bits != 0) {
        bits++;
    }
    const int32_t scale = reciprocal((int32_t)((sum << (32 - bits)) & INT32_MAX));
    for (uint32_t c = 0; c < channels; c++) {
        int64_t share = efm_multiply_high(scale, exponential(table, top, from[c]));
        int32_t steps = (int32_t)((share + ((int64_t)1 << (bits + 2))) >> (bits + 3));
        to[c] = (int8_t)efm_clamp(steps - 128, -128, 127);
    }
}

static void softmax_rows(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const int8_t *from = (const int8_t *)efm_row(in, y);
        int8_t *to = (int8_t *)efm_row(out, y);
        for (uint32_t x = 0; x < in->width; x++) {
            softmax_pixel(args->weights, from + (size_t)x * in->pixel_stride, to + (size_t)x * out->pixel_stride,
                          in->channels);
        }
    }
}

/* The largest value's exponential keeps every sum above 0, the channels keep it within 32 bits. */
static efm_status softmax_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, 0) || args->in[0].element != 1 || args->out[0].element != 1
        || !efm_same_shape(&args->in[0], &args->out[0]) || args->in[0].channels > CHANNELS_MAX
        || args->weights_bytes != TABLE_BYTES || efm_load_le32s(args->weights) < 1 << 30) {
        return EFM_BAD_OPERATOR;
    }
    for (uint32_t i = 0; i < TABLE_BYTES; i += 4) {
        if (efm_load_le32s(args->weights + i) < 0) {
            return EFM_BAD_OPERATOR;
        }
    }
    return EFM_OK;
}

static void argmax_rows(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const int8_t *from = (const int8_t *)efm_row(in, y);
        uint8_t *to = efm_row(out, y);
        for (uint32_t x = 0; x < in->width; x++) {
            uint32_t index;
            (void)largest(from + (size_t)x * in->pixel_stride, in->channels, &index);
            memset(to, 0, out->element);
            efm_store_le32(to, index);
            to += out->element;
        }
    }
}

static efm_status argmax_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, 0) || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (in->element != 1 || out->element < 4 || out->height != in->height || out->width != 1
        || out->channels != in->width) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

const efm_op_class efm_op_softmax = {
    .id = EFM_OP_SOFTMAX, .check = softmax_check, .need = efm_need_same, .run = softmax_rows};
const efm_op_class efm_op_argmax = {
    .id = EFM_OP_ARGMAX, .check = argmax_check, .need = efm_need_same, .run = argmax_rows};
