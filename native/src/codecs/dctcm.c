/* SPDX-License-Identifier: Apache-2.0 */
/* A cosine transform over channels, masks, and what is not zero, after Shi et al. (arXiv 2106.12850):
 * docs/FORMAT.md. The transform loses; a map may pass it by and then does not. */
#include <string.h>

#include "edgefm_bytes.h"
#include "shared.h"
#include "engine/stream.h"

enum {
    BYPASS = 0,
    DCT = 1,
    DCT_WITH_ZEROS = 2,
    ORDERED = 1,
    AT_MODE = 0,
    AT_FLAGS = 1,
    AT_STEPS = 2,
    AT_ORDER = 10,
    SIZE = 8,
    LOG_STEP = 7,
    MOST_STEP = 9,
    MOST_ORDER = 7,
    LONGEST = 10
};

#define LARGEST (1u << 18) /* no coefficient's size, in 128ths of the smallest step, is above */

/* 64 times sqrt(8) / 2 of the 8-point cosine transform, in integers; rows are coefficients. */
static const int8_t matrix[SIZE][SIZE] = {
    {64, 64, 64, 64, 64, 64, 64, 64},     {89, 75, 50, 18, -18, -50, -75, -89}, {83, 36, -36, -83, -83, -36, 36, 83},
    {75, -18, -89, -50, 50, 89, 18, -75}, {64, -64, -64, 64, 64, -64, -64, 64}, {50, -89, 18, 75, -75, -18, 89, -50},
    {36, -83, 83, -36, -36, 83, -83, 36}, {18, -50, 75, -89, 89, -75, 50, -18},
};

static uint32_t channel(const efm_codec_args *args, uint32_t i)
{
    return args->tables[AT_FLAGS] & ORDERED ? efm_load_le16(args->tables + AT_ORDER + 2 * i) : i;
}

static efm_status check(const efm_codec_args *args)
{
    const uint8_t *t = args->tables;
    uint32_t good = args->tables_bytes >= AT_ORDER && t[AT_MODE] <= DCT_WITH_ZEROS && t[AT_FLAGS] <= ORDERED;

    good = good && args->tables_bytes - AT_ORDER == (t[AT_FLAGS] & ORDERED ? 2 * args->channels : 0);
    for (uint32_t k = 0; good && k < SIZE; k++) {
        uint32_t step = t[AT_STEPS + k] & 15u, order = t[AT_STEPS + k] >> 4;

        good = step <= MOST_STEP && order <= MOST_ORDER && (t[AT_MODE] != BYPASS || step + order == 0);
    }
    for (uint32_t i = 0; good && i < args->channels; i++) {
        good = channel(args, i) < args->channels;
    }
    return good ? EFM_OK : EFM_BAD_CODEC;
}

/* Eight values of a pixel, less the zero point; zeros past the last channel. */
static void gather(const efm_codec_args *args, const int8_t *pixel, uint32_t first, int32_t *x)
{
    for (uint32_t i = 0; i < SIZE; i++) {
        uint32_t c = first + i;

        x[i] = c < args->channels ? pixel[channel(args, c)] - args->zero_point : 0;
    }
}

static void scatter(const efm_codec_args *args, int8_t *pixel, uint32_t first, const int32_t *x)
{
    for (uint32_t i = 0; i < SIZE && first + i < args->channels; i++) {
        int32_t v = x[i] + args->zero_point;

        pixel[channel(args, first + i)] = (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
    }
}

/* Coefficients in steps, rounded down from 3/8 above a half step's distance. */
static void transform(const uint8_t *steps, const int32_t *x, int32_t *q)
{
    for (uint32_t k = 0; k < SIZE; k++) {
        uint32_t shift = LOG_STEP + (steps[k] & 15u), size;
        int32_t sum = 0;

        for (uint32_t i = 0; i < SIZE; i++) {
            sum += matrix[k][i] * x[i];
        }
        size = ((uint32_t)(sum < 0 ? -sum : sum) + (3u << (shift - 3))) >> shift;
        q[k] = sum < 0 ? -(int32_t)size : (int32_t)size;
    }
}

static void restore(const uint8_t *steps, const int32_t *q, int32_t *x)
{
    for (uint32_t i = 0; i < SIZE; i++) {
        int32_t sum = 1 << 14;

        for (uint32_t k = 0; k < SIZE; k++) {
            sum += matrix[k][i] * (q[k] * (1 << (LOG_STEP + (steps[k] & 15u))));
        }
        x[i] = (sum >= 0 ? sum : sum - 32767) / 32768;
    }
}

static uint32_t mask_of(const int32_t *v)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < SIZE; i++) {
        mask |= (uint32_t)(v[i] != 0) << (SIZE - 1 - i);
    }
    return mask;
}

/* A number above 0 as Exp-Golomb of the given order, then its sign. */
static void write_coefficient(efm_bits_out *out, int32_t q, uint32_t order)
{
    uint32_t v = (uint32_t)(q < 0 ? -q : q) - 1 + (1u << order);
    uint32_t bits = efm_log2(v);

    efm_bits_add(out, v << 1 | (q < 0), 2 * bits - order + 2);
}

/* In steps of 2^shift / 128; *bad when it is larger than any, and what comes back is not. */
static int32_t read_coefficient(efm_bits_in *in, uint32_t order, uint32_t shift, uint32_t *bad)
{
    uint32_t bits, v;

    efm_bits_fill(in);
    bits = efm_bits_zeros(in) + order;
    *bad |= bits > LONGEST;
    bits = bits > LONGEST ? LONGEST : bits;
    efm_bits_drop(in, bits - order + 1);
    efm_bits_fill(in);
    v = (1u << bits | efm_bits_take(in, bits)) - (1u << order) + 1;
    *bad |= v > (LARGEST >> shift);
    v = v > (LARGEST >> shift) ? 0 : v;
    efm_bits_fill(in);
    return efm_bits_take(in, 1) ? -(int32_t)v : (int32_t)v;
}

static void write_group(efm_bits_out *out, const efm_codec_args *args, const int32_t *x)
{
    const uint8_t *t = args->tables, *steps = t + AT_STEPS;
    int32_t q[SIZE];

    if (t[AT_MODE] == DCT) {
        transform(steps, x, q);
    } else {
        memcpy(q, x, sizeof q);
    }
    efm_bits_add(out, mask_of(q), SIZE);
    if (t[AT_MODE] == DCT_WITH_ZEROS && mask_of(x) != 0) {
        transform(steps, x, q);
        efm_bits_add(out, mask_of(q), SIZE);
    }
    for (uint32_t k = 0; k < SIZE; k++) {
        if (q[k] != 0 && t[AT_MODE] == BYPASS) {
            efm_bits_add(out, (uint32_t)(q[k] + args->zero_point) & 0xFFu, 8);
        } else if (q[k] != 0) {
            write_coefficient(out, q[k], steps[k] >> 4);
        }
    }
}

static void read_group(efm_bits_in *in, const efm_codec_args *args, int32_t *x, uint32_t *bad)
{
    const uint8_t *t = args->tables, *steps = t + AT_STEPS;
    uint32_t kept = 0xFF, mask;
    int32_t q[SIZE];

    efm_bits_fill(in);
    mask = efm_bits_take(in, SIZE);
    if (t[AT_MODE] == DCT_WITH_ZEROS) {
        kept = mask;
        mask = kept != 0 ? efm_bits_take(in, SIZE) : 0;
    }
    for (uint32_t k = 0; k < SIZE; k++) {
        q[k] = 0;
        if ((mask << k & 0x80u) && t[AT_MODE] == BYPASS) {
            efm_bits_fill(in);
            q[k] = efm_int8(efm_bits_take(in, 8)) - args->zero_point;
            *bad |= q[k] == 0;
        } else if (mask << k & 0x80u) {
            q[k] = read_coefficient(in, steps[k] >> 4, LOG_STEP + (steps[k] & 15u), bad);
        }
    }
    if (t[AT_MODE] == BYPASS) {
        memcpy(x, q, sizeof q);
    } else {
        restore(steps, q, x);
    }
    for (uint32_t i = 0; i < SIZE; i++) {
        x[i] = kept << i & 0x80u ? x[i] : 0;
    }
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    efm_bits_out out = efm_bits_room(code, capacity);

    for (uint32_t x = 0; x < args->width; x++, row += args->channels) {
        for (uint32_t c = 0; c < args->channels; c += SIZE) {
            int32_t group[SIZE];

            gather(args, row, c, group);
            write_group(&out, args, group);
        }
    }
    *bytes = efm_bits_close(&out, code);
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    efm_bits_in in = efm_bits_open(code, bytes);
    uint32_t bad = 0;

    memset(row, args->zero_point, args->width * args->channels); /* an order may leave channels out */
    for (uint32_t x = 0; x < args->width; x++, row += args->channels) {
        for (uint32_t c = 0; c < args->channels; c += SIZE) {
            int32_t group[SIZE];

            read_group(&in, args, group, &bad);
            scatter(args, row, c, group);
        }
    }
    return !bad && efm_bits_done(&in) ? EFM_OK : EFM_BAD_CODEC;
}

const efm_codec_class efm_codec_dctcm = {
    .id = EFM_CODEC_DCTCM,
    .check = check,
    .state_bytes = efm_no_state,
    .encode = encode,
    .decode = decode,
    .skip = efm_no_skip,
    .recall = efm_no_skip,
};
