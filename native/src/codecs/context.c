/* SPDX-License-Identifier: Apache-2.0 */
/* Predictive coding of int8 rows with adapting contexts: docs/FORMAT.md has every step.
 *
 * A value is predicted from its neighbours west, north, north-west and north-east in the same
 * channel, plus what the prediction of earlier channels of the same pixel missed. The expected
 * error picks the contexts of a binary range coder: "is it the zero point", the side, the distance
 * in steps of a power of two, and the rest as plain bits. */
#include <string.h>

#include "../bits.h"
#include "context.h"

enum {
    HEAD = 12,           /* bytes of the tables' fixed part */
    ZERO_FLAG = 1,
    MAX_CROSS = 8,
    SCALES = 18,         /* classes of expected error */
    STEPS = 6,           /* contexts of the distance's unary part */
    LONGEST = 16,        /* steps after which the distance follows as 8 bits */
    BLOCK = 8,           /* channels that are surveyed at a time */
    ZERO_CONTEXTS = 64, SIDE_CONTEXTS = 128,
    CONTEXTS = ZERO_CONTEXTS + SIDE_CONTEXTS + SCALES * STEPS,
    LOW = -128, HIGH = 127
};

/* First probabilities of a one in 256ths: zero and below by relative height, another step by
   step. */
static const uint8_t first_zero[16] = {
    244, 240, 233, 222, 207, 188, 166, 140, 112, 83, 55, 32, 17, 9, 5, 4,
};
static const uint8_t first_below[8] = {40, 60, 80, 100, 112, 120, 124, 126};
static const uint8_t first_step[STEPS] = {150, 120, 115, 112, 110, 110};

/* The pixels around one pixel. */
typedef struct around {
    const int8_t *w, *n, *nw, *ne;
} around;

/* What one value is expected to be. */
typedef struct guess {
    int32_t mean;      /* prediction, 1/64 */
    uint32_t scale;    /* class of the expected error */
    uint32_t height;   /* class of the distance to the lowest value */
} guess;

/* What the neighbours say of the next BLOCK channels: no cross terms yet. */
typedef struct survey {
    int16_t near[BLOCK];   /* prediction, 1/64 */
    uint16_t busy[BLOCK];  /* their part of the expected error, 1/8 */
} survey;

uint32_t efm_context_state_bytes(const efm_codec_args *args)
{
    return 2 * CONTEXTS + 5 * args->channels + args->width * args->channels;
}

efm_status efm_context_check(const efm_codec_args *args)
{
    const uint8_t *t = args->tables;
    const uint8_t *term;

    if (args->tables_bytes < HEAD || args->channels > 0xFFFF) {
        return EFM_BAD_CODEC;
    }
    term = t + HEAD;
    if (t[0] > ZERO_FLAG || t[1] > MAX_CROSS
        || args->tables_bytes - HEAD != 2u * t[1] * args->channels) {
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

static void open_model(efm_context *m, const efm_codec_args *args)
{
    const uint8_t *t = args->tables;
    int32_t sum = efm_int8(t[8]) + efm_int8(t[9]) + efm_int8(t[10]) + efm_int8(t[11]);
    void *state = args->state;

    m->args = args;
    m->tables = t;
    m->terms = t[1];
    m->zero_flag = t[0] == ZERO_FLAG;
    m->lowest = m->zero_flag && args->zero_point == LOW ? LOW + 1 : LOW;
    m->offset = args->zero_point * (64 - sum);
    m->average = state;
    m->surprise = (int16_t *)(m->average + args->channels);
    m->odds = m->average + 2 * args->channels;
    m->error = (uint8_t *)(m->odds + CONTEXTS);
    m->above = (int8_t *)m->error + args->channels;
    m->beside = 0;
    m->beside_above = 0;
    m->trust = 0;
}

static uint32_t first_odds(uint32_t i)
{
    if (i < ZERO_CONTEXTS) {
        return first_zero[i / 4];
    }
    i -= ZERO_CONTEXTS;
    return i < SIDE_CONTEXTS ? first_below[i / 16] : first_step[(i - SIDE_CONTEXTS) % STEPS];
}

/* What was learned from the image, back to the beginning. */
static void forget(const efm_context *m)
{
    for (uint32_t i = 0; i < CONTEXTS; i++) {
        m->odds[i] = (uint16_t)(first_odds(i) << 8 | 0x80);
    }
    for (uint32_t c = 0; c < m->args->channels; c++) {
        m->average[c] = (uint16_t)(m->args->tables[2] << 4);
        m->surprise[c] = 0;
    }
}

void efm_context_begin(efm_context *m, const efm_codec_args *args)
{
    open_model(m, args);
    if (args->y == 0) {
        forget(m);
        memset(m->above, args->zero_point, args->channels);
    }
    for (uint32_t c = 0; c < args->channels; c++) {
        uint32_t usual_error = (uint32_t)m->average[c] >> 4;

        m->error[c] = (uint8_t)(usual_error < 255 ? usual_error : 255);
    }
}

static around look_around(const efm_codec_args *args, const int8_t *above, const int8_t *row, uint32_t x)
{
    uint32_t c = args->channels;
    around a;

    a.w = x > 0 ? row + (x - 1) * c : above;
    a.n = args->y > 0 ? above + x * c : a.w;
    a.nw = args->y > 0 && x > 0 ? a.n - c : a.n;
    a.ne = args->y > 0 && x < args->width - 1 ? a.n + c : a.n;
    return a;
}

static inline int32_t clamp_mean(int32_t mean)
{
    return mean < LOW * 64 ? LOW * 64 : mean > HIGH * 64 + 63 ? HIGH * 64 + 63 : mean;
}

static inline uint32_t distance(int32_t a, int32_t b)
{
    return (uint32_t)(a < b ? b - a : a - b);
}

/* Two classes per octave: 0, 1, 2, 2, 4, 4, 5 ... that is 2 log2(v + 2) - 2, rounded down. */
static inline uint32_t half_octave(uint32_t v)
{
    uint32_t log = efm_log2(v + 2);

    return 2 * log - 2 + ((v + 2) >> (log - 1) & 1u);
}

/* What the neighbours say of channel c, 1/64. */
static inline int32_t near_of(const efm_context *m, const around *a, uint32_t c)
{
    const uint8_t *t = m->tables;

    return m->offset + efm_int8(t[8]) * a->w[c] + efm_int8(t[9]) * a->n[c] + efm_int8(t[10]) * a->nw[c]
           + efm_int8(t[11]) * a->ne[c];
}

static void look(const efm_context *m, const around *a, uint32_t first, uint32_t count, survey *s)
{
    const uint8_t *t = m->tables;
    int32_t tap_w = efm_int8(t[8]), tap_n = efm_int8(t[9]);
    int32_t tap_nw = efm_int8(t[10]), tap_ne = efm_int8(t[11]);
    uint32_t to_nw = t[5], to_ne = t[6];
    int32_t offset = m->offset;

    for (uint32_t i = 0; i < count; i++) {
        int32_t n = a->n[first + i], nw = a->nw[first + i], ne = a->ne[first + i];

        s->near[i] = (int16_t)clamp_mean(offset + tap_w * a->w[first + i] + tap_n * n
                                         + tap_nw * nw + tap_ne * ne);
        s->busy[i] = (uint16_t)((to_nw * distance(n, nw) + to_ne * distance(n, ne)) >> 3);
    }
}

/* As look(), and part of what the same prediction misses in the frame before. */
static void look_beside(const efm_context *m, const around *a, uint32_t x, uint32_t first, uint32_t count,
                        survey *s)
{
    const uint8_t *t = m->tables;
    around b = look_around(m->args, m->beside_above, m->beside, x);
    const int8_t *here = m->beside + x * m->args->channels;

    for (uint32_t i = first; i < first + count; i++) {
        int32_t n = a->n[i] - b.n[i], nw = a->nw[i] - b.nw[i], ne = a->ne[i] - b.ne[i];
        int32_t missed = here[i] * 64 - near_of(m, &b, i);

        s->near[i - first] = (int16_t)clamp_mean(near_of(m, a, i) + m->trust * missed / 64);
        s->busy[i - first] = (uint16_t)((t[5] * distance(n, nw) + t[6] * distance(n, ne)) >> 3);
    }
}

static inline guess predict(const efm_context *m, uint32_t c, int32_t near, uint32_t busy)
{
    const uint8_t *t = m->tables;
    const uint8_t *term = t + HEAD + c * 2 * m->terms; /* distance, weight */
    const int16_t *surprise = m->surprise + c;
    int32_t missed = 0;
    uint32_t height;
    uint32_t scale;
    guess g;

    for (uint32_t i = m->terms; i > 0; i--, term += 2) {
        missed += efm_int8(term[1]) * surprise[-(int32_t)term[0]];
    }
    g.mean = clamp_mean(near + missed / 64);
    height = (uint32_t)(g.mean - LOW * 64);
    scale = t[3] * (uint32_t)m->error[c] + t[4] * ((uint32_t)m->average[c] >> 4)
            + t[7] * (height >> 4);
    scale = half_octave((scale >> 5) + busy);
    g.scale = scale < SCALES ? scale : SCALES - 1;
    g.height = half_octave(height >> 3);
    return g;
}

static inline void learn(const efm_context *m, uint32_t c, int32_t near, const guess *g, int32_t v)
{
    uint32_t error = distance(v * 64, g->mean) >> 4;
    uint32_t average = m->average[c];

    m->surprise[c] = (int16_t)(v * 64 - near);
    m->error[c] = (uint8_t)(error < 255 ? error : 255);
    m->average[c] = (uint16_t)(average - (average >> 5) + (error >> 1));
}

/* The survey of the channels from c on, where a block begins. */
static inline void survey_block(const efm_context *m, const around *a, uint32_t x, uint32_t c, survey *s)
{
    uint32_t left = m->args->channels - c, count = left < BLOCK ? left : BLOCK;

    if (m->beside != 0) {
        look_beside(m, a, x, c, count, s);
    } else {
        look(m, a, c, count, s);
    }
}

/* What is known of pixel x's channel c before it is coded; channels come in order. */
static inline guess guess_value(const efm_context *m, const around *a, uint32_t x, uint32_t c, survey *s)
{
    uint32_t i = c % BLOCK;

    if (i == 0) {
        survey_block(m, a, x, c, s);
    }
    return predict(m, c, s->near[i], s->busy[i]);
}

/* g->height - g->scale + shift, kept in 0 .. top. */
static inline uint32_t relative(const guess *g, uint32_t shift, uint32_t top)
{
    uint32_t r = g->height + shift;

    r = r > g->scale ? r - g->scale : 0;
    return r < top ? r : top;
}

static inline uint16_t *zero_odds(const efm_context *m, const guess *g)
{
    uint32_t size = g->scale / 4 < 3 ? g->scale / 4 : 3;

    return m->odds + relative(g, 10, 15) * 4 + size;
}

static inline uint16_t *side_odds(const efm_context *m, const guess *g)
{
    uint32_t size = g->scale / 2 < 3 ? g->scale / 2 : 3;
    uint32_t part = (uint32_t)(g->mean - LOW * 64) >> 4 & 3u;

    return m->odds + ZERO_CONTEXTS + (relative(g, 4, 7) * 4 + size) * 4 + part;
}

/* Of the first step; each further one has its own, up to the last. */
static inline uint16_t *step_odds(const efm_context *m, const guess *g)
{
    return m->odds + ZERO_CONTEXTS + SIDE_CONTEXTS + g->scale * STEPS;
}

/* Bits of a distance below its steps. */
static inline uint32_t step_bits(const guess *g)
{
    return g->scale < 4 ? 0 : g->scale / 2 - 2;
}

/* The value from which the distance counts; both sides may occur when it is above the lowest. */
static inline int32_t centre(const efm_context *m, const guess *g)
{
    int32_t v = (g->mean - LOW * 64) / 64 + LOW;

    return v > m->lowest ? v : m->lowest;
}

static inline uint32_t read_distance(coder *k, const efm_context *m, const guess *g, uint32_t *bad)
{
    uint32_t bits = step_bits(g);
    uint32_t steps = 0;
    uint32_t value;

    for (uint16_t *odds = step_odds(m, g); steps < LONGEST && read_bit(k, odds); steps++) {
        odds += steps < STEPS - 1;
    }
    if (steps < LONGEST) {
        return steps << bits | read_plain(k, bits);
    }
    value = read_plain(k, 8);
    *bad |= value >> bits < LONGEST;
    return value;
}

static inline int32_t read_value(coder *k, const efm_context *m, const guess *g, uint32_t *bad)
{
    uint32_t below = 0;
    int32_t v = centre(m, g);
    int32_t d;

    if (m->zero_flag && read_bit(k, zero_odds(m, g))) {
        return m->args->zero_point;
    }
    if (v > m->lowest) {
        below = read_bit(k, side_odds(m, g));
    }
    d = (int32_t)read_distance(k, m, g, bad);
    v = below ? v - d - 1 : v + d;
    *bad |= v < LOW || v > HIGH || (m->zero_flag && v == m->args->zero_point);
    return v < LOW ? LOW : v > HIGH ? HIGH : v;
}

void efm_context_read(efm_context *m, coder *k, int8_t *row, uint32_t from, uint32_t to, uint32_t *bad)
{
    uint32_t channels = m->args->channels;
    coder own = *k; /* in registers */
    survey s;

    for (uint32_t x = from; x < to; x++) {
        around a = look_around(m->args, m->above, row, x);

        for (uint32_t c = 0; c < channels; c++) {
            guess g = guess_value(m, &a, x, c, &s);
            int32_t v = read_value(&own, m, &g, bad);

            row[x * channels + c] = (int8_t)v;
            learn(m, c, s.near[c % BLOCK], &g, v);
        }
    }
    *k = own;
}

static void write_distance(coder *k, const efm_context *m, const guess *g, uint32_t d)
{
    uint32_t bits = step_bits(g);
    uint32_t steps = d >> bits < LONGEST ? d >> bits : LONGEST;
    uint16_t *odds = step_odds(m, g);

    for (uint32_t i = 0; i < steps; i++) {
        write_bit(k, odds, 1);
        odds += i < STEPS - 1;
    }
    if (steps < LONGEST) {
        write_bit(k, odds, 0);
        write_plain(k, d & ((1u << bits) - 1), bits);
    } else {
        write_plain(k, d, 8);
    }
}

static void write_value(coder *k, const efm_context *m, const guess *g, int32_t v)
{
    int32_t middle = centre(m, g);

    if (m->zero_flag) {
        write_bit(k, zero_odds(m, g), v == m->args->zero_point);
        if (v == m->args->zero_point) {
            return;
        }
    }
    if (middle > m->lowest) {
        write_bit(k, side_odds(m, g), v < middle);
    }
    write_distance(k, m, g, (uint32_t)(v < middle ? middle - 1 - v : v - middle));
}

void efm_context_write(efm_context *m, coder *k, const int8_t *row, uint32_t from, uint32_t to)
{
    uint32_t channels = m->args->channels;
    coder own = *k; /* in registers */
    survey s;

    for (uint32_t x = from; x < to; x++) {
        around a = look_around(m->args, m->above, row, x);

        for (uint32_t c = 0; c < channels; c++) {
            guess g = guess_value(m, &a, x, c, &s);
            int32_t v = row[x * channels + c];

            write_value(&own, m, &g, v);
            learn(m, c, s.near[c % BLOCK], &g, v);
        }
    }
    *k = own;
}

void efm_context_misfits(const efm_context *m, const int8_t *row, uint32_t from, uint32_t to,
                         uint64_t misfits[EFM_CONTEXT_TRUSTS])
{
    uint32_t channels = m->args->channels;

    memset(misfits, 0, EFM_CONTEXT_TRUSTS * sizeof *misfits);
    for (uint32_t x = from; x < to; x++) {
        around a = look_around(m->args, m->above, row, x);
        around b = look_around(m->args, m->beside_above, m->beside, x);

        for (uint32_t c = 0; c < channels; c++) {
            int32_t near = near_of(m, &a, c), v = row[x * channels + c] * 64;
            int32_t missed = m->beside[x * channels + c] * 64 - near_of(m, &b, c);

            for (int32_t i = 0; i < EFM_CONTEXT_TRUSTS; i++) {
                misfits[i] += distance(v, clamp_mean(near + i * EFM_CONTEXT_TRUST_STEP * missed / 64));
            }
        }
    }
}

void efm_context_end(const efm_context *m, const int8_t *row)
{
    memmove(m->above, row, m->args->width * m->args->channels);
}

/* The row had no code: the decoder saw no contexts of it, so both sides start afresh. */
void efm_context_skip(const efm_codec_args *args, const int8_t *row)
{
    efm_context m;

    open_model(&m, args);
    forget(&m);
    efm_context_end(&m, row);
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes,
                         int8_t *row)
{
    coder k = open_code(code, bytes);
    uint32_t bad = 0;
    efm_context m;

    efm_context_begin(&m, args);
    efm_context_read(&m, &k, row, 0, args->width, &bad);
    efm_context_end(&m, row);
    return !bad && spent(&k) ? EFM_OK : EFM_BAD_CODEC;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity,
                   uint32_t *bytes)
{
    coder k = open_room(code, capacity);
    efm_context m;

    efm_context_begin(&m, args);
    efm_context_write(&m, &k, row, 0, args->width);
    efm_context_end(&m, row);
    *bytes = finish(&k);
}

const efm_codec_class efm_codec_context = {
    EFM_CODEC_CONTEXT, efm_context_check, efm_context_state_bytes, encode, decode, efm_context_skip,
};
