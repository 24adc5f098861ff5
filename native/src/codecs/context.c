/* SPDX-License-Identifier: Apache-2.0 */
/* Predictive coding of int8 rows with adapting contexts: docs/FORMAT.md has every step.
 *
 * A value is predicted from its neighbors west, north, north-west and north-east in the same
 * channel, plus what the prediction of earlier channels of the same pixel missed. The expected
 * error picks the contexts of a binary range coder: "is it the zero point", the side, the distance
 * in steps of a power of two, and the rest as plain bits. */
#include <string.h>

#include "engine/context_model.h"

enum { ZERO_FLAG = 1, MAX_CROSS = 8 };

/* First probabilities of a one in 256ths: zero and below by relative height, another step by
   step. */
static const uint8_t first_zero[16] = {
    244, 240, 233, 222, 207, 188, 166, 140, 112, 83, 55, 32, 17, 9, 5, 4,
};
static const uint8_t first_below[8] = {40, 60, 80, 100, 112, 120, 124, 126};
static const uint8_t first_step[EFM_CONTEXT_STEPS] = {150, 120, 115, 112, 110, 110};

uint32_t efm_context_state_bytes(const efm_codec_args *args)
{
    return 2 * EFM_CONTEXT_COUNT + 5 * args->channels + args->width * args->channels;
}

efm_status efm_context_check(const efm_codec_args *args)
{
    const uint8_t *t = args->tables;
    const uint8_t *term;

    if (args->tables_bytes < EFM_CONTEXT_HEAD || args->channels > 0xFFFF) {
        return EFM_BAD_CODEC;
    }
    term = t + EFM_CONTEXT_HEAD;
    if (t[0] > ZERO_FLAG || t[1] > MAX_CROSS || args->tables_bytes - EFM_CONTEXT_HEAD != 2u * t[1] * args->channels) {
        return EFM_BAD_CODEC;
    }
    for (uint32_t c = 0; c < args->channels; c++) {
        for (uint32_t i = 0; i < t[1]; i++, term += 2) {
            if (term[0] > c || (term[0] == 0 && term[1] != 0)) {
                return EFM_BAD_CODEC;
            }
        }
    }
    return EFM_OK;
}

void efm_context_open(efm_context *m, const efm_codec_args *args, uint32_t odds)
{
    const uint8_t *t = args->tables;
    int32_t sum = efm_int8(t[8]) + efm_int8(t[9]) + efm_int8(t[10]) + efm_int8(t[11]);
    void *state = args->state;

    m->args = args;
    m->tables = t;
    m->terms = t[1];
    m->zero_flag = t[0] == ZERO_FLAG;
    m->lowest = m->zero_flag && args->zero_point == EFM_CONTEXT_LOW ? EFM_CONTEXT_LOW + 1 : EFM_CONTEXT_LOW;
    m->offset = args->zero_point * (64 - sum);
    m->average = state;
    m->surprise = (int16_t *)(m->average + args->channels);
    m->odds = m->average + 2 * args->channels;
    m->error = (uint8_t *)(m->odds + odds);
    m->above = (int8_t *)m->error + args->channels;
}

static uint32_t first_odds(uint32_t i)
{
    if (i < EFM_CONTEXT_ZERO_CONTEXTS) {
        return first_zero[i / 4];
    }
    i -= EFM_CONTEXT_ZERO_CONTEXTS;
    return i < EFM_CONTEXT_SIDE_CONTEXTS ? first_below[i / 16]
                                         : first_step[(i - EFM_CONTEXT_SIDE_CONTEXTS) % EFM_CONTEXT_STEPS];
}

void efm_context_forget_errors(const efm_context *m)
{
    for (uint32_t c = 0; c < m->args->channels; c++) {
        m->average[c] = (uint16_t)(m->args->tables[2] << 4);
        m->surprise[c] = 0;
    }
}

/* What was learned from the image, back to the beginning. */
static void forget(const efm_context *m)
{
    for (uint32_t i = 0; i < EFM_CONTEXT_COUNT; i++) {
        m->odds[i] = (uint16_t)(first_odds(i) << 8 | 0x80);
    }
    efm_context_forget_errors(m);
}

void efm_context_begin(efm_context *m, const efm_codec_args *args)
{
    efm_context_open(m, args, EFM_CONTEXT_COUNT);
    if (args->y == 0) {
        forget(m);
    }
    efm_context_begin_row(m);
}

void efm_context_begin_row(const efm_context *m)
{
    const efm_codec_args *args = m->args;

    if (args->y == 0) {
        memset(m->above, args->zero_point, args->channels);
    }
    for (uint32_t c = 0; c < args->channels; c++) {
        uint32_t usual_error = (uint32_t)m->average[c] >> 4;

        m->error[c] = (uint8_t)(usual_error < 255 ? usual_error : 255);
    }
}

void efm_context_end(const efm_context *m, const int8_t *row)
{
    memmove(m->above, row, m->args->width * m->args->channels);
}

void efm_context_skip(const efm_codec_args *args, const int8_t *row)
{
    efm_context m;

    efm_context_open(&m, args, EFM_CONTEXT_COUNT);
    forget(&m);
    efm_context_end(&m, row);
}

/* What is known of a pixel's channel c before it is coded; channels come in order. */
static inline efm_context_guess guess_value(const efm_context *m, const efm_context_around *a, uint32_t c,
                                            efm_context_survey *s)
{
    uint32_t i = c % EFM_CONTEXT_BLOCK, left = m->args->channels - c;

    if (i == 0) {
        efm_context_look(m, a, c, left < EFM_CONTEXT_BLOCK ? left : EFM_CONTEXT_BLOCK, s);
    }
    return efm_context_predict(m, c, s->near[i] + efm_context_missed(m, c), s->busy[i]);
}

/* A first step has the same odds on either side. */
static inline efm_context_firsts one_first(const efm_context *m, const efm_context_guess *g)
{
    efm_context_firsts both = {efm_context_step_odds(m, g), efm_context_step_odds(m, g)};

    return both;
}

void efm_context_read(efm_context *m, efm_range *k, int8_t *row, uint32_t *bad)
{
    uint32_t channels = m->args->channels;
    efm_range own = *k; /* in registers */
    efm_context_survey s;

    for (uint32_t x = 0; x < m->args->width; x++) {
        efm_context_around a = efm_context_look_around(m->args, m->above, row, x);

        for (uint32_t c = 0; c < channels; c++) {
            efm_context_guess g = guess_value(m, &a, c, &s);
            int32_t v = efm_context_read_value(&own, m, &g, one_first(m, &g), bad);

            row[x * channels + c] = (int8_t)v;
            efm_context_learn(m, c, s.near[c % EFM_CONTEXT_BLOCK], &g, v);
        }
    }
    *k = own;
}

void efm_context_write(efm_context *m, efm_range *k, const int8_t *row)
{
    uint32_t channels = m->args->channels;
    efm_range own = *k;
    efm_context_survey s;

    for (uint32_t x = 0; x < m->args->width; x++) {
        efm_context_around a = efm_context_look_around(m->args, m->above, row, x);

        for (uint32_t c = 0; c < channels; c++) {
            efm_context_guess g = guess_value(m, &a, c, &s);
            int32_t v = row[x * channels + c];

            efm_context_write_value(&own, m, &g, one_first(m, &g), v);
            efm_context_learn(m, c, s.near[c % EFM_CONTEXT_BLOCK], &g, v);
        }
    }
    *k = own;
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    efm_range k = efm_range_open(code, bytes);
    uint32_t bad = 0;
    efm_context m;

    efm_context_begin(&m, args);
    efm_context_read(&m, &k, row, &bad);
    efm_context_end(&m, row);
    return !bad && efm_range_spent(&k) ? EFM_OK : EFM_BAD_CODEC;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    efm_range k = efm_range_room(code, capacity);
    efm_context m;

    efm_context_begin(&m, args);
    efm_context_write(&m, &k, row);
    efm_context_end(&m, row);
    *bytes = efm_range_finish(&k);
}

static void recall(const efm_codec_args *args, const int8_t *row)
{
    efm_context m;

    efm_context_open(&m, args, EFM_CONTEXT_COUNT);
    memmove(m.above, row, args->width * args->channels);
}

const efm_codec_class efm_codec_context = {
    .id = EFM_CODEC_CONTEXT,
    .check = efm_context_check,
    .state_bytes = efm_context_state_bytes,
    .encode = encode,
    .decode = decode,
    .skip = efm_context_skip,
    .recall = recall,
};
