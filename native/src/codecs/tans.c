/* SPDX-License-Identifier: Apache-2.0 */
/* The prediction and classes of rice, with table-driven asymmetric numeral systems behind them
 * (Duda, arXiv 1311.2540): docs/FORMAT.md.
 *
 * A class names a parameter and one of up to 8 learned distributions of 16 symbols: zero, the
 * distance's upper part, escape. Their tables of 64 states are built at row 0. Numbers are coded last
 * first, so a row is coded from its last channel to its first and filled in from the back. */
#include "../bits.h"
#include "shared.h"
#include "engine/lookahead.h"
#include "engine/static.h"
#include "engine/stream.h"

enum {
    STATES = 64,
    LOG_STATES = 6,
    STEP = 43,
    SYMBOLS = 16,
    DISTRIBUTIONS = 8,
    ZERO = 0,
    FIRST = 1,
    ESCAPE = 15,
    UPPER = 14,
    ESCAPE_BITS = 9,
    PARAMETER = 7,
    TABLE_BYTES = 128 * DISTRIBUTIONS,  /* either side's, at the state's front */
    NO_DISTANCE = 1024,
    NOT_BUILT = 0,
    READER = 1,
    WRITER = 2,
    SLOTS = TABLE_BYTES + 8,
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

static void build_writer(const uint8_t *counts, const uint8_t *slots, symbol *symbols, uint8_t *next)
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
    efm_near_at n;
    const uint16_t *table;
    const uint8_t *counts;
    uint32_t state, low;
} reader;

/* `count` bits, 0 to 16, at the front of a window. */
static inline uint32_t front(uint32_t window, uint32_t count)
{
    return window >> 1 >> (31 - count);
}

/* The distance behind an escape; NO_DISTANCE for one that has a symbol. */
static inline uint32_t spelt(const reader *r, uint32_t window, uint32_t k, uint32_t d)
{
    uint32_t u = front(window, ESCAPE_BITS), upper = u >> k;

    return upper < UPPER && r->counts[SYMBOLS * d + FIRST + upper] > 0 ? NO_DISTANCE : u;
}

static inline uint32_t read_value(void *with, uint32_t mode, uint32_t prediction, uint32_t *value)
{
    reader *r = with;
    uint32_t k = mode & PARAMETER, d = mode >> 3, window = efm_near_window(r->n.code, r->n.at);
    uint32_t entry = r->table[STATES * d + r->state];
    uint32_t s = entry & 15u, bits = entry >> 4 & 7u, u;

    r->state = ((entry >> 8) + front(window, bits)) % STATES;
    r->n.at += bits;
    window <<= bits;
    if (s == ZERO) {
        *value = 0;
        return 2 * prediction;
    }
    if (s < ESCAPE) {
        r->n.at += k;
        u = (s - FIRST) << k | front(window, k);
    } else {
        r->n.at += ESCAPE_BITS;
        u = spelt(r, window, k, d);
    }
    *value = efm_static_unfold(u, prediction, r->low);
    return u;
}

static EFM_APART int decode_channel(const efm_static *s, reader *from, uint32_t c, uint8_t *row)
{
    reader r = *from;
    int good = efm_static_code(s, c, row, read_value, efm_near_on, &r);

    *from = r;
    return good;
}

/* A row whose code is none gets zeros. */
static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    efm_static s = efm_static_open(args, static_state(args), SYMBOLS * distributions(args));
    efm_near in;
    reader r = {{0, 0, &in}, (const uint16_t *)(void *)args->state, counts_of(args), 0, counts_of(args)[ZERO] > 0};
    uint32_t window, zeros;
    int good;

    build(args, READER);
    efm_near_open(&in, code, bytes, args->width);
    window = efm_near_window(in.code, in.at);
    zeros = efm_zeros(window | 1);
    good = zeros < 8;
    r.state = front(window << (zeros % 8 + 1), LOG_STATES);
    r.n.code = in.code;
    r.n.at = in.at + zeros % 8 + 1 + LOG_STATES;
    for (uint32_t c = 0; good && c < args->channels; c++) {
        good = decode_channel(&s, &r, c, (uint8_t *)row);
    }
    in.at = r.n.at;
    if (!good || r.state != 0 || !efm_near_ended(&in)) {
        memset(row, 0, args->width * args->channels);
        return EFM_BAD_CODEC;
    }
    return EFM_OK;
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
    const uint8_t *next = state + sizeof(symbol) * SYMBOLS * DISTRIBUTIONS + STATES * v->distribution;
    uint32_t bits = (w->state + how->reach) >> 8 & 7u;
    uint32_t to = (w->state >> bits) + how->first;

    put(w, (uint32_t)v->high << 8 | v->low, v->bits);
    put(w, w->state & ((1u << bits) - 1), bits);
    w->state = STATES + next[to % STATES] % STATES;
}

typedef struct survey {
    waiting *next;
    const uint8_t *counts;
    uint32_t low;
} survey;

static inline uint32_t choose(void *with, uint32_t mode, uint32_t prediction, uint32_t *value)
{
    survey *s = with;
    waiting *v = s->next++;
    uint32_t k = mode & PARAMETER, u;

    v->distribution = (uint8_t)(mode >> 3);
    v->high = v->bits = v->low = 0;
    if (*value < s->low) {
        v->symbol = ZERO;
        return 2 * prediction;
    }
    u = efm_static_fold(*value, prediction, s->low);
    if (u >> k < UPPER && s->counts[SYMBOLS * (mode >> 3) + FIRST + (u >> k)] > 0) {
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
static EFM_APART void survey_channel(const efm_static *s, uint32_t c, const int8_t *row, waiting *v,
                                     const uint8_t *counts)
{
    survey all = {v, counts, counts[ZERO] > 0};

    (void)efm_static_code(s, c, (uint8_t *)(uintptr_t)row, choose, 0, &all);
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

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    efm_static s = efm_static_open(args, static_state(args), SYMBOLS * distributions(args));
    waiting *values = (waiting *)(void *)(args->state + FRONT);
    writer w = {code, code + capacity, 0, 0, STATES, 0};

    build(args, WRITER);
    for (uint32_t c = args->channels; c-- > 0;) {
        survey_channel(&s, c, row, values, counts_of(args));
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

static void recall(const efm_codec_args *args, const int8_t *row)
{
    efm_static_recall(args, static_state(args), row);
}

const efm_codec_class efm_codec_tans = {
    .id = EFM_CODEC_TANS,
    .check = check,
    .state_bytes = state_bytes,
    .encode = encode,
    .decode = decode,
    .skip = skip,
    .recall = recall,
};
