/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX, LOG_SOFTMAX and ARGMAX: what the channels of a pixel are to each other. */
#include "../kernels/elements.h"
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

/* The same, wherever it is: a vector of channels is compared with those behind it. */
static int8_t largest_of(const int8_t *pixel, uint32_t channels)
{
    enum { SIDE = 16 };
    int8_t most[SIDE], top = pixel[0];
    if (!EFM_ELEMENTS_VECTORS) {
        uint32_t index;
        return largest(pixel, channels, &index);
    }
    memset(most, top, sizeof most);
    uint32_t done = efm_max_fast(most, pixel, SIDE, channels / SIDE, SIDE) == SIDE ? channels / SIDE * SIDE : 0;
    for (uint32_t i = 0; i < SIDE; i++) {
        top = most[i] > top ? most[i] : top;
    }
    for (; done < channels; done++) {
        top = pixel[done] > top ? pixel[done] : top;
    }
    return top;
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

/* Bits of x below and with its first one. */
static int32_t bits_of(uint32_t x)
{
    int32_t bits = 0;
    while ((uint64_t)x >> bits != 0) {
        bits++;
    }
    return bits;
}

/* The exponentials of the differences to `top`, added up: Q12.19, from 2^18 to 2^31. */
static uint32_t sum_of(const uint8_t *table, const int8_t *from, uint32_t channels, int32_t top)
{
    uint32_t sum = 0;
    uint32_t c = efm_exponentials_fast(table, from, top, channels, &sum);
    for (; !EFM_ELEMENTS_DSP && c < channels; c++) { /* those do all */
        sum += (uint32_t)efm_round_shift(exponential(table, top, from[c]), EFM_EXPONENTIAL_SHIFT);
    }
    return sum;
}

static void softmax_pixel(const uint8_t *table, const int8_t *from, int8_t *to, uint32_t channels)
{
    const int32_t top = largest_of(from, channels);
    const uint32_t sum = sum_of(table, from, channels, top);
    const int32_t bits = bits_of(sum); /* sum is in [2^(bits - 1), 2^bits) */
    const int32_t scale = reciprocal((int32_t)((sum << (32 - bits)) & INT32_MAX));
    const int32_t shift = bits < 29 ? bits + 3 : 32; /* shares have 31 bits */
    const efm_shares run = {table, from, to, channels, top, scale, shift};
    for (uint32_t c = efm_shares_fast(&run); c < channels; c++) {
        int32_t share = efm_multiply_high(scale, exponential(table, top, from[c]));
        int32_t steps = ((share >> (shift - 1)) + 1) >> 1;
        to[c] = (int8_t)efm_clamp(steps - 128, -128, 127);
    }
}

/* The natural logarithm of x, 2^18 <= x < 2^31, Q12.19 to Q5.26: a power of two times a number near a fourth root of a
 * half, whose logarithm is a rational function. */
static int32_t logarithm(int32_t x)
{
    enum { ROOT = 1518500250, FOURTH_ROOT = 1805811301, QUARTER = 1 << 23 };
    const int32_t bits = bits_of((uint32_t)x), low_bits = bits_of((uint32_t)efm_multiply_high(x, ROOT));
    const int32_t near = efm_shift_left_saturating(efm_multiply_high(x << (31 - bits), ROOT), 1);
    const int32_t far = efm_shift_left_saturating(x, 31 - low_bits);
    const int32_t near_power = (bits - 20) * (1 << 25) + QUARTER, far_power = (low_bits - 19) * (1 << 25) - QUARTER;
    const int32_t r = near < far ? near : far, power = near_power > far_power ? near_power : far_power;
    const int32_t p = (int32_t)(((int64_t)r + FOURTH_ROOT + 1) >> 1), q = 2 * (r - FOURTH_ROOT);
    const int32_t square = efm_multiply_high(q, q);
    const int32_t above = efm_multiply_high(q, r) + efm_multiply_high(efm_multiply_high(q, square), 117049297);
    const int32_t below =
        efm_multiply_high(p, 1057819769 + q + efm_multiply_high(square, 127690142)) + efm_multiply_high(q, 638450708);
    const int32_t fraction = efm_multiply_high(efm_round_shift(above, 6), reciprocal(below));
    return efm_shift_left_saturating(efm_multiply_high(power, 1488522236) + fraction, 1); /* log 2 */
}

static void log_softmax_pixel(const uint8_t *table, const int8_t *from, int8_t *to, uint32_t channels)
{
    const int32_t top = largest_of(from, channels);
    const int32_t sum = logarithm((int32_t)(sum_of(table, from, channels, top) & INT32_MAX));
    for (uint32_t c = 0; c < channels; c++) {
        int64_t y = (int64_t)exponential(table + TABLE_BYTES, top, from[c]) - sum;
        to[c] = (int8_t)(efm_clamp(y < INT32_MIN ? -512 : efm_round_shift((int32_t)y, 22), -255, 0) + 127);
    }
}

typedef void pixel_function(const uint8_t *table, const int8_t *from, int8_t *to, uint32_t channels);

static void run_pixels(const efm_op_args *args, pixel_function *function)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const int8_t *from = (const int8_t *)efm_row(in, y);
        int8_t *to = (int8_t *)efm_row(out, y);
        for (uint32_t x = 0; x < in->width; x++) {
            function(args->weights, from + (size_t)x * in->pixel_stride, to + (size_t)x * out->pixel_stride,
                     in->channels);
        }
    }
}

static void softmax_rows(const efm_op_args *args)
{
    run_pixels(args, softmax_pixel);
}

static void log_softmax_rows(const efm_op_args *args)
{
    run_pixels(args, log_softmax_pixel);
}

/* The largest value's exponential keeps every sum above 0, the channels keep it within 32 bits. */
static efm_status check_exponentials(const uint8_t *table)
{
    if (efm_load_le32s(table) < 1 << 30) {
        return EFM_BAD_OPERATOR;
    }
    for (uint32_t i = 0; i < TABLE_BYTES; i += 4) {
        if (efm_load_le32s(table + i) < 0) {
            return EFM_BAD_OPERATOR;
        }
    }
    return EFM_OK;
}

static efm_status check_tables(const efm_op_args *args, uint32_t tables)
{
    if (!efm_has_operands(args, 1, 1, 0) || args->in[0].element != 1 || args->out[0].element != 1
        || !efm_same_shape(&args->in[0], &args->out[0]) || args->in[0].channels > CHANNELS_MAX + 1 - tables
        || args->weights_bytes != tables * TABLE_BYTES) {
        return EFM_BAD_OPERATOR;
    }
    return efm_comes_later(args) ? EFM_OK : check_exponentials(args->weights);
}

static efm_status softmax_check(const efm_op_args *args)
{
    return check_tables(args, 1);
}

/* A sum that a broken package's memory makes too small or too large gives any logarithm. */
static efm_status log_softmax_check(const efm_op_args *args)
{
    return check_tables(args, 2);
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
    .id = EFM_OP_SOFTMAX, .flags = EFM_OP_LATE, .check = softmax_check, .need = efm_need_same, .run = softmax_rows};
const efm_op_class efm_op_log_softmax = {.id = EFM_OP_LOG_SOFTMAX,
                                         .flags = EFM_OP_LATE,
                                         .check = log_softmax_check,
                                         .need = efm_need_same,
                                         .run = log_softmax_rows};
const efm_op_class efm_op_argmax = {
    .id = EFM_OP_ARGMAX, .check = argmax_check, .need = efm_need_same, .run = argmax_rows};
