/* SPDX-License-Identifier: Apache-2.0 */
#include "shift.h"

#include <string.h>

#include "../bits.h"
#include "../format.h"
#include "shared.h"

/* Values are multiples of 2^shift around the zero point, from low to high of them. */
typedef struct lattice {
    int32_t zero_point;
    uint32_t shift;
    int32_t low, high;
} lattice;

static int32_t floor_shift(int32_t v, uint32_t shift)
{
    return v >= 0 ? v >> shift : -((-v + (1 << shift) - 1) >> shift);
}

static lattice lattice_of(const efm_codec_args *args, uint32_t shift)
{
    lattice l = {args->zero_point, shift, 0, 0};
    l.low = -floor_shift(args->zero_point + 128, shift);
    l.high = floor_shift(127 - args->zero_point, shift);
    return l;
}

/* The values of one tile of a row: where they are, and their lattice. */
typedef struct span {
    uint32_t at, count;
    lattice l;
} span;

static uint32_t values_of(const efm_codec_args *args)
{
    return args->width * args->channels;
}

/* The tile that begins at value `at`, number t; a row without tiles is one. */
static span tile_at(const efm_shift *s, uint32_t shift, uint32_t t, uint32_t at)
{
    uint32_t left = values_of(s->args) - at, most = s->tiles.pixels * s->args->channels;
    uint32_t sum = shift + (s->tiles.offsets != 0 ? s->tiles.offsets[t] : 0);
    span found = {at, most < left ? most : left, lattice_of(s->args, sum < EFM_MAX_SHIFT ? sum : EFM_MAX_SHIFT)};
    return found;
}

/* Bytes of a row that is stored without a code: 8 less its shift bits of each value. */
static uint32_t packed_bytes(const efm_shift *s, uint32_t shift)
{
    uint32_t bits = 0;
    for (uint32_t at = 0, t = 0; at < values_of(s->args); t++) {
        span tile = tile_at(s, shift, t, at);
        bits += tile.count * (EFM_MAX_SHIFT - tile.l.shift);
        at += tile.count;
    }
    return (bits + 7) / 8;
}

/* The multiple nearest to the distance d from the zero point; halves up, where there are tiles to the even one:
   many values of a map that is shifted throughout are halves, and must not all move the same way. */
static int32_t nearest(const efm_shift *s, const lattice *l, int32_t d)
{
    int32_t half = (1 << l->shift) / 2;
    if (half > 0 && s->tiles.offsets != 0) {
        half -= (floor_shift(d, l->shift) & 1) == 0;
    }
    return floor_shift(d + half, l->shift);
}

static void shift_row(const efm_shift *s, uint32_t shift, const int8_t *row, int8_t *to)
{
    for (uint32_t at = 0, t = 0; at < values_of(s->args); t++) {
        span tile = tile_at(s, shift, t, at);
        const lattice *l = &tile.l;
        for (at += tile.count; tile.at < at; tile.at++) {
            int32_t q = nearest(s, l, row[tile.at] - l->zero_point);
            q = q < l->low ? l->low : q > l->high ? l->high : q;
            to[tile.at] = (int8_t)(l->zero_point + q);
        }
    }
}

/* Returns 0, or 1 where a value is none that a shift leaves. */
static uint32_t unshift_row(const efm_shift *s, uint32_t shift, int8_t *row)
{
    uint32_t bad = 0;
    for (uint32_t at = 0, t = 0; at < values_of(s->args); t++) {
        span tile = tile_at(s, shift, t, at);
        const lattice *l = &tile.l;
        for (at += tile.count; tile.at < at; tile.at++) {
            int32_t q = row[tile.at] - l->zero_point;
            bad |= q < l->low || q > l->high;
            q = q < l->low ? l->low : q > l->high ? l->high : q;
            row[tile.at] = (int8_t)(l->zero_point + q * (1 << l->shift));
        }
    }
    return bad;
}

static void pack(const efm_shift *s, uint32_t shift, const int8_t *row, uint8_t *code, uint32_t bytes)
{
    efm_bit_writer w = {code, bytes, 0};
    for (uint32_t at = 0, t = 0; at < values_of(s->args); t++) {
        span tile = tile_at(s, shift, t, at);
        const lattice *l = &tile.l;
        for (at += tile.count; tile.at < at; tile.at++) {
            efm_bits_write(&w, (uint32_t)(row[tile.at] - l->zero_point - l->low), EFM_MAX_SHIFT - l->shift);
        }
    }
}

/* Returns what is wrong. */
static uint32_t unpack(const efm_shift *s, uint32_t shift, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    efm_bit_reader r = {code, bytes, 0};
    uint32_t bad = 0;
    for (uint32_t at = 0, t = 0; at < values_of(s->args); t++) {
        span tile = tile_at(s, shift, t, at);
        const lattice *l = &tile.l;
        for (at += tile.count; tile.at < at; tile.at++) {
            int32_t q = (int32_t)efm_bits_read(&r, EFM_MAX_SHIFT - l->shift) + l->low;
            bad |= q > l->high;
            row[tile.at] = (int8_t)(l->zero_point + (q > l->high ? l->high : q));
        }
    }
    return bad | !efm_bits_spent(&r);
}

/* Shows the codec the row above in the steps of this one, unless it starts over. */
static void recall(const efm_shift *s, uint32_t shift, uint32_t fresh)
{
    if (s->tiles.offsets == 0 || fresh || s->args->y == 0) {
        return;
    }
    shift_row(s, shift, s->other, s->other);
    s->codec->recall(s->args, s->other);
}

uint32_t efm_shift_head(const efm_shift *s, uint32_t shift)
{
    return shift < EFM_MAX_SHIFT ? 1 + s->signal_bytes : 1;
}

uint32_t efm_shift_encode(const efm_shift *s, const int8_t *row, uint32_t room, uint32_t fresh, uint8_t *code,
                          uint32_t *shift)
{
    uint32_t values = values_of(s->args), y = s->args->y;
    recall(s, *shift, fresh);
    for (;; fresh = EFM_ROW_FRESH, *shift += 1) {
        uint32_t packed = packed_bytes(s, *shift), head = efm_shift_head(s, *shift), bytes = 0;
        int plain = *shift == 0 && s->tiles.offsets == 0;
        const int8_t *seen = plain ? row : s->other;
        if (!plain) {
            shift_row(s, *shift, row, s->other);
        }
        s->args->y = fresh ? 0 : y;
        if (packed > 1 && room > head) {
            s->codec->encode(s->args, seen, code + head, values + EFM_SHIFT_SPARE + 1 - head, &bytes);
        }
        if (bytes >= packed || bytes > room - head) {
            bytes = 0;
        }
        if (bytes == 0 && head + packed > room) {
            continue;
        }
        code[0] = (uint8_t)(*shift | (bytes > 0 && fresh ? EFM_ROW_FRESH : 0));
        if (bytes == 0) {
            pack(s, *shift, seen, code + head, packed);
            s->codec->skip(s->args, seen);
            bytes = packed;
        }
        if (s->tiles.offsets != 0) {
            (void)unshift_row(s, *shift, s->other);
        }
        return head + bytes;
    }
}

/* The row in coarse steps, as the codec sees it. */
static efm_status decode_seen(const efm_shift *s, uint32_t fresh, uint32_t shift, const uint8_t *code, uint32_t bytes,
                              int8_t *row)
{
    uint32_t packed = packed_bytes(s, shift);
    if (bytes == packed) {
        uint32_t bad = fresh | unpack(s, shift, code, packed, row);
        s->codec->skip(s->args, row);
        return bad ? EFM_BAD_CODEC : EFM_OK;
    }
    if (bytes == 0 || bytes > packed) {
        memset(row, s->args->zero_point, values_of(s->args));
        return EFM_BAD_CODEC;
    }
    recall(s, shift, fresh);
    if (fresh) {
        s->args->y = 0;
    }
    return s->codec->decode(s->args, code, bytes, row);
}

efm_status efm_shift_decode(const efm_shift *s, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    uint32_t shift = code[0] & EFM_ROW_SHIFT, fresh = code[0] & EFM_ROW_FRESH, head = efm_shift_head(s, shift);
    uint32_t values = values_of(s->args);
    if (shift > EFM_MAX_SHIFT || code[0] > (EFM_ROW_SHIFT | EFM_ROW_FRESH) || bytes < head) {
        memset(row, s->args->zero_point, values);
        return EFM_BAD_CODEC;
    }
    efm_status status = decode_seen(s, fresh, shift, code + head, bytes - head, row);
    if (unshift_row(s, shift, row)) {
        status = EFM_BAD_CODEC;
    }
    if (s->tiles.offsets != 0) {
        memmove(s->other, row, values);
    }
    return status;
}
