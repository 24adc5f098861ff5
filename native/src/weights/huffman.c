/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical Huffman codes of at most ten bits, lowest bit first, decoded two at a time out of one word.
 *
 * A table's entry holds a value in its low byte and the bits of its code above. An escape (the value follows in eight
 * bits) and runs of zeros have TOO_LONG there, which no pair of values adds up to; their kind and code length are in
 * the low byte. So one comparison per pair sends all of them, and forged codes, to the slow path. */
#include <string.h>

#include "../config.h"
#include "edgefm_bytes.h"
#include "weights.h"

#if EFM_WITH_WEIGHT_CODES

enum { PAIR = 2 * EFM_WEIGHTS_LONGEST, TOO_LONG = 31, WORD = 32 };
enum { AHEAD = 6 };   /* bytes from a bit's byte that two words from there and PAIR bits on may touch */
enum { MASK = EFM_WEIGHTS_ENTRIES - 1, LENGTH = 31, ESCAPED_BITS = 8 };
enum { NO_CODE, ESCAPE, RUN_8, RUN_32, RUN_128, SPECIALS = RUN_128 };
enum { SPECIAL_LENGTHS = 0, FIRST_VALUE = 2, VALUES = 3, FORM = 4, HEAD = 5, MIRRORED = 1 };   /* bytes of a record */

typedef struct decoder {
    const uint16_t *table;
    const uint8_t *coded;
    uint32_t bytes;
    uint32_t at;         /* bits read */
    int8_t *to, *end;
} decoder;

/* Two values to `to`; returns the bits of their codes, or more than PAIR when one is not a plain value. */
static inline uint32_t decode_pair(const uint16_t *table, const uint8_t *coded, uint32_t at, int8_t *to)
{
    uint32_t word = efm_load_le32(coded + at / 8) >> at % 8;
    uint32_t first = table[word & MASK], second;

    to[0] = (int8_t)first;
    second = table[word >> (first >> 8 & LENGTH) & MASK];
    to[1] = (int8_t)second;
    return (first >> 8) + (second >> 8);
}

/* Four values at a time, as long as no code is special and whole words can be read. */
static void decode_fours(decoder *d)
{
    uint32_t at = d->at, end = d->bytes < AHEAD ? 0 : 8 * (d->bytes - AHEAD); /* words of four begin before this bit */
    int8_t *to = d->to;

    for (const int8_t *last = d->end - to < 4 ? to : d->end - 3; to < last && at < end; to += 4) {
        uint32_t used = decode_pair(d->table, d->coded, at, to);

        if (used > PAIR) {
            break;
        }
        at += used;
        used = decode_pair(d->table, d->coded, at, to + 2);
        if (used > PAIR) {
            to += 2;
            break;
        }
        at += used;
    }
    d->at = at;
    d->to = to;
}

/* The next bits, zeros past the end. */
static uint32_t window(const decoder *d)
{
    uint32_t from = d->at / 8, word = 0;

    if (from + 4 <= d->bytes) {
        return efm_load_le32(d->coded + from) >> d->at % 8;
    }
    for (uint32_t i = 0; from + i < d->bytes; i++) {
        word |= (uint32_t)d->coded[from + i] << 8 * i;
    }
    return word >> d->at % 8;
}

/* One symbol: a value, an escaped one or a run. */
static int decode_symbol(decoder *d)
{
    static const uint8_t runs[] = {0, 1, 8, 32, 128};
    uint32_t word = window(d), entry = d->table[word & MASK], length = entry >> 8, kind = entry >> 4 & 15, run;

    if (length <= EFM_WEIGHTS_LONGEST) {
        *d->to++ = (int8_t)entry;
        d->at += length;
        return 1;
    }
    length = entry & 15;
    run = kind <= SPECIALS ? runs[kind] : 0;
    if (run == 0 || run > (uint32_t)(d->end - d->to)) {
        return 0;
    }
    memset(d->to, kind == ESCAPE ? (int)(word >> length & 255) : 0, run);
    d->to += run;
    d->at += length + (kind == ESCAPE ? ESCAPED_BITS : 0);
    return 1;
}

efm_status efm_weights_huffman(const uint16_t *table, const uint8_t *coded, uint32_t bytes, int8_t *to, uint32_t count)
{
    decoder d = {table, coded, bytes, 0, to, to + count};

    while (d.to < d.end && d.at < 8 * bytes) {
        decode_fours(&d);
        if (d.to < d.end && !decode_symbol(&d)) {
            return EFM_BAD_CODEC;
        }
    }
    return d.to == d.end && (d.at + 7) / 8 == bytes && (window(&d) & ((1u << (8 * bytes - d.at)) - 1)) == 0
               ? EFM_OK
               : EFM_BAD_CODEC;
}

/* The code length of symbol `i` of a record: specials, then values in ascending order; 0: has no code. A mirrored record
 * has the lengths of the lower half and the middle. */
static uint32_t length_of(const uint8_t *record, uint32_t i)
{
    uint32_t nibble = i - SPECIALS, last = record[VALUES];

    if (i < SPECIALS) {
        return record[SPECIAL_LENGTHS + i / 2] >> 4 * (i % 2) & 15;
    }
    nibble = record[FORM] == MIRRORED && nibble > last / 2 ? last - nibble : nibble;
    return record[HEAD + nibble / 2] >> 4 * (nibble % 2) & 15;
}

static uint32_t entry_of(const uint8_t *record, uint32_t i, uint32_t length)
{
    return i < SPECIALS ? (uint32_t)TOO_LONG << 8 | (i + 1) << 4 | length
                        : length << 8 | ((record[FIRST_VALUE] + i - SPECIALS) & 255);
}

/* Lengths of values that a record has. */
static uint32_t stored_of(const uint8_t *record)
{
    return record[FORM] == MIRRORED ? (record[VALUES] + 1u) / 2 + 1 : record[VALUES] + 1u;
}

uint32_t efm_weights_record_bytes(const uint8_t *record, uint32_t most)
{
    uint32_t bytes = most < HEAD ? 0 : HEAD + (stored_of(record) + 1) / 2;

    return bytes <= most ? bytes : 0;
}

/* The number of symbols, or 0 for a record of another size or form, or whose values pass 127. */
static uint32_t symbols_of(const uint8_t *record, uint32_t bytes)
{
    if (bytes == 0 || bytes != efm_weights_record_bytes(record, bytes)) {
        return 0;
    }
    uint32_t values = record[VALUES] + 1u, mirrored = record[FORM] == MIRRORED, stored = stored_of(record);

    if ((record[FIRST_VALUE] ^ 128u) + values > 256 || (stored % 2 != 0 && record[bytes - 1] >> 4 != 0)
        || (mirrored ? values % 2 == 0 : record[FORM] != 0)) {
        return 0;
    }
    return SPECIALS + values;
}

/* Counts codes by length; 0 when one is too long, or when they are more than fit. */
static int count_lengths(const uint8_t *record, uint32_t symbols, uint32_t *count)
{
    uint32_t room = EFM_WEIGHTS_ENTRIES;

    for (uint32_t i = 0; i < symbols; i++) {
        uint32_t length = length_of(record, i);
        uint32_t taken = length == 0 ? 0 : EFM_WEIGHTS_ENTRIES >> length;

        if (length > EFM_WEIGHTS_LONGEST || taken > room) {
            return 0;
        }
        room -= taken;
        count[length]++;
    }
    return room < EFM_WEIGHTS_ENTRIES;
}

efm_status efm_weights_check_record(const uint8_t *record, uint32_t bytes)
{
    uint32_t symbols = symbols_of(record, bytes), count[16] = {0};

    return symbols != 0 && count_lengths(record, symbols, count) ? EFM_OK : EFM_BAD_CODEC;
}

static uint32_t reversed(uint32_t code, uint32_t bits)
{
    uint32_t back = 0;

    for (; bits > 0; bits--, code >>= 1) {
        back = back << 1 | (code & 1);
    }
    return back;
}

efm_status efm_weights_build_table(const uint8_t *record, uint32_t bytes, uint16_t *table)
{
    uint32_t symbols = symbols_of(record, bytes);
    uint32_t count[16] = {0}, next[16] = {0};

    if (symbols == 0 || !count_lengths(record, symbols, count)) {
        return EFM_BAD_CODEC;
    }
    for (uint32_t length = 2; length <= EFM_WEIGHTS_LONGEST; length++) {
        next[length] = (next[length - 1] + count[length - 1]) << 1;
    }
    for (uint32_t i = 0; i < EFM_WEIGHTS_ENTRIES; i++) {
        table[i] = TOO_LONG << 8;
    }
    for (uint32_t i = 0; i < symbols; i++) {
        uint32_t length = length_of(record, i);

        for (uint32_t at = length == 0 ? EFM_WEIGHTS_ENTRIES : reversed(next[length]++, length);
             at < EFM_WEIGHTS_ENTRIES; at += 1u << length) {
            table[at] = (uint16_t)entry_of(record, i, length);
        }
    }
    return EFM_OK;
}

static int usable(uint32_t entry)
{
    int special = entry >> 8 == TOO_LONG;
    uint32_t length = special ? entry & 15 : entry >> 8, kind = entry >> 4 & 15;

    return entry == TOO_LONG << 8
           || (length - 1 < EFM_WEIGHTS_LONGEST && (!special || (kind != NO_CODE && kind <= SPECIALS)));
}

efm_status efm_weights_check_table(const uint16_t *table)
{
    uint32_t good = 1;

    for (uint32_t i = 0; i < EFM_WEIGHTS_ENTRIES; i++) {
        good &= (uint32_t)usable(table[i]);
    }
    return good ? EFM_OK : EFM_BAD_CODEC;
}

#else

uint32_t efm_weights_record_bytes(const uint8_t *record, uint32_t most)
{
    (void)record, (void)most;
    return 0;
}

efm_status efm_weights_check_record(const uint8_t *record, uint32_t bytes)
{
    (void)record, (void)bytes;
    return EFM_BAD_FEATURE;
}

efm_status efm_weights_build_table(const uint8_t *record, uint32_t bytes, uint16_t *table)
{
    (void)record, (void)bytes, (void)table;
    return EFM_BAD_FEATURE;
}

efm_status efm_weights_check_table(const uint16_t *table)
{
    (void)table;
    return EFM_BAD_FEATURE;
}

#endif
