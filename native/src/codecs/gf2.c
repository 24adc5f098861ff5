/* SPDX-License-Identifier: Apache-2.0 */
/* Learned binary codes of bit planes (docs/FORMAT.md, codec 8; its twin edgefm/codecs/gf2.py).
 *
 * Tables: a head; a curve or none; per stored bit a threshold and terms, (plane bit, sign); per value of a block a
 * constant and terms, (stored bit, shift, sign). Blocks are coded one after the other. */
#include <stddef.h>

#include "edgefm_bytes.h"
#include "../config.h"
#include "shared.h"

enum {
    PLANES = 8,
    HEAD_BYTES = 8,
    BIT_HEAD = 2,
    VALUE_HEAD = 4,
    TERM_BYTES = 2,
    MOST_STORED = 2048,
    NEGATIVE = 0x8000,
    SHIFT_AT = 11,
    CURVED = 1,
    LEVELS = 256
};

typedef struct net {
    const efm_codec_args *args;
    const uint8_t *curve; /* null: levels are coded as they are */
    uint32_t units;       /* offset of the first, behind head and curve */
    uint32_t block;       /* pixels */
    uint32_t outputs;     /* values of a block */
    uint32_t stored;      /* bits of a block */
    int32_t lowest;
} net;

static void open_net(const efm_codec_args *args, net *n)
{
    n->args = args;
    n->block = args->tables[0];
    n->lowest = efm_int8(args->tables[1]);
    n->stored = efm_load_le16(args->tables + 2);
    n->outputs = n->block * args->channels;
    n->curve = args->tables[4] == CURVED ? args->tables + HEAD_BYTES : NULL;
    n->units = HEAD_BYTES + (n->curve == NULL ? 0 : 2 * LEVELS + n->outputs);
}

/* Where value number `output` of a block lies in the row; pixels past its end are the last one. */
static uint32_t place(const net *n, uint32_t first, uint32_t output)
{
    uint32_t x = first + output / n->args->channels, last = n->args->width - 1;
    return (x < last ? x : last) * n->args->channels + output % n->args->channels;
}

static uint32_t row_bits(const net *n)
{
    return (n->args->width + n->block - 1) / n->block * n->stored;
}

/* -- the tables ------------------------------------------------------------------------------------ */

/* Passes `count` units; null when they leave the tables or a term is not below `limit`. */
static const uint8_t *check_units(const net *n, const uint8_t *at, uint32_t count, uint32_t head, uint32_t mask,
                                  uint32_t limit)
{
    const uint8_t *end = n->args->tables + n->args->tables_bytes;
    for (uint32_t i = 0; i < count; i++) {
        if ((uint32_t)(end - at) < head || (head == VALUE_HEAD && at[3] != 0)) {
            return NULL;
        }
        uint32_t terms = head == VALUE_HEAD ? at[2] : at[1];
        at += head;
        if ((uint32_t)(end - at) < terms * TERM_BYTES) {
            return NULL;
        }
        for (; terms > 0; terms--, at += TERM_BYTES) {
            if ((efm_load_le16(at) & mask) >= limit) {
                return NULL;
            }
        }
    }
    return at;
}

static efm_status check(const efm_codec_args *args)
{
    net n;
    if (args->tables_bytes < HEAD_BYTES) {
        return EFM_BAD_CODEC;
    }
    open_net(args, &n);
    uint32_t most = n.block == 0 || args->channels > NEGATIVE / PLANES / n.block ? 0 : PLANES * n.outputs;
    if (efm_load_le32(args->tables + 4) > CURVED || n.stored == 0 || n.stored > most || n.stored > MOST_STORED
        || n.units > args->tables_bytes) {
        return EFM_BAD_CODEC;
    }
    const uint8_t *at = check_units(&n, args->tables + n.units, n.stored, BIT_HEAD, NEGATIVE - 1, most);
    if (at != NULL) {
        at = check_units(&n, at, n.outputs, VALUE_HEAD, MOST_STORED - 1, n.stored);
    }
    return at == args->tables + args->tables_bytes ? EFM_OK : EFM_BAD_CODEC;
}

/* -- coding ---------------------------------------------------------------------------------------- */

/* What value number `output` of a block is coded as: its level, put on the curve and rounded there. */
static uint32_t coded_level(const net *n, const int8_t *row, uint32_t first, uint32_t output)
{
    int32_t level = row[place(n, first, output)] - n->lowest;
    uint32_t coded = level < 0 ? 0 : (uint32_t)level;
    if (n->curve != NULL) {
        coded = (uint32_t)n->curve[coded] + n->curve[2 * LEVELS + output];
    }
    return coded < LEVELS ? coded : LEVELS - 1;
}

/* The signed count of a stored bit's plane bits; moves past its terms. */
static int32_t count_planes(const net *n, const int8_t *row, uint32_t first, const uint8_t **at)
{
    const uint8_t *term = *at + BIT_HEAD, *end = term + (*at)[1] * TERM_BYTES;
    int32_t count = 0;
    for (; term < end; term += TERM_BYTES) {
        uint32_t word = efm_load_le16(term), index = word & (NEGATIVE - 1);
        int32_t bit = (int32_t)(coded_level(n, row, first, index % n->outputs) >> (index / n->outputs) & 1);
        count += word & NEGATIVE ? -bit : bit;
    }
    *at = end;
    return count;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    net n;
    open_net(args, &n);
    uint32_t needed = (row_bits(&n) + 7) / 8, at = 0;
    *bytes = 0;
    if (needed > capacity) {
        return;
    }
    for (uint32_t first = 0; first < args->width; first += n.block) {
        const uint8_t *unit = args->tables + n.units;
        for (uint32_t i = 0; i < n.stored; i++, at++) {
            int32_t threshold = efm_int8(unit[0]);
            uint32_t bit = count_planes(&n, row, first, &unit) >= threshold;
            code[at / 8] = (uint8_t)((at % 8 == 0 ? 0u : code[at / 8]) | bit << at % 8);
        }
    }
    *bytes = needed;
}

/* A value's level from the stored bits that begin at bit `from`; moves past its terms. */
static int32_t sum_stored(const net *n, const uint8_t *code, uint32_t from, const uint8_t **at)
{
    const uint8_t *term = *at + VALUE_HEAD, *end = term + (*at)[2] * TERM_BYTES;
    int32_t level = (int32_t)(efm_load_le16(*at) ^ 0x8000u) - 0x8000;
    for (; term < end; term += TERM_BYTES) {
        uint32_t word = efm_load_le16(term), bit = from + (word & (MOST_STORED - 1));
        int32_t weight = (int32_t)((code[bit / 8] >> bit % 8 & 1u) << (word >> SHIFT_AT & 15u));
        level += word & NEGATIVE ? -weight : weight;
    }
    *at = end;
    level = level < 0 ? 0 : level >= LEVELS ? LEVELS - 1 : level;
    return n->curve == NULL ? level : n->curve[LEVELS + level];
}

static void decode_block(const net *n, const uint8_t *code, uint32_t first, const uint8_t *unit, int8_t *row)
{
    uint32_t from = first / n->block * n->stored;
    for (uint32_t output = 0; output < n->outputs; output++) {
        int32_t value = sum_stored(n, code, from, &unit) + n->lowest;
        if (first + output / n->args->channels < n->args->width) {
            row[place(n, first, output)] = (int8_t)(value > 127 ? 127 : value);
        }
    }
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    net n;
    open_net(args, &n);
    uint32_t bits = row_bits(&n), needed = (bits + 7) / 8;
    if (bytes != needed || (bits % 8 != 0 && code[bytes - 1] >> bits % 8 != 0)) {
        for (uint32_t i = 0; i < args->width * args->channels; i++) {
            row[i] = (int8_t)args->zero_point;
        }
        return EFM_BAD_CODEC;
    }
    const uint8_t *values = args->tables + n.units;
    for (uint32_t i = 0; i < n.stored; i++) {
        values += BIT_HEAD + values[1] * TERM_BYTES;
    }
    for (uint32_t first = 0; first < args->width; first += n.block) {
        decode_block(&n, code, first, values, row);
    }
    return EFM_OK;
}

const efm_codec_class efm_codec_gf2 = {
    .id = EFM_CODEC_GF2,
    .check = check,
    .state_bytes = efm_no_state,
    .encode = encode,
    .decode = decode,
    .skip = efm_no_skip,
    .recall = efm_no_skip,
};
