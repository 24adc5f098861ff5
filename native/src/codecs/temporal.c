/* SPDX-License-Identifier: Apache-2.0 */
/* A row against the same row of the frame before: tiles that are as they were (SKIP), tiles as `context`
 * codes them (I), and tiles whose prediction trusts what it misses there (P): docs/FORMAT.md has every step. */
#include <string.h>

#include "context.h"

/* The tables' front; context's follow. */
enum { TILE = 0, TOLERANCE = 1, HEAD = 2 };

/* Kinds of tiles: P, P + 1 ... trust by one step more each. The kind before picks odds. */
enum { SKIP = 0, I = 1, P = 2, KINDS_BEFORE = 3 };

/* Odds of SKIP, of I, and of the trust in two steps. */
enum { ODDS_SKIP = 0, ODDS_I = KINDS_BEFORE, ODDS_TRUST = 2 * KINDS_BEFORE, ODDS = ODDS_TRUST + 3,
       KIND_BYTES = 24, EVEN = 1 << 15 };

/* In the state: odds of kinds; context's state; and two rows. */
typedef struct temporal {
    efm_codec_args args;     /* context's */
    uint16_t *odds;          /* [ODDS] */
    int8_t *above;           /* in the frame before */
    int8_t *now;             /* the row as it comes back; encoders only */
} temporal;

static efm_codec_args of_context(const efm_codec_args *args)
{
    efm_codec_args own = *args;

    own.tables += HEAD;
    own.tables_bytes -= HEAD;
    own.state += KIND_BYTES;
    return own;
}

static efm_status check(const efm_codec_args *args)
{
    const uint8_t *t = args->tables;
    efm_codec_args own = *args;

    if (args->tables_bytes < HEAD || t[TILE] == 0) {
        return EFM_BAD_CODEC;
    }
    own.tables += HEAD;
    own.tables_bytes -= HEAD;
    return efm_context_check(&own);
}

static uint32_t state_bytes(const efm_codec_args *args)
{
    return KIND_BYTES + efm_context_state_bytes(args) + 2 * args->width * args->channels;
}

static temporal open_state(const efm_codec_args *args)
{
    temporal t = {of_context(args), (uint16_t *)(void *)args->state, 0, 0};

    t.above = (int8_t *)t.args.state + efm_context_state_bytes(&t.args);
    t.now = t.above + args->width * args->channels;
    return t;
}

static void forget(const temporal *t)
{
    for (uint32_t i = 0; i < ODDS; i++) {
        t->odds[i] = EVEN;
    }
}

static void begin(temporal *t, efm_context *m)
{
    efm_context_begin(m, &t->args);
    if (t->args.y == 0) {
        forget(t);
        memset(t->above, t->args.zero_point, t->args.channels);
    }
    m->beside_above = t->above;
}

/* What the next row needs to know of the frame before. */
static void keep(const temporal *t)
{
    if (t->args.reference != 0) {
        memmove(t->above, t->args.reference, t->args.width * t->args.channels);
    }
}

static uint32_t tile_end(const temporal *t, uint32_t from)
{
    uint32_t left = t->args.width - from, tile = t->args.tables[TILE - HEAD];

    return from + (left < tile ? left : tile);
}

static uint32_t class_of(uint32_t kind)
{
    return kind < P ? kind : P;
}

static uint32_t read_kind(coder *k, const temporal *t, uint32_t before)
{
    uint16_t *trust = t->odds + ODDS_TRUST;
    uint32_t high;

    if (read_bit(k, t->odds + ODDS_SKIP + class_of(before))) {
        return SKIP;
    }
    if (read_bit(k, t->odds + ODDS_I + class_of(before))) {
        return I;
    }
    high = read_bit(k, trust);
    return P + 2 * high + read_bit(k, trust + 1 + high);
}

static void write_kind(coder *k, const temporal *t, uint32_t before, uint32_t kind)
{
    uint16_t *trust = t->odds + ODDS_TRUST;
    uint32_t high = kind >= P + 2;

    write_bit(k, t->odds + ODDS_SKIP + class_of(before), kind == SKIP);
    if (kind != SKIP) {
        write_bit(k, t->odds + ODDS_I + class_of(before), kind == I);
    }
    if (kind >= P) {
        write_bit(k, trust, high);
        write_bit(k, trust + 1 + high, (kind - P) & 1u);
    }
}

/* What tiles of this kind are predicted from. */
static void look_back(efm_context *m, const temporal *t, uint32_t kind)
{
    m->beside = kind >= P ? t->args.reference : 0;
    m->trust = kind >= P ? (int32_t)(kind - I) * EFM_CONTEXT_TRUST_STEP : 0;
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    coder k = open_code(code, bytes);
    temporal t = open_state(args);
    uint32_t bad = 0, kind = I, end;
    efm_context m;

    begin(&t, &m);
    for (uint32_t from = 0; from < args->width; from = end) {
        end = tile_end(&t, from);
        kind = args->reference != 0 ? read_kind(&k, &t, kind) : I;
        look_back(&m, &t, kind);
        if (kind == SKIP) {
            memmove(row + from * args->channels, args->reference + from * args->channels,
                    (end - from) * args->channels);
        } else {
            efm_context_read(&m, &k, row, from, end, &bad);
        }
    }
    efm_context_end(&m, row);
    keep(&t);
    return !bad && spent(&k) ? EFM_OK : EFM_BAD_CODEC;
}

/* No value of the tile is further than the tolerance from the frame before. */
static int is_still(const temporal *t, uint32_t from, uint32_t end)
{
    uint32_t channels = t->args.channels, i = from * channels;
    int32_t most = t->args.tables[TOLERANCE - HEAD];

    while (i < end * channels && t->now[i] - t->args.reference[i] <= most
           && t->args.reference[i] - t->now[i] <= most) {
        i++;
    }
    return i >= end * channels;
}

static uint32_t choose_kind(const temporal *t, efm_context *m, uint32_t from, uint32_t end)
{
    uint64_t misfits[EFM_CONTEXT_TRUSTS];
    uint32_t best = 0;

    if (t->args.reference == 0) {
        return I;
    }
    if (is_still(t, from, end)) {
        return SKIP;
    }
    m->beside = t->args.reference;
    efm_context_misfits(m, t->now, from, end, misfits);
    for (uint32_t i = 1; i < EFM_CONTEXT_TRUSTS; i++) {
        best = misfits[i] < misfits[best] ? i : best;
    }
    return I + best;
}

static void write_tile(const temporal *t, efm_context *m, coder *k, uint32_t kind, uint32_t from, uint32_t end)
{
    uint32_t channels = t->args.channels;

    look_back(m, t, kind);
    if (kind == SKIP) {
        memmove(t->now + from * channels, t->args.reference + from * channels, (end - from) * channels);
    } else {
        efm_context_write(m, k, t->now, from, end);
    }
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity,
                   uint32_t *bytes)
{
    coder k = open_room(code, capacity);
    temporal t = open_state(args);
    uint32_t kind = I, end;
    efm_context m;

    begin(&t, &m);
    memmove(t.now, row, args->width * args->channels);
    for (uint32_t from = 0; from < args->width; from = end) {
        uint32_t before = kind;

        end = tile_end(&t, from);
        kind = choose_kind(&t, &m, from, end);
        if (args->reference != 0) {
            write_kind(&k, &t, before, kind);
        }
        write_tile(&t, &m, &k, kind, from, end);
    }
    efm_context_end(&m, t.now);
    keep(&t);
    *bytes = finish(&k);
}

static void skip(const efm_codec_args *args, const int8_t *row)
{
    temporal t = open_state(args);

    efm_context_skip(&t.args, row);
    forget(&t);
    keep(&t);
}

const efm_codec_class efm_codec_temporal = {
    EFM_CODEC_TEMPORAL, check, state_bytes, encode, decode, skip,
};
