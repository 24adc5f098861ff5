/* SPDX-License-Identifier: Apache-2.0 */
/* The prediction and classes of rice, with table-driven asymmetric numeral systems behind them
 * (Duda, arXiv 1311.2540): docs/FORMAT.md.
 *
 * A class names a parameter and one of up to 8 learned distributions of 16 symbols: zero, the
 * distance's upper part, escape. Their tables of 64 states are built at row 0. Numbers are coded last
 * first, so a row is coded from its last channel to its first and filled in from the back. */
#include "../bits.h"
#include "lossless.h"
#include "static.h"
#include "stream.h"

enum {
    STATES = 64, LOG_STATES = 6, STEP = 43, SYMBOLS = 16, DISTRIBUTIONS = 8,
    ZERO = 0, FIRST = 1, ESCAPE = 15, UPPER = 14, ESCAPE_BITS = 9, PARAMETER = 7,
    TABLE_BYTES = 128 * DISTRIBUTIONS,  /* either side's, at the state's front */
    NOT_BUILT = 0, READER = 1, WRITER = 2, SLOTS = TABLE_BYTES + 8,
    FRONT = SLOTS + STATES   /* whose they are, in a byte; the symbols of a distribution's states */
};

/* How to write a symbol: bits = (state + reach) / 256, state = next[(state >> bits) + first]. */
typedef struct symbol {
    uint16_t reach;
    uint16_t first;
} symbol;

/* A value on its way to the back of the code. */
typedef struct waiting {
    uint8_t symbol, distribution;
    uint8_t bits;
    uint8_t high;      /* the ninth of the bits */
    uint8_t low;
} waiting;

typedef struct writer {
    uint8_t *begin, *at;
    uint32_t window, have;   /* bits that are not written yet, the first highest */
    uint32_t state;          /* 64 .. 127 */
    uint32_t full;
} writer;

static uint32_t distributions(const efm_codec_args *args)
{
    return (args->tables[EFM_STATIC_KIND] >> 4) + 1u;
}

static const uint8_t *counts_of(const efm_codec_args *args)
{
    return args->tables + efm_static_front(args);
}

static efm_status check(const efm_codec_args *args)
{
    uint32_t flag, wrong = 0, all;
    const uint8_t *counts;

    if (args->tables_bytes < EFM_STATIC_HEAD || distributions(args) > DISTRIBUTIONS
        || !efm_static_check(args, SYMBOLS * distributions(args), 8 * distributions(args) - 1)) {
        return EFM_BAD_CODEC;
    }
    counts = counts_of(args);
    flag = counts[ZERO] > 0;
    for (all = distributions(args); all > 0; all--, counts += SYMBOLS) {
        uint32_t sum = 0;

        for (uint32_t i = 0; i < SYMBOLS; i++) {
            sum += counts[i];
        }
        wrong |= sum != STATES || counts[ESCAPE] == 0 || (counts[ZERO] > 0) != flag;
    }
    return !wrong && (!flag || args->zero_point == -128) ? EFM_OK : EFM_BAD_CODEC;
}

static uint32_t state_bytes(const efm_codec_args *args)
{
    return FRONT + (uint32_t)sizeof(waiting) * args->width + efm_static_bytes(args);
}

static uint8_t *static_state(const efm_codec_args *args)
{
    return args->state + FRONT + (uint32_t)sizeof(waiting) * args->width;
}

/* Which symbol each state stands for. */
static void spread(const uint8_t *counts, uint8_t *slots)
{
    uint32_t at = 0;

    for (uint32_t s = 0; s < SYMBOLS; s++) {
        for (uint32_t i = counts[s]; i > 0; i--) {
            slots[at] = (uint8_t)s;
            at = (at + STEP) % STATES;
        }
    }
}

/* An entry per state: symbol, bits << 4, next state before those bits are added << 8. */
static void build_reader(const uint8_t *counts, const uint8_t *slots, uint16_t *table)
{
    uint8_t next[SYMBOLS];

    memcpy(next, counts, SYMBOLS);
    for (uint32_t i = 0; i < STATES; i++) {
        uint32_t n = next[slots[i]]++;
        uint32_t bits = LOG_STATES - efm_log2(n);

        table[i] = (uint16_t)(slots[i] | bits << 4 | (n << bits) % STATES << 8);
    }
}

static void build_writer(const uint8_t *counts, const uint8_t *slots, symbol *symbols,
                         uint8_t *next)
{
    uint8_t at[SYMBOLS];
    uint32_t first = 0;

    for (uint32_t s = 0; s < SYMBOLS; s++) {
        uint32_t most = counts[s] < 2 ? LOG_STATES : LOG_STATES - efm_log2(counts[s] - 1u);

        symbols[s].reach = (uint16_t)((most << 8) - ((uint32_t)counts[s] << most));
        symbols[s].first = (uint16_t)(first - counts[s]);
        at[s] = (uint8_t)first;
        first += counts[s];
    }
    for (uint32_t i = 0; i < STATES; i++) {
        next[at[slots[i]]++] = (uint8_t)i;
    }
}

/* The tables of the side `whose`, unless they are there. */
static void build(const efm_codec_args *args, uint8_t whose)
{
    symbol *symbols = (symbol *)(void *)args->state;
    uint16_t *table = (uint16_t *)(void *)args->state;

    if (args->y != 0 && args->state[TABLE_BYTES] == whose) {
        return;
    }
    args->state[TABLE_BYTES] = whose;
    for (uint32_t d = 0; d < distributions(args); d++) {
        const uint8_t *counts = counts_of(args) + SYMBOLS * d;
        uint8_t *slots = args->state + SLOTS;

        spread(counts, slots);
        if (whose == WRITER) {
            build_writer(counts, slots, symbols + SYMBOLS * d,
                         args->state + sizeof(symbol) * SYMBOLS * DISTRIBUTIONS + STATES * d);
        } else {
            build_reader(counts, slots, table + STATES * d);
        }
    }
}

/* -- reading --------------------------------------------------------------------------------------- */

typedef struct reader {
    efm_bits_in in;
    const uint16_t *table;
    const uint8_t *counts;
    uint32_t state, low, bad;
} reader;

static inline uint32_t read_value(reader *r, uint32_t mode, uint32_t prediction,
                                  uint32_t *distance)
{
    uint32_t k = mode & PARAMETER, d = mode >> 3;
    uint32_t entry = r->table[STATES * d + r->state];
    uint32_t s = entry & 15u, u;

    efm_bits_fill(&r->in);
    r->state = ((entry >> 8) + efm_bits_take(&r->in, entry >> 4 & 7u)) % STATES;
    if (s == ZERO) {
        *distance = 2 * prediction;
        return 0;
    }
    if (s < ESCAPE) {
        u = (s - FIRST) << k | efm_bits_take(&r->in, k);
    } else {
        u = efm_bits_take(&r->in, ESCAPE_BITS);
        r->bad |= u >> k < UPPER && r->counts[SYMBOLS * d + FIRST + (u >> k)] > 0 ? 256 : 0;
    }
    *distance = u;
    u = efm_static_unfold(u, prediction, r->low);
    r->bad |= u;
    return (uint8_t)u;
}

static EFM_APART void decode_channel(const efm_static *shared, reader *from, uint32_t c, uint8_t *row)
{
    efm_static s = *shared;
    reader r = *from;
    uint8_t *above = s.above + c * s.width, *activity = s.activity + c * s.groups;
    const uint8_t *end = above + s.width;

    efm_static_channel(&s, c);
    for (uint32_t g = 0; above != end; g++) {
        uint32_t around, sum = 0, distance;
        const uint8_t *classes = efm_static_classes(&s, activity, g, &around);
        const uint8_t *start = above, *stop = efm_static_stop(above, end);

        do {
            uint32_t p = efm_static_predict(&s, *above);

            s.west = read_value(&r, efm_static_class(classes, p), p, &distance);
            sum += distance;
            *above++ = (uint8_t)s.west;
            *row = (uint8_t)(s.west ^ 128);
            row += s.stride;
        } while (above != stop);
        efm_static_learn(&s, activity + g, around, (uint32_t)(stop - start), sum);
    }
    *from = r;
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes,
                         int8_t *row)
{
    efm_static s = efm_static_open(args, static_state(args), SYMBOLS * distributions(args));
    reader r = {efm_bits_open(code, bytes), (const uint16_t *)(void *)args->state, counts_of(args),
                0, counts_of(args)[ZERO] > 0, 0};
    uint32_t zeros;

    build(args, READER);
    efm_bits_fill(&r.in);
    zeros = efm_bits_zeros(&r.in);
    r.bad = zeros < 8 ? 0 : 256;
    efm_bits_drop(&r.in, zeros % 8 + 1);
    efm_bits_fill(&r.in);
    r.state = efm_bits_take(&r.in, LOG_STATES);
    for (uint32_t c = 0; c < args->channels; c++) {
        decode_channel(&s, &r, c, (uint8_t *)row + c);
    }
    return r.bad < 256 && r.state == 0 && efm_bits_ended(&r.in) ? EFM_OK : EFM_BAD_CODEC;
}

/* -- writing --------------------------------------------------------------------------------------- */

/* Puts bits in front of all that were written; at most 15. */
static inline void put(writer *w, uint32_t bits, uint32_t count)
{
    w->window |= bits << w->have;
    w->have += count;
    if (w->have >= 16) {
        if (w->at - w->begin >= 2) {
            w->at -= 2;
            w->at[0] = (uint8_t)(w->window >> 8);
            w->at[1] = (uint8_t)w->window;
        } else {
            w->full = 1;
        }
        w->window >>= 16;
        w->have -= 16;
    }
}

static inline void write_value(writer *w, const uint8_t *state, const waiting *v)
{
    const symbol *how = (const symbol *)(const void *)state + SYMBOLS * v->distribution + v->symbol;
    const uint8_t *next = state + sizeof(symbol) * SYMBOLS * DISTRIBUTIONS
                          + STATES * v->distribution;
    uint32_t bits = (w->state + how->reach) >> 8 & 7u;
    uint32_t to = (w->state >> bits) + how->first;

    put(w, (uint32_t)v->high << 8 | v->low, v->bits);
    put(w, w->state & ((1u << bits) - 1), bits);
    w->state = STATES + next[to % STATES] % STATES;
}

static inline uint32_t choose(waiting *v, uint32_t mode, uint32_t value, uint32_t prediction,
                              uint32_t low, const uint8_t *counts)
{
    uint32_t k = mode & PARAMETER, u;

    v->distribution = (uint8_t)(mode >> 3);
    v->high = v->bits = v->low = 0;
    if (value < low) {
        v->symbol = ZERO;
        return 2 * prediction;
    }
    u = efm_static_fold(value, prediction, low);
    if (u >> k < UPPER && counts[SYMBOLS * (mode >> 3) + FIRST + (u >> k)] > 0) {
        v->symbol = (uint8_t)(FIRST + (u >> k));
        v->bits = (uint8_t)k;
        v->low = (uint8_t)(u & ((1u << k) - 1));
    } else {
        v->symbol = ESCAPE;
        v->bits = ESCAPE_BITS;
        v->high = (uint8_t)(u >> 8);
        v->low = (uint8_t)u;
    }
    return u;
}

/* What is to be written of one channel, first value first. */
static EFM_APART void survey_channel(const efm_static *shared, uint32_t c, const int8_t *row, waiting *v,
                           const uint8_t *counts)
{
    efm_static s = *shared;
    uint8_t *above = s.above + c * s.width, *activity = s.activity + c * s.groups;
    const uint8_t *end = above + s.width;
    uint32_t low = counts[ZERO] > 0;

    efm_static_channel(&s, c);
    for (uint32_t g = 0; above != end; g++) {
        uint32_t around, sum = 0;
        const uint8_t *classes = efm_static_classes(&s, activity, g, &around);
        const uint8_t *start = above, *stop = efm_static_stop(above, end);

        do {
            uint32_t p = efm_static_predict(&s, *above);

            s.west = (uint32_t)(*row + 128);
            sum += choose(v++, efm_static_class(classes, p), s.west, p, low, counts);
            *above++ = (uint8_t)s.west;
            row += s.stride;
        } while (above != stop);
        efm_static_learn(&s, activity + g, around, (uint32_t)(stop - start), sum);
    }
}

static void write_channel(writer *to, const uint8_t *state, const waiting *v, uint32_t width)
{
    writer w = *to;

    while (width > 0) {
        write_value(&w, state, &v[--width]);
    }
    *to = w;
}

/* The state, a one, zeros up to a whole byte; then everything moves to the front. */
static uint32_t finish(writer *w, uint8_t *code, uint32_t capacity)
{
    uint32_t bytes;

    put(w, w->state % STATES, LOG_STATES);
    put(w, 1, 1);
    put(w, 0, (8 - w->have % 8) % 8);
    if (w->have != 0 && w->at == w->begin) {
        w->full = 1;
    } else if (w->have != 0) {
        *--w->at = (uint8_t)w->window;
    }
    bytes = (uint32_t)(code + capacity - w->at);
    if (w->full) {
        return 0;
    }
    memmove(code, w->at, bytes);
    return bytes;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity,
                   uint32_t *bytes)
{
    efm_static s = efm_static_open(args, static_state(args), SYMBOLS * distributions(args));
    waiting *values = (waiting *)(void *)(args->state + FRONT);
    writer w = {code, code + capacity, 0, 0, STATES, 0};

    build(args, WRITER);
    for (uint32_t c = args->channels; c-- > 0;) {
        survey_channel(&s, c, row + c, values, counts_of(args));
        write_channel(&w, args->state, values, args->width);
    }
    *bytes = finish(&w, code, capacity);
}

static void skip(const efm_codec_args *args, const int8_t *row)
{
    if (args->y == 0) {
        args->state[TABLE_BYTES] = NOT_BUILT;
    }
    efm_static_skip(args, static_state(args), row);
}

const efm_codec_class efm_codec_tans = {
    EFM_CODEC_TANS, check, state_bytes, encode, decode, skip,
};
