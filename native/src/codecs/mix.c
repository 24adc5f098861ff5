/* SPDX-License-Identifier: Apache-2.0 */
/* The prediction of `context`, and decisions whose log-odds are sums over seven contexts: docs/FORMAT.md has
 * every step.
 *
 * Each context holds a weight for each decision. The weights of all seven add up to the log-odds of a one, and
 * all of them learn from what that missed, so each learns what the others cannot know. */
#include "engine/context_model.h"

enum {
    NODES = 8,                /* decisions: zero, below, further steps above and below */
    ABOVE = 2,
    BELOW = 5,
    LATER = 3,
    ERRORS = EFM_CONTEXT_SCALES * 4,
    HEIGHTS = 64,
    PLACES = 16,
    BY_HEIGHT = ERRORS,
    BY_PLACE = BY_HEIGHT + HEIGHTS, /* of the neighbors' prediction, W, WW and N */
    WEIGHTS = NODES * (BY_PLACE + 4 * PLACES),
    MAX_BESIDE = 8,
    BESIDE = 8,  /* further taps of a channel in each pixel around; bytes of four */
    OWN = 4,                  /* weights of a channel: zero, below, a step above, a step below */
    VOTERS = 7,
    NEUTRAL = 0x8000,         /* a weight of log-odds 0; one more is 1/4096 */
    MOST = 8 * 4096 - 1,
    RATE_BITS = 10            /* a weight moves by 1/64 of what the probability missed */
};

/* 65536 / (1 + exp(-i / 4)). */
static const uint16_t logistic[33] = {
    32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565,
    61598, 62428, 63090, 63615, 64030, 64357, 64614, 64816, 64974, 65097, 65194,
    65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508, 65514,
};

/* First weights of a further step, by expected error. */
static const int16_t first_step[LATER] = {1455, -481, -803};

/* The pixels around one, and further taps: [channels][count][W, N, NW, NE] of (distance to a channel, weight). */
typedef struct beside {
    efm_context_around at;
    const int8_t *ww;
    const uint8_t *taps;
    uint32_t count;
} beside;

/* The weights that speak for one value, by decision; `own` is the channel's. */
typedef struct voters {
    uint16_t *error, *height, *near, *w, *ww, *n, *own;
    int32_t center;   /* the value from which the distance counts */
    uint32_t bits;    /* of a distance below its steps */
} voters;

/* A decision: of all, and as the channel's own weights tell them apart. */
typedef struct node {
    uint32_t all, own;
} node;

static const node zero_node = {0, 0}, side_node = {1, 1};

/* Bytes of the tables' first part, which are context's. */
static uint32_t context_bytes(const efm_codec_args *args)
{
    return EFM_CONTEXT_HEAD + 2u * args->tables[1] * args->channels;
}

static efm_status check_beside(const efm_codec_args *args, const uint8_t *tap, uint32_t count)
{
    for (uint32_t c = 0; c < args->channels; c++) {
        for (uint32_t i = 0; i < 4 * count; i++, tap += 2) {
            if ((uint32_t)((int32_t)c + efm_int8(tap[0])) >= args->channels) {
                return EFM_BAD_CODEC;
            }
        }
    }
    return EFM_OK;
}

static efm_status check(const efm_codec_args *args)
{
    efm_codec_args first = *args;
    const uint8_t *rest;
    efm_status status;

    if (args->tables_bytes < EFM_CONTEXT_HEAD || args->tables_bytes <= context_bytes(args)) {
        return EFM_BAD_CODEC;
    }
    first.tables_bytes = context_bytes(args);
    status = efm_context_check(&first);
    rest = args->tables + first.tables_bytes;
    if (status != EFM_OK || rest[0] > MAX_BESIDE
        || args->tables_bytes - first.tables_bytes - 1 != (uint32_t)BESIDE * rest[0] * args->channels) {
        return EFM_BAD_CODEC;
    }
    return check_beside(args, rest + 1, rest[0]);
}

/* Weights, and a survey behind them, in two bytes each. */
static uint32_t numbers_of(const efm_codec_args *args)
{
    return WEIGHTS + OWN * args->channels + sizeof(efm_context_survey) / 2;
}

static efm_context_survey *survey_of(const efm_context *m)
{
    void *behind = m->odds + WEIGHTS + OWN * m->args->channels;

    return behind;
}

static uint32_t state_bytes(const efm_codec_args *args)
{
    return 2 * numbers_of(args) + 5 * args->channels + args->width * args->channels;
}

static void forget(const efm_context *m)
{
    for (uint32_t i = 0; i < WEIGHTS + OWN * m->args->channels; i++) {
        m->odds[i] = NEUTRAL;
    }
    for (uint32_t i = 0; i < ERRORS * NODES; i += NODES) {
        for (uint32_t step = 0; step < LATER; step++) {
            m->odds[i + ABOVE + step] = (uint16_t)(NEUTRAL + first_step[step]);
            m->odds[i + BELOW + step] = (uint16_t)(NEUTRAL + first_step[step]);
        }
    }
    efm_context_forget_errors(m);
}

static void begin(efm_context *m, const efm_codec_args *args)
{
    efm_context_open(m, args, numbers_of(args));
    if (args->y == 0) {
        forget(m);
    }
    efm_context_begin_row(m);
}

/* The weights for where a value (1/64) lies, in steps of the expected error from the center. */
static inline uint16_t *by_place(const voters *v, uint16_t *weights, uint32_t shift, int32_t value)
{
    uint32_t from_far = (uint32_t)(value - v->center * 64 + 16384) >> shift;
    uint32_t least = (16384u >> shift) - PLACES / 2;
    uint32_t steps = from_far > least ? from_far - least : 0;

    return weights + (steps < PLACES ? steps : PLACES - 1) * NODES;
}

static voters assemble(const efm_context *m, const beside *b, uint32_t c, int32_t near, const efm_context_guess *g)
{
    uint32_t size = g->scale / 4 < 3 ? g->scale / 4 : 3, shift = 3 + g->scale / 2;
    uint16_t *places = m->odds + BY_PLACE * NODES;
    voters v;

    v.center = efm_context_center(m, g);
    v.bits = efm_context_step_bits(g);
    v.error = m->odds + (g->scale * 4 + efm_context_part(g)) * NODES;
    v.height = m->odds + (BY_HEIGHT + efm_context_relative(g, 10, 15) * 4 + size) * NODES;
    v.near = by_place(&v, places, shift, near);
    v.w = by_place(&v, places + PLACES * NODES, shift, b->at.w[c] * 64 + 32);
    v.ww = by_place(&v, places + 2 * PLACES * NODES, shift, b->ww[c] * 64 + 32);
    v.n = by_place(&v, places + 3 * PLACES * NODES, shift, b->at.n[c] * 64 + 32);
    v.own = m->odds + WEIGHTS + OWN * c;
    return v;
}

/* The probability of a one, 1/65536. */
static inline uint32_t chance(const voters *v, node d)
{
    int32_t sum = v->error[d.all] + v->height[d.all] + v->near[d.all] + v->w[d.all] + v->ww[d.all] + v->n[d.all]
                  + v->own[d.own] - VOTERS * NEUTRAL;
    uint32_t size = (uint32_t)(sum < 0 ? -sum : sum);
    uint32_t cell, p;

    size = size < MOST ? size : MOST;
    cell = size >> 10;
    p = logistic[cell] + ((uint32_t)(logistic[cell + 1] - logistic[cell]) * (size & 1023u) >> 10);
    return sum < 0 ? 65536 - p : p;
}

static inline void move(uint16_t *weight, uint32_t by)
{
    *weight = (uint16_t)(*weight + by);
}

static inline void learn_bit(const voters *v, node d, uint32_t p, uint32_t bit)
{
    uint32_t missed = 65536 + (bit << 16) - p; /* and 65536 more */
    uint32_t by = ((missed + (1u << (RATE_BITS - 1))) >> RATE_BITS) - (65536u >> RATE_BITS);

    move(v->error + d.all, by);
    move(v->height + d.all, by);
    move(v->near + d.all, by);
    move(v->w + d.all, by);
    move(v->ww + d.all, by);
    move(v->n + d.all, by);
    move(v->own + d.own, by);
}

static uint32_t read_vote(efm_range *k, const voters *v, node d)
{
    uint32_t p = chance(v, d);
    uint32_t bit = efm_range_read_chance(k, p);

    learn_bit(v, d, p, bit);
    return bit;
}

static void write_vote(efm_range *k, const voters *v, node d, uint32_t bit)
{
    uint32_t p = chance(v, d);

    efm_range_write_chance(k, p, bit);
    learn_bit(v, d, p, bit);
}

/* "Is there another step", after `steps` of them. */
static inline node step_node(uint32_t below, uint32_t steps)
{
    node d = {(below ? BELOW : ABOVE) + (steps < LATER ? steps : LATER - 1), below ? 3 : 2};

    return d;
}

static int32_t read_voted(efm_range *k, const efm_context *m, const voters *v, uint32_t *bad)
{
    uint32_t below = 0, steps = 0, d;
    int32_t value;

    if (m->zero_flag && read_vote(k, v, zero_node)) {
        return m->args->zero_point;
    }
    if (v->center > m->lowest) {
        below = read_vote(k, v, side_node);
    }
    while (steps < EFM_CONTEXT_LONGEST && read_vote(k, v, step_node(below, steps))) {
        steps++;
    }
    d = efm_range_read_plain(k, steps < EFM_CONTEXT_LONGEST ? v->bits : 8);
    *bad |= steps == EFM_CONTEXT_LONGEST && d >> v->bits < EFM_CONTEXT_LONGEST;
    d = steps < EFM_CONTEXT_LONGEST ? steps << v->bits | d : d;
    value = below ? v->center - (int32_t)d - 1 : v->center + (int32_t)d;
    *bad |= value < EFM_CONTEXT_LOW || value > EFM_CONTEXT_HIGH || (m->zero_flag && value == m->args->zero_point);
    return value < EFM_CONTEXT_LOW ? EFM_CONTEXT_LOW : value > EFM_CONTEXT_HIGH ? EFM_CONTEXT_HIGH : value;
}

static void write_voted(efm_range *k, const efm_context *m, const voters *v, int32_t value)
{
    uint32_t below = value < v->center;
    uint32_t d = (uint32_t)(below ? v->center - 1 - value : value - v->center);
    uint32_t steps = d >> v->bits < EFM_CONTEXT_LONGEST ? d >> v->bits : EFM_CONTEXT_LONGEST;

    if (m->zero_flag) {
        write_vote(k, v, zero_node, value == m->args->zero_point);
        if (value == m->args->zero_point) {
            return;
        }
    }
    if (v->center > m->lowest) {
        write_vote(k, v, side_node, below);
    }
    for (uint32_t i = 0; i < steps; i++) {
        write_vote(k, v, step_node(below, i), 1);
    }
    if (steps < EFM_CONTEXT_LONGEST) {
        write_vote(k, v, step_node(below, steps), 0);
        efm_range_write_plain(k, d & ((1u << v->bits) - 1), v->bits);
    } else {
        efm_range_write_plain(k, d, 8);
    }
}

static beside look_beside(const efm_context *m, const int8_t *row, uint32_t x)
{
    const uint8_t *taps = m->tables + context_bytes(m->args);
    efm_context_around at = efm_context_look_around(m->args, m->above, row, x);
    beside b = {at, x > 1 ? at.w - m->args->channels : at.w, taps + 1, taps[0]};

    return b;
}

static inline int32_t tap_one(const uint8_t *tap, const int8_t *pixel, int32_t zero_point)
{
    return efm_int8(tap[1]) * (pixel[efm_int8(tap[0])] - zero_point);
}

/* What further taps say of channel c, 1/64. */
static inline int32_t tap_beside(const efm_context *m, const beside *b, uint32_t c)
{
    const uint8_t *tap = b->taps + c * b->count * BESIDE;
    const int8_t *w = b->at.w + c, *n = b->at.n + c, *nw = b->at.nw + c, *ne = b->at.ne + c;
    int32_t sum = 0, zero_point = m->args->zero_point;

    for (uint32_t i = b->count; i > 0; i--, tap += BESIDE) {
        sum += tap_one(tap, w, zero_point) + tap_one(tap + 2, n, zero_point) + tap_one(tap + 4, nw, zero_point)
               + tap_one(tap + 6, ne, zero_point);
    }
    return sum;
}

/* What is known of channel c before it is coded; channels come in order. */
static inline efm_context_guess guess_beside(const efm_context *m, const beside *b, uint32_t c, efm_context_survey *s)
{
    uint32_t i = c % EFM_CONTEXT_BLOCK, left = m->args->channels - c;

    if (i == 0) {
        efm_context_look(m, &b->at, c, left < EFM_CONTEXT_BLOCK ? left : EFM_CONTEXT_BLOCK, s);
    }
    return efm_context_predict(m, c, s->near[i] + tap_beside(m, b, c) + efm_context_missed(m, c), s->busy[i]);
}

static void read_pixel(efm_range *k, const efm_context *m, int8_t *row, uint32_t x, uint32_t *bad)
{
    beside b = look_beside(m, row, x);
    efm_context_survey *s = survey_of(m);

    for (uint32_t c = 0; c < m->args->channels; c++) {
        efm_context_guess g = guess_beside(m, &b, c, s);
        voters v = assemble(m, &b, c, s->near[c % EFM_CONTEXT_BLOCK], &g);
        int32_t value = read_voted(k, m, &v, bad);

        row[x * m->args->channels + c] = (int8_t)value;
        efm_context_learn(m, c, s->near[c % EFM_CONTEXT_BLOCK], &g, value);
    }
}

static void write_pixel(efm_range *k, const efm_context *m, const int8_t *row, uint32_t x)
{
    beside b = look_beside(m, row, x);
    efm_context_survey *s = survey_of(m);

    for (uint32_t c = 0; c < m->args->channels; c++) {
        efm_context_guess g = guess_beside(m, &b, c, s);
        voters v = assemble(m, &b, c, s->near[c % EFM_CONTEXT_BLOCK], &g);
        int32_t value = row[x * m->args->channels + c];

        write_voted(k, m, &v, value);
        efm_context_learn(m, c, s->near[c % EFM_CONTEXT_BLOCK], &g, value);
    }
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    efm_range k = efm_range_open(code, bytes);
    uint32_t bad = 0;
    efm_context m;

    begin(&m, args);
    for (uint32_t x = 0; x < args->width; x++) {
        read_pixel(&k, &m, row, x, &bad);
    }
    efm_context_end(&m, row);
    return !bad && efm_range_spent(&k) ? EFM_OK : EFM_BAD_CODEC;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    efm_range k = efm_range_room(code, capacity);
    efm_context m;

    begin(&m, args);
    for (uint32_t x = 0; x < args->width; x++) {
        write_pixel(&k, &m, row, x);
    }
    efm_context_end(&m, row);
    *bytes = efm_range_finish(&k);
}

static void skip(const efm_codec_args *args, const int8_t *row)
{
    efm_context m;

    efm_context_open(&m, args, numbers_of(args));
    forget(&m);
    efm_context_end(&m, row);
}

static void recall(const efm_codec_args *args, const int8_t *row)
{
    efm_context m;

    efm_context_open(&m, args, numbers_of(args));
    efm_context_end(&m, row);
}

const efm_codec_class efm_codec_mix = {
    .id = EFM_CODEC_MIX,
    .check = check,
    .state_bytes = state_bytes,
    .encode = encode,
    .decode = decode,
    .skip = skip,
    .recall = recall,
};
