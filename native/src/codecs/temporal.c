/* SPDX-License-Identifier: Apache-2.0 */
/* A row against the same row of the frame before: tiles that are as they were, and values whose prediction
 * is a blend of what their neighbors say, of the value before, and of how the neighbors have changed since;
 * each counts by how well it did lately. Without a frame before, `context`: docs/FORMAT.md has every step. */
#include <string.h>

#include "engine/context_model.h"

/* The tables' front; context's follow. */
enum { TILE = 0, TOLERANCE = 1, HEAD = 2 };

/* What predicts: neighbors, the frame before, the change of both; then their blend, without the surprises of
   earlier channels and with them. */
enum { SPATIAL, STILL, MOVED, BLEND, CROSSED, WAYS };

enum {
    SKIP_CONTEXTS = 2,
    FIRST_CONTEXTS = EFM_CONTEXT_SCALES * 2 * 4,
    OWN_ODDS = SKIP_CONTEXTS + FIRST_CONTEXTS,
    EVEN = 1 << 15,
    LEARN = 4
};

/* In the state: odds, misses, context's state, and two rows. */
typedef struct temporal {
    efm_codec_args args;     /* context's */
    efm_context m;
    uint16_t *skips;         /* [SKIP_CONTEXTS] odds that a tile is skipped, by the tile before it */
    uint16_t *firsts;        /* [EFM_CONTEXT_SCALES][below, above][4] odds of a first step */
    uint16_t *misses;        /* [WAYS][channels] how far each way was off lately, 1/64 */
    int8_t *before;          /* the row above in the frame before */
    int8_t *now;             /* the row as it comes back; encoders only */
} temporal;

/* One value's predictions, 1/64. */
typedef struct blend {
    int32_t by[WAYS];
    efm_context_guess g;
} blend;

static uint32_t own_bytes(const efm_codec_args *args)
{
    return 2 * OWN_ODDS + 2 * WAYS * args->channels;
}

static efm_codec_args of_context(const efm_codec_args *args)
{
    efm_codec_args own = *args;

    own.tables += HEAD;
    own.tables_bytes -= HEAD;
    return own;
}

static efm_status check(const efm_codec_args *args)
{
    efm_codec_args own;

    if (args->tables_bytes < HEAD || args->tables[TILE] == 0) {
        return EFM_BAD_CODEC;
    }
    own = of_context(args);
    return efm_context_check(&own);
}

static uint32_t state_bytes(const efm_codec_args *args)
{
    return own_bytes(args) + efm_context_state_bytes(args) + 2 * args->width * args->channels;
}

static void open_state(temporal *t, const efm_codec_args *args)
{
    void *state = args->state;

    t->args = of_context(args);
    t->args.state += own_bytes(args);
    t->skips = state;
    t->firsts = t->skips + SKIP_CONTEXTS;
    t->misses = t->firsts + FIRST_CONTEXTS;
    t->before = (int8_t *)t->args.state + efm_context_state_bytes(args);
    t->now = t->before + args->width * args->channels;
}

static void forget(const temporal *t)
{
    for (uint32_t i = 0; i < OWN_ODDS; i++) {
        t->skips[i] = EVEN;
    }
    for (uint32_t i = 0; i < WAYS * t->args.channels; i++) {
        t->misses[i] = 64;
    }
}

static void begin(temporal *t, const efm_codec_args *args)
{
    open_state(t, args);
    efm_context_begin(&t->m, &t->args);
    if (args->y == 0) {
        forget(t);
        memset(t->before, args->zero_point, args->channels);
    }
}

/* What the next row needs to know of the frame before. */
static void keep(const temporal *t)
{
    if (t->args.reference != 0) {
        memmove(t->before, t->args.reference, t->args.width * t->args.channels);
    }
}

/* How much a way counts that was off by `miss` where the best one was by `least` - 1: 1 .. 257. */
static inline int32_t weight(uint32_t least, uint32_t miss)
{
    uint32_t ratio = (least << 8) / (miss + 1u), square = ratio * ratio >> 8;

    return 1 + (int32_t)(square * square >> 8);
}

static inline uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline void blend_ways(const temporal *t, uint32_t c, blend *b)
{
    const uint16_t *miss = t->misses + c;
    uint32_t n = t->args.channels, least = smaller(smaller(miss[0], miss[n]), miss[2 * n]) + 1u;
    int32_t spatial = weight(least, miss[0]), still = weight(least, miss[n]), moved = weight(least, miss[2 * n]);

    b->by[BLEND] = (spatial * b->by[SPATIAL] + still * b->by[STILL] + moved * b->by[MOVED]) / (spatial + still + moved);
}

/* The part of what earlier channels say that is believed. */
static inline int32_t cross(const temporal *t, uint32_t c, int32_t missed)
{
    const uint16_t *miss = t->misses + BLEND * t->args.channels + c;
    uint32_t least = smaller(miss[0], miss[t->args.channels]) + 1u;
    int32_t without = weight(least, miss[0]), with = weight(least, miss[t->args.channels]);

    return missed * with / (without + with);
}

/* Pixel x's channel c; `a` is around it in this frame, `b` in the one before. */
static inline void expect(const temporal *t, const efm_context_around *a, const efm_context_around *b, uint32_t x,
                          uint32_t c, blend *e)
{
    const uint8_t *tables = t->m.tables;
    int32_t near = efm_context_near(&t->m, a, c), missed = efm_context_missed(&t->m, c);
    uint32_t busy =
        (tables[5] * efm_context_distance(a->n[c], b->n[c]) + tables[6] * efm_context_distance(a->ne[c], b->ne[c]))
        >> 3;

    e->by[SPATIAL] = efm_context_clamp_mean(near);
    e->by[STILL] = t->args.reference[x * t->args.channels + c] * 64;
    e->by[MOVED] = efm_context_clamp_mean(near + e->by[STILL] - efm_context_near(&t->m, b, c));
    blend_ways(t, c, e);
    e->by[CROSSED] = efm_context_clamp_mean(e->by[BLEND] + missed);
    e->g = efm_context_predict(&t->m, c, e->by[BLEND] + cross(t, c, missed), busy);
}

static inline void learn_ways(const temporal *t, uint32_t c, const blend *e, int32_t v)
{
    uint16_t *miss = t->misses + c;

    for (uint32_t i = 0; i < WAYS; i++, miss += t->args.channels) {
        int32_t off = (int32_t)efm_context_distance(v * 64, e->by[i]) - *miss;

        *miss = (uint16_t)(*miss + (off < 0 ? -(-off >> LEARN) : off >> LEARN));
    }
    efm_context_learn(&t->m, c, e->by[BLEND], &e->g, v);
}

static inline efm_context_firsts two_firsts(const temporal *t, const efm_context_guess *g)
{
    efm_context_firsts both;

    both.below = t->firsts + g->scale * 8 + efm_context_part(g);
    both.above = both.below + 4;
    return both;
}

static EFM_APART void read_tile(const temporal *t, efm_range *k, int8_t *row, uint32_t from, uint32_t to, uint32_t *bad)
{
    uint32_t channels = t->args.channels;

    for (uint32_t x = from; x < to; x++) {
        efm_context_around a = efm_context_look_around(&t->args, t->m.above, row, x);
        efm_context_around b = efm_context_look_around(&t->args, t->before, t->args.reference, x);

        for (uint32_t c = 0; c < channels; c++) {
            blend e;
            int32_t v;

            expect(t, &a, &b, x, c, &e);
            v = efm_context_read_value(k, &t->m, &e.g, two_firsts(t, &e.g), bad);
            row[x * channels + c] = (int8_t)v;
            learn_ways(t, c, &e, v);
        }
    }
}

static EFM_APART void write_tile(const temporal *t, efm_range *k, uint32_t from, uint32_t to)
{
    uint32_t channels = t->args.channels;

    for (uint32_t x = from; x < to; x++) {
        efm_context_around a = efm_context_look_around(&t->args, t->m.above, t->now, x);
        efm_context_around b = efm_context_look_around(&t->args, t->before, t->args.reference, x);

        for (uint32_t c = 0; c < channels; c++) {
            blend e;
            int32_t v = t->now[x * channels + c];

            expect(t, &a, &b, x, c, &e);
            efm_context_write_value(k, &t->m, &e.g, two_firsts(t, &e.g), v);
            learn_ways(t, c, &e, v);
        }
    }
}

static uint32_t tile_end(const temporal *t, uint32_t from)
{
    return from + smaller(t->args.width - from, t->args.tables[TILE - HEAD]);
}

/* A tile as it was in the frame before. */
static void copy_tile(const temporal *t, int8_t *row, uint32_t from, uint32_t to)
{
    uint32_t channels = t->args.channels;

    memmove(row + from * channels, t->args.reference + from * channels, (to - from) * channels);
}

static void read_tiles(const temporal *t, efm_range *k, int8_t *row, uint32_t *bad)
{
    uint32_t skipped = 0, to;

    for (uint32_t from = 0; from < t->args.width; from = to) {
        to = tile_end(t, from);
        skipped = efm_range_read_bit(k, t->skips + skipped);
        if (skipped) {
            copy_tile(t, row, from, to);
        } else {
            read_tile(t, k, row, from, to, bad);
        }
    }
}

/* No value of the tile is further than the tolerance from the frame before. */
static uint32_t is_still(const temporal *t, uint32_t from, uint32_t to)
{
    uint32_t i = from * t->args.channels, end = to * t->args.channels;

    while (i < end && efm_context_distance(t->now[i], t->args.reference[i]) <= t->args.tables[TOLERANCE - HEAD]) {
        i++;
    }
    return i == end;
}

static void write_tiles(const temporal *t, efm_range *k)
{
    uint32_t skipped = 0, to;

    for (uint32_t from = 0; from < t->args.width; from = to) {
        uint32_t still;

        to = tile_end(t, from);
        still = is_still(t, from, to);
        efm_range_write_bit(k, t->skips + skipped, still);
        skipped = still;
        if (skipped) {
            copy_tile(t, t->now, from, to);
        } else {
            write_tile(t, k, from, to);
        }
    }
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    efm_range k = efm_range_open(code, bytes);
    uint32_t bad = 0;
    temporal t;

    begin(&t, args);
    if (args->reference != 0) {
        read_tiles(&t, &k, row, &bad);
    } else {
        efm_context_read(&t.m, &k, row, &bad);
    }
    efm_context_end(&t.m, row);
    keep(&t);
    return !bad && efm_range_spent(&k) ? EFM_OK : EFM_BAD_CODEC;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    efm_range k = efm_range_room(code, capacity);
    temporal t;

    begin(&t, args);
    memmove(t.now, row, args->width * args->channels);
    if (args->reference != 0) {
        write_tiles(&t, &k);
    } else {
        efm_context_write(&t.m, &k, t.now);
    }
    efm_context_end(&t.m, t.now);
    keep(&t);
    *bytes = efm_range_finish(&k);
}

static void skip(const efm_codec_args *args, const int8_t *row)
{
    temporal t;

    open_state(&t, args);
    efm_context_skip(&t.args, row);
    forget(&t);
    keep(&t);
}

const efm_codec_class efm_codec_temporal = {
    .id = EFM_CODEC_TEMPORAL,
    .check = check,
    .state_bytes = state_bytes,
    .encode = encode,
    .decode = decode,
    .skip = skip,
    .recall = efm_no_skip, /* never capped */
};
