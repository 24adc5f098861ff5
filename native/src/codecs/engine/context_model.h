/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of `context`, `temporal` and `mix`: what a value is expected to be, and its decisions for the range
 * coder: docs/FORMAT.md has every step. */
#ifndef EFM_CONTEXT_MODEL_H
#define EFM_CONTEXT_MODEL_H

#include "../../bits.h"
#include "../shared.h"
#include "range_coder.h"

enum {
    EFM_CONTEXT_HEAD = 12,   /* bytes of the tables' fixed part */
    EFM_CONTEXT_SCALES = 18,         /* classes of expected error */
    EFM_CONTEXT_STEPS = 6,           /* contexts of the distance's unary part */
    EFM_CONTEXT_LONGEST = 16,        /* steps after which the distance follows as 8 bits */
    EFM_CONTEXT_BLOCK = 8,           /* channels that are surveyed at a time */
    EFM_CONTEXT_ZERO_CONTEXTS = 64,
    EFM_CONTEXT_SIDE_CONTEXTS = 128,
    EFM_CONTEXT_COUNT = EFM_CONTEXT_ZERO_CONTEXTS + EFM_CONTEXT_SIDE_CONTEXTS + EFM_CONTEXT_SCALES * EFM_CONTEXT_STEPS,
    EFM_CONTEXT_LOW = -128,
    EFM_CONTEXT_HIGH = 127
};

typedef struct efm_context {
    const efm_codec_args *args;
    const uint8_t *tables;
    uint32_t terms;          /* earlier channels that a prediction uses */
    uint32_t zero_flag;
    int32_t lowest;          /* value left once the zero flag has been read */
    int32_t offset;          /* of every prediction, 1/64 */
    uint16_t *average;       /* [channels] of the error, 1/64 */
    int16_t *surprise;       /* [channels] this pixel's value - prediction from neighbors, 1/64 */
    uint16_t *odds;          /* [EFM_CONTEXT_COUNT] of a one, 1/65536 */
    uint8_t *error;          /* [channels] of the last pixel, 1/4 */
    int8_t *above;           /* [width][channels], the row before */
} efm_context;

/* A codec's check and state_bytes for `tables` that are context's. */
efm_status efm_context_check(const efm_codec_args *args);
uint32_t efm_context_state_bytes(const efm_codec_args *args);

/* A row is begun, read or written, and ended. Reading sets *bad for a code that no encoder writes. After a row that
   has no code, call the last: the decoder saw no contexts in it, so both sides reset theirs. */
void efm_context_begin(efm_context *m, const efm_codec_args *args);
void efm_context_read(efm_context *m, efm_range *k, int8_t *row, uint32_t *bad);
void efm_context_write(efm_context *m, efm_range *k, const int8_t *row);
void efm_context_end(const efm_context *m, const int8_t *row);
void efm_context_skip(const efm_codec_args *args, const int8_t *row);

/* What begins a row, for a state with `odds` numbers of the caller's at m->odds: views of it; for row 0, and after
   a row stored as it is, errors forgotten; and what is as at every row. */
void efm_context_open(efm_context *m, const efm_codec_args *args, uint32_t odds);
void efm_context_forget_errors(const efm_context *m);
void efm_context_begin_row(const efm_context *m);

/* The pixels around one pixel. */
typedef struct efm_context_around {
    const int8_t *w, *n, *nw, *ne;
} efm_context_around;

/* What one value is expected to be. */
typedef struct efm_context_guess {
    int32_t mean; /* prediction, 1/64 */
    uint32_t scale; /* class of the expected error */
    uint32_t height; /* class of the distance to the lowest value */
} efm_context_guess;

/* What the neighbors say of the next EFM_CONTEXT_BLOCK channels: no cross terms yet. */
typedef struct efm_context_survey {
    int16_t near[EFM_CONTEXT_BLOCK]; /* prediction, 1/64 */
    uint16_t busy[EFM_CONTEXT_BLOCK]; /* their part of the expected error, 1/8 */
} efm_context_survey;

/* Around pixel x of a row, of which the pixels before x are there, and the row above it. */
EFM_SHARED efm_context_around efm_context_look_around(const efm_codec_args *args, const int8_t *above,
                                                      const int8_t *row, uint32_t x)
{
    uint32_t c = args->channels;
    efm_context_around a;

    a.w = x > 0 ? row + (x - 1) * c : above;
    a.n = args->y > 0 ? above + x * c : a.w;
    a.nw = args->y > 0 && x > 0 ? a.n - c : a.n;
    a.ne = args->y > 0 && x < args->width - 1 ? a.n + c : a.n;
    return a;
}

EFM_SHARED_INLINE int32_t efm_context_clamp_mean(int32_t mean)
{
    return mean < EFM_CONTEXT_LOW * 64         ? EFM_CONTEXT_LOW * 64
           : mean > EFM_CONTEXT_HIGH * 64 + 63 ? EFM_CONTEXT_HIGH * 64 + 63
                                               : mean;
}

EFM_SHARED_INLINE uint32_t efm_context_distance(int32_t a, int32_t b)
{
    return (uint32_t)(a < b ? b - a : a - b);
}

/* Two classes per octave: 0, 1, 2, 2, 4, 4, 5 ... that is 2 log2(v + 2) - 2, rounded down. */
static inline uint32_t efm_context_half_octave(uint32_t v)
{
    uint32_t log = efm_log2(v + 2);

    return 2 * log - 2 + ((v + 2) >> (log - 1) & 1u);
}

/* What the neighbors say of channel c, 1/64. */
EFM_SHARED int32_t efm_context_near(const efm_context *m, const efm_context_around *a, uint32_t c)
{
    const uint8_t *t = m->tables;

    return m->offset + efm_int8(t[8]) * a->w[c] + efm_int8(t[9]) * a->n[c] + efm_int8(t[10]) * a->nw[c]
           + efm_int8(t[11]) * a->ne[c];
}

/* For channels first .. first + count - 1. */
EFM_SHARED void efm_context_look(const efm_context *m, const efm_context_around *a, uint32_t first, uint32_t count,
                                 efm_context_survey *s)
{
    const uint8_t *t = m->tables;
    int32_t tap_w = efm_int8(t[8]), tap_n = efm_int8(t[9]);
    int32_t tap_nw = efm_int8(t[10]), tap_ne = efm_int8(t[11]);
    uint32_t to_nw = t[5], to_ne = t[6];
    int32_t offset = m->offset;

    for (uint32_t i = 0; i < count; i++) {
        int32_t n = a->n[first + i], nw = a->nw[first + i], ne = a->ne[first + i];

        s->near[i] =
            (int16_t)efm_context_clamp_mean(offset + tap_w * a->w[first + i] + tap_n * n + tap_nw * nw + tap_ne * ne);
        s->busy[i] = (uint16_t)((to_nw * efm_context_distance(n, nw) + to_ne * efm_context_distance(n, ne)) >> 3);
    }
}

/* What the surprises of earlier channels say of channel c, 1/64. */
static inline int32_t efm_context_missed(const efm_context *m, uint32_t c)
{
    const uint8_t *term = m->tables + EFM_CONTEXT_HEAD + c * 2 * m->terms; /* distance, weight */
    const int16_t *surprise = m->surprise + c;
    int32_t missed = 0;

    for (uint32_t i = m->terms; i > 0; i--, term += 2) {
        missed += efm_int8(term[1]) * surprise[-(int32_t)term[0]];
    }
    return missed / 64;
}

static inline efm_context_guess efm_context_predict(const efm_context *m, uint32_t c, int32_t mean, uint32_t busy)
{
    const uint8_t *t = m->tables;
    uint32_t height;
    uint32_t scale;
    efm_context_guess g;

    g.mean = efm_context_clamp_mean(mean);
    height = (uint32_t)(g.mean - EFM_CONTEXT_LOW * 64);
    scale = t[3] * (uint32_t)m->error[c] + t[4] * ((uint32_t)m->average[c] >> 4) + t[7] * (height >> 4);
    scale = efm_context_half_octave((scale >> 5) + busy);
    g.scale = scale < EFM_CONTEXT_SCALES ? scale : EFM_CONTEXT_SCALES - 1;
    g.height = efm_context_half_octave(height >> 3);
    return g;
}

EFM_SHARED void efm_context_learn(const efm_context *m, uint32_t c, int32_t near, const efm_context_guess *g, int32_t v)
{
    uint32_t error = efm_context_distance(v * 64, g->mean) >> 4;
    uint32_t average = m->average[c];

    m->surprise[c] = (int16_t)(v * 64 - near);
    m->error[c] = (uint8_t)(error < 255 ? error : 255);
    m->average[c] = (uint16_t)(average - (average >> 5) + (error >> 1));
}

/* g->height - g->scale + shift, kept in 0 .. top. */
EFM_SHARED_INLINE uint32_t efm_context_relative(const efm_context_guess *g, uint32_t shift, uint32_t top)
{
    uint32_t r = g->height + shift;

    r = r > g->scale ? r - g->scale : 0;
    return r < top ? r : top;
}

EFM_SHARED uint16_t *efm_context_zero_odds(const efm_context *m, const efm_context_guess *g)
{
    uint32_t size = g->scale / 4 < 3 ? g->scale / 4 : 3;

    return m->odds + efm_context_relative(g, 10, 15) * 4 + size;
}

/* The fraction of a prediction, in quarters. */
EFM_SHARED_INLINE uint32_t efm_context_part(const efm_context_guess *g)
{
    return (uint32_t)(g->mean - EFM_CONTEXT_LOW * 64) >> 4 & 3u;
}

EFM_SHARED uint16_t *efm_context_side_odds(const efm_context *m, const efm_context_guess *g)
{
    uint32_t size = g->scale / 2 < 3 ? g->scale / 2 : 3;

    return m->odds + EFM_CONTEXT_ZERO_CONTEXTS + (efm_context_relative(g, 4, 7) * 4 + size) * 4 + efm_context_part(g);
}

/* Of the first step; each further one has its own, up to the last. */
EFM_SHARED_INLINE uint16_t *efm_context_step_odds(const efm_context *m, const efm_context_guess *g)
{
    return m->odds + EFM_CONTEXT_ZERO_CONTEXTS + EFM_CONTEXT_SIDE_CONTEXTS + g->scale * EFM_CONTEXT_STEPS;
}

/* Bits of a distance below its steps. */
static inline uint32_t efm_context_step_bits(const efm_context_guess *g)
{
    return g->scale < 4 ? 0 : g->scale / 2 - 2;
}

/* The value from which the distance counts; both sides may occur when it is above the lowest. */
static inline int32_t efm_context_center(const efm_context *m, const efm_context_guess *g)
{
    int32_t v = (g->mean - EFM_CONTEXT_LOW * 64) / 64 + EFM_CONTEXT_LOW;

    return v > m->lowest ? v : m->lowest;
}

/* Distances on either side; `first` has the odds of a first step below the center and above it. */
typedef struct efm_context_firsts {
    uint16_t *below, *above;
} efm_context_firsts;

static inline uint32_t efm_context_read_distance(efm_range *k, const efm_context *m, const efm_context_guess *g,
                                                 uint16_t *first, uint32_t *bad)
{
    uint32_t bits = efm_context_step_bits(g);
    uint32_t steps = 0;
    uint32_t value;

    for (uint16_t *odds = efm_context_step_odds(m, g);
         steps < EFM_CONTEXT_LONGEST && efm_range_read_bit(k, steps == 0 ? first : odds); steps++) {
        odds += steps < EFM_CONTEXT_STEPS - 1;
    }
    if (steps < EFM_CONTEXT_LONGEST) {
        return steps << bits | efm_range_read_plain(k, bits);
    }
    value = efm_range_read_plain(k, 8);
    *bad |= value >> bits < EFM_CONTEXT_LONGEST;
    return value;
}

static inline int32_t efm_context_read_value(efm_range *k, const efm_context *m, const efm_context_guess *g,
                                             efm_context_firsts first, uint32_t *bad)
{
    uint32_t below = 0;
    int32_t v = efm_context_center(m, g);
    int32_t d;

    if (m->zero_flag && efm_range_read_bit(k, efm_context_zero_odds(m, g))) {
        return m->args->zero_point;
    }
    if (v > m->lowest) {
        below = efm_range_read_bit(k, efm_context_side_odds(m, g));
    }
    d = (int32_t)efm_context_read_distance(k, m, g, below ? first.below : first.above, bad);
    v = below ? v - d - 1 : v + d;
    *bad |= v < EFM_CONTEXT_LOW || v > EFM_CONTEXT_HIGH || (m->zero_flag && v == m->args->zero_point);
    return v < EFM_CONTEXT_LOW ? EFM_CONTEXT_LOW : v > EFM_CONTEXT_HIGH ? EFM_CONTEXT_HIGH : v;
}

static inline void efm_context_write_distance(efm_range *k, const efm_context *m, const efm_context_guess *g,
                                              uint16_t *first, uint32_t d)
{
    uint32_t bits = efm_context_step_bits(g);
    uint32_t steps = d >> bits < EFM_CONTEXT_LONGEST ? d >> bits : EFM_CONTEXT_LONGEST;
    uint16_t *odds = efm_context_step_odds(m, g);

    for (uint32_t i = 0; i < steps; i++) {
        efm_range_write_bit(k, i == 0 ? first : odds, 1);
        odds += i < EFM_CONTEXT_STEPS - 1;
    }
    if (steps < EFM_CONTEXT_LONGEST) {
        efm_range_write_bit(k, steps == 0 ? first : odds, 0);
        efm_range_write_plain(k, d & ((1u << bits) - 1), bits);
    } else {
        efm_range_write_plain(k, d, 8);
    }
}

static inline void efm_context_write_value(efm_range *k, const efm_context *m, const efm_context_guess *g,
                                           efm_context_firsts first, int32_t v)
{
    int32_t middle = efm_context_center(m, g);

    if (m->zero_flag) {
        efm_range_write_bit(k, efm_context_zero_odds(m, g), v == m->args->zero_point);
        if (v == m->args->zero_point) {
            return;
        }
    }
    if (middle > m->lowest) {
        efm_range_write_bit(k, efm_context_side_odds(m, g), v < middle);
    }
    efm_context_write_distance(k, m, g, v < middle ? first.below : first.above,
                               (uint32_t)(v < middle ? middle - 1 - v : v - middle));
}

#endif
