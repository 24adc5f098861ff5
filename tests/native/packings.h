/* SPDX-License-Identifier: Apache-2.0 */
/* CONV tiles of packing ROWS in packings for one instruction set, as docs/FORMAT.md has them. */
#ifndef PACKINGS_H
#define PACKINGS_H

#include <stdlib.h>
#include <string.h>

#include "kernels/kernel.h"
#include "kernels/table.h"

/* A weight less `zero`; zero behind them. */
static int32_t weight_from(const efm_tile *rows, uint32_t o, uint32_t i, int32_t zero)
{
    return o < rows->out && i < rows->depth ? rows->weights[(size_t)o * rows->depth + i] - zero : 0;
}

static int32_t weight(const efm_tile *rows, uint32_t o, uint32_t i)
{
    return weight_from(rows, o, i, 0);
}

/* Whether channels o and o + 1 may lie in one half, and their sums can be told apart. */
static int halves_hold(const efm_tile *rows, uint32_t o)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < rows->depth; i++) {
        int32_t low = weight(rows, o, i), high = weight(rows, o + 1, i);
        sum += (uint32_t)abs(high);
        if (256 * high + low < INT16_MIN) {
            return 0;
        }
    }
    return rows->table[EFM_TABLE_AT_WEIGHT_ZERO] == 0 && sum < 1u << 16;
}

/* Four inputs of two channels: the words of inputs 0 and 2, then those of 1 and 3. */
static uint8_t *put_pairs(const efm_tile *rows, uint32_t o, uint32_t i, uint8_t *to)
{
    int32_t zero = (int8_t)rows->table[EFM_TABLE_AT_WEIGHT_ZERO];
    for (uint32_t odd = 0; odd < 2; odd++) {
        for (uint32_t c = o; c < o + 2; c++, to += 4) {
            efm_store_le16(to, (uint16_t)(weight_from(rows, c, i + odd, zero)));
            efm_store_le16(to + 2, (uint16_t)(weight_from(rows, c, i + odd + 2, zero)));
        }
    }
    return to;
}

static uint8_t *put_halves(const efm_tile *rows, uint32_t o, uint32_t i, uint8_t *to)
{
    static const uint8_t order[] = {0, 2, 1, 3};
    for (uint32_t n = 0; n < 4; n++, to += 2) {
        efm_store_le16(to, (uint16_t)(256 * weight(rows, o + 1, i + order[n]) + weight(rows, o, i + order[n])));
    }
    return to;
}

static void put_rows(const efm_tile *rows, uint32_t o, uint32_t padded, uint8_t *to)
{
    for (uint32_t c = o; c < o + 2; c++) {
        for (uint32_t i = 0; i < padded; i++) {
            *to++ = (uint8_t)weight(rows, c, i);
        }
    }
}

/* The tile with its bytes in new memory of exactly their size, aligned as malloc() aligns. `plain`: some blocks of
   HALVES stay rows although they need not. */
static efm_tile pack(const efm_tile *rows, uint32_t packing, int plain, uint8_t **memory)
{
    uint32_t head = EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * rows->out, padded = (rows->depth + 3) & ~3u;
    uint32_t each = packing == EFM_PACKING_PAIRS ? 4 * padded : 2 * padded;
    uint8_t *at = malloc(head + (size_t)each * ((rows->out + 1) / 2));
    if (at == NULL) {
        abort();
    }
    efm_tile tile = {
        .table = at, .weights = (const int8_t *)at + head, .out = rows->out, .depth = rows->depth, .packing = packing};
    memcpy(at, rows->table, head);
    for (uint32_t o = 0; o < rows->out; o += 2) {
        uint8_t *to = at + head + o / 2 * each;
        int halves = packing == EFM_PACKING_HALVES && halves_hold(rows, o) && !(plain && o % 6 == 0);
        if (halves) {
            at[EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * o + EFM_CHANNEL_AT_SHIFT + 3] |= 1
                                                                                           << (EFM_CHANNEL_HALVES - 24);
        } else if (packing == EFM_PACKING_HALVES) {
            put_rows(rows, o, padded, to);
            at[EFM_TABLE_AT_FLAGS] |= EFM_TABLE_PLAIN;
            continue;
        }
        for (uint32_t i = 0; i < padded; i += 4) {
            to = halves ? put_halves(rows, o, i, to) : put_pairs(rows, o, i, to);
        }
    }
    *memory = at;
    return tile;
}

#endif
