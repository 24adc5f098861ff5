/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of `context`, `temporal` and `mix`: what a value is expected to be, and its decisions for the range
 * coder: docs/FORMAT.md has every step. */
#ifndef EFM_CONTEXT_H
#define EFM_CONTEXT_H

#include "../bits.h"
#include "lossless.h"
#include "range.h"

enum {
    CONTEXT_HEAD = 12,   /* bytes of the tables' fixed part */
    SCALES = 18,         /* classes of expected error */
    STEPS = 6,           /* contexts of the distance's unary part */
    LONGEST = 16,        /* steps after which the distance follows as 8 bits */
    BLOCK = 8,           /* channels that are surveyed at a time */
    ZERO_CONTEXTS = 64, SIDE_CONTEXTS = 128,
    CONTEXTS = ZERO_CONTEXTS + SIDE_CONTEXTS + SCALES * STEPS,
    LOW = -128, HIGH = 127
};

typedef struct context {
    const efm_codec_args *args;
    const uint8_t *tables;
    uint32_t terms;          /* earlier channels that a prediction uses */
    uint32_t zero_flag;
    int32_t lowest;          /* value left once the zero flag has been read */
    int32_t offset;          /* of every prediction, 1/64 */
    uint16_t *average;       /* [channels] of the error, 1/64 */
    int16_t *surprise;       /* [channels] this pixel's value - prediction from neighbours, 1/64 */
    uint16_t *odds;          /* [CONTEXTS] of a one, 1/65536 */
    uint8_t *error;          /* [channels] of the last pixel, 1/4 */
    int8_t *above;           /* [width][channels], the row before */
} context;

/* A codec's check and state_bytes for `tables` that are context's. */
efm_status efm_context_check(const efm_codec_args *args);
uint32_t efm_context_state_bytes(const efm_codec_args *args);

/* Begins row args->y; codes it, setting *bad where no encoder writes what is met; ends it; and goes on behind a row that had no code, from which the decoder saw no
   contexts, so that both sides start afresh. */
void efm_context_begin(context *m, const efm_codec_args *args);
void efm_context_read(context *m, coder *k, int8_t *row, uint32_t *bad);
void efm_context_write(context *m, coder *k, const int8_t *row);
void efm_context_end(const context *m, const int8_t *row);
void efm_context_skip(const efm_codec_args *args, const int8_t *row);

/* What begins a row, for a state with `odds` numbers of the caller's at m->odds: views of it; for row 0, and after
   a row stored as it is, errors forgotten; and what is as at every row. */
void efm_context_open(context *m, const efm_codec_args *args, uint32_t odds);
void efm_context_forget_errors(const context *m);
void efm_context_begin_row(const context *m);

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

/* Around pixel x of a row, of which the pixels before x are there, and the row above it. */
static inline around look_around(const efm_codec_args *args, const int8_t *above, const int8_t *row, uint32_t x)
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
static inline int32_t near_of(const context *m, const around *a, uint32_t c)
{
    const uint8_t *t = m->tables;

    return m->offset + efm_int8(t[8]) * a->w[c] + efm_int8(t[9]) * a->n[c] + efm_int8(t[10]) * a->nw[c]
           + efm_int8(t[11]) * a->ne[c];
}

/* For channels first .. first + count - 1. */
static inline void look(const context *m, const around *a, uint32_t first, uint32_t count, survey *s)
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

/* What the surprises of earlier channels say of channel c, 1/64. */
static inline int32_t missed_before(const context *m, uint32_t c)
{
    const uint8_t *term = m->tables + CONTEXT_HEAD + c * 2 * m->terms; /* distance, weight */
    const int16_t *surprise = m->surprise + c;
    int32_t missed = 0;

    for (uint32_t i = m->terms; i > 0; i--, term += 2) {
        missed += efm_int8(term[1]) * surprise[-(int32_t)term[0]];
    }
    return missed / 64;
}

static inline guess predict(const context *m, uint32_t c, int32_t mean, uint32_t busy)
{
    const uint8_t *t = m->tables;
    uint32_t height;
    uint32_t scale;
    guess g;

    g.mean = clamp_mean(mean);
    height = (uint32_t)(g.mean - LOW * 64);
    scale = t[3] * (uint32_t)m->error[c] + t[4] * ((uint32_t)m->average[c] >> 4)
            + t[7] * (height >> 4);
    scale = half_octave((scale >> 5) + busy);
    g.scale = scale < SCALES ? scale : SCALES - 1;
    g.height = half_octave(height >> 3);
    return g;
}

static inline void learn(const context *m, uint32_t c, int32_t near, const guess *g, int32_t v)
{
    uint32_t error = distance(v * 64, g->mean) >> 4;
    uint32_t average = m->average[c];

    m->surprise[c] = (int16_t)(v * 64 - near);
    m->error[c] = (uint8_t)(error < 255 ? error : 255);
    m->average[c] = (uint16_t)(average - (average >> 5) + (error >> 1));
}

/* g->height - g->scale + shift, kept in 0 .. top. */
static inline uint32_t relative(const guess *g, uint32_t shift, uint32_t top)
{
    uint32_t r = g->height + shift;

    r = r > g->scale ? r - g->scale : 0;
    return r < top ? r : top;
}

static inline uint16_t *zero_odds(const context *m, const guess *g)
{
    uint32_t size = g->scale / 4 < 3 ? g->scale / 4 : 3;

    return m->odds + relative(g, 10, 15) * 4 + size;
}

/* The fraction of a prediction, in quarters. */
static inline uint32_t part_of(const guess *g)
{
    return (uint32_t)(g->mean - LOW * 64) >> 4 & 3u;
}

static inline uint16_t *side_odds(const context *m, const guess *g)
{
    uint32_t size = g->scale / 2 < 3 ? g->scale / 2 : 3;

    return m->odds + ZERO_CONTEXTS + (relative(g, 4, 7) * 4 + size) * 4 + part_of(g);
}

/* Of the first step; each further one has its own, up to the last. */
static inline uint16_t *step_odds(const context *m, const guess *g)
{
    return m->odds + ZERO_CONTEXTS + SIDE_CONTEXTS + g->scale * STEPS;
}

/* Bits of a distance below its steps. */
static inline uint32_t step_bits(const guess *g)
{
    return g->scale < 4 ? 0 : g->scale / 2 - 2;
}

/* The value from which the distance counts; both sides may occur when it is above the lowest. */
static inline int32_t centre(const context *m, const guess *g)
{
    int32_t v = (g->mean - LOW * 64) / 64 + LOW;

    return v > m->lowest ? v : m->lowest;
}

/* Distances on either side; `first` has the odds of a first step below the centre and above it. */
typedef struct firsts {
    uint16_t *below, *above;
} firsts;

static inline uint32_t read_distance(coder *k, const context *m, const guess *g, uint16_t *first,
                                     uint32_t *bad)
{
    uint32_t bits = step_bits(g);
    uint32_t steps = 0;
    uint32_t value;

    for (uint16_t *odds = step_odds(m, g); steps < LONGEST && read_bit(k, steps == 0 ? first : odds); steps++) {
        odds += steps < STEPS - 1;
    }
    if (steps < LONGEST) {
        return steps << bits | read_plain(k, bits);
    }
    value = read_plain(k, 8);
    *bad |= value >> bits < LONGEST;
    return value;
}

static inline int32_t read_value(coder *k, const context *m, const guess *g, firsts first, uint32_t *bad)
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
    d = (int32_t)read_distance(k, m, g, below ? first.below : first.above, bad);
    v = below ? v - d - 1 : v + d;
    *bad |= v < LOW || v > HIGH || (m->zero_flag && v == m->args->zero_point);
    return v < LOW ? LOW : v > HIGH ? HIGH : v;
}

static inline void write_distance(coder *k, const context *m, const guess *g, uint16_t *first, uint32_t d)
{
    uint32_t bits = step_bits(g);
    uint32_t steps = d >> bits < LONGEST ? d >> bits : LONGEST;
    uint16_t *odds = step_odds(m, g);

    for (uint32_t i = 0; i < steps; i++) {
        write_bit(k, i == 0 ? first : odds, 1);
        odds += i < STEPS - 1;
    }
    if (steps < LONGEST) {
        write_bit(k, steps == 0 ? first : odds, 0);
        write_plain(k, d & ((1u << bits) - 1), bits);
    } else {
        write_plain(k, d, 8);
    }
}

static inline void write_value(coder *k, const context *m, const guess *g, firsts first, int32_t v)
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
    write_distance(k, m, g, v < middle ? first.below : first.above,
                   (uint32_t)(v < middle ? middle - 1 - v : v - middle));
}

#endif
