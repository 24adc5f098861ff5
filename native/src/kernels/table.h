/* SPDX-License-Identifier: Apache-2.0 */
/* The requantization table of a tile: a head for all channels, then a record for each. Every byte pattern means
 * something and nothing that it says can overflow, so that it needs no check. */
#ifndef EFM_TABLE_H
#define EFM_TABLE_H

#include "edgefm_bytes.h"
#include "../fixed.h"

enum {
    EFM_TABLE_AT_LOW = 0,         /* i8: least result */
    EFM_TABLE_AT_HIGH = 1,        /* i8: largest result */
    EFM_TABLE_AT_WEIGHT_ZERO = 2, /* i8 */
    EFM_TABLE_AT_FLAGS = 3,
    EFM_TABLE_AT_ZERO_POINT = 4,  /* i32: of the output */
    EFM_TABLE_HEAD_BYTES = 8,
    EFM_CHANNEL_AT_BIAS = 0,       /* i32 */
    EFM_CHANNEL_AT_MULTIPLIER = 4, /* 31 bits */
    EFM_CHANNEL_AT_SHIFT = 8,      /* bits 0 .. 21: low factor of ROUND_ONCE, 22 .. 27: shift + 31 */
    EFM_CHANNEL_BYTES = 12
};

enum {
    EFM_TABLE_ROUND_ONCE = 1, /* efm_requant_once, else efm_requant_twice */
    EFM_TABLE_PROVED = 2,     /* for every possible input of every channel: shift < 0 and |sum + bias| < 2^30 */
    EFM_TABLE_PLAIN = 4       /* packing HALVES: some blocks are rows */
};

enum { EFM_CHANNEL_HALVES = 28 /* packing HALVES: bit of a block's first shift word where the block is halves */ };

typedef struct efm_table {
    const uint8_t *channels; /* the first record */
    int32_t low, high, weight_zero, zero_point;
    uint32_t flags;
} efm_table;

typedef struct efm_channel {
    int32_t bias;
    int32_t multiplier; /* >= 0 */
    int32_t shift;      /* EFM_SHIFT_MIN .. EFM_SHIFT_MAX */
    uint32_t low;       /* 22 bits */
} efm_channel;

static inline efm_table efm_table_read(const uint8_t *table)
{
    efm_table t = {table + EFM_TABLE_HEAD_BYTES,
                   (int8_t)table[EFM_TABLE_AT_LOW],
                   (int8_t)table[EFM_TABLE_AT_HIGH],
                   (int8_t)table[EFM_TABLE_AT_WEIGHT_ZERO],
                   efm_load_le32s(table + EFM_TABLE_AT_ZERO_POINT),
                   table[EFM_TABLE_AT_FLAGS]};
    return t;
}

static inline efm_channel efm_channel_read(const efm_table *table, uint32_t o)
{
    const uint8_t *at = table->channels + EFM_CHANNEL_BYTES * o;
    uint32_t packed = efm_load_le32(at + EFM_CHANNEL_AT_SHIFT);
    int32_t shift = (int32_t)(packed >> 22 & 63) + EFM_SHIFT_MIN;
    efm_channel c = {efm_load_le32s(at + EFM_CHANNEL_AT_BIAS),
                     (int32_t)(efm_load_le32(at + EFM_CHANNEL_AT_MULTIPLIER) & INT32_MAX),
                     shift < EFM_SHIFT_MAX ? shift : EFM_SHIFT_MAX, packed & 0x3fffff};
    return c;
}

/* clamp(zero_point + scale(sum + bias)); additions wrap. */
static inline int8_t efm_requantize(const efm_table *table, const efm_channel *c, int32_t sum)
{
    int32_t v = (int32_t)((uint32_t)sum + (uint32_t)c->bias);
    v = table->flags & EFM_TABLE_ROUND_ONCE ? efm_requant_once(v, c->multiplier, c->low, c->shift)
                                            : efm_requant_twice(v, c->multiplier, c->shift);
    v = (int32_t)((uint32_t)v + (uint32_t)table->zero_point);
    return (int8_t)efm_clamp(v, table->low, table->high);
}

#endif
