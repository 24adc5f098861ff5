/* SPDX-License-Identifier: Apache-2.0 */
/* Packing OWN of a CONV tile. */
#include "conv.h"

#if EFM_KERNEL_NEON

uint32_t efm_neon_conv_pack_bytes(const efm_tile *rows, const efm_neon_loops *loops)
{
    if (rows->depth > EFM_NEON_DEPTH || rows->out > UINT32_MAX / 4 / EFM_NEON_DEPTH) {
        return 0;
    }
    uint32_t lane_bytes = loops->lane_bytes(rows->depth), whole = rows->out / EFM_NEON_BLOCK;
    size_t bytes = sizeof(efm_neon_head) + whole * efm_neon_block_bytes(EFM_NEON_BLOCK, lane_bytes);
    uint32_t rest = rows->out % EFM_NEON_BLOCK;
    return (uint32_t)(bytes + (rest ? efm_neon_block_bytes(rest, lane_bytes) : 0));
}

/* Whether no products of weights that lie eight apart in a vector can reach 2 * -128 * -128. */
static int is_narrow(const int8_t *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (w[i] == INT8_MIN) {
            return 0;
        }
    }
    return 1;
}

/* The sum of a channel's weights without sign is at most 128 * 255 * depth, depth <= EFM_NEON_DEPTH. */
static int is_proved(const efm_channel *c, const int8_t *w, uint32_t depth, int32_t weight_zero)
{
    int64_t most = c->bias < 0 ? -(int64_t)c->bias : c->bias;
    for (uint32_t i = 0; i < depth; i++) {
        int32_t v = w[i] - weight_zero;
        most += 128 * (v < 0 ? -v : v);
    }
    return c->multiplier == 0 || (c->shift < 0 && most < (int64_t)1 << 30); /* 0 * x is 0 by any formula */
}

/* A tile loses its flag for one channel of another block. */
static int32_t mode_of(const efm_table *table, const efm_tile *rows, uint32_t first, uint32_t count)
{
    efm_table proved = *table;
    efm_neon_channels c;
    proved.flags |= EFM_TABLE_PROVED;
    for (uint32_t o = first; o < first + count; o++) {
        efm_channel channel = efm_channel_read(table, o);
        if (!is_proved(&channel, rows->weights + (size_t)o * rows->depth, rows->depth, table->weight_zero)) {
            proved = *table;
        }
    }
    efm_neon_read_channels(&proved, first, 0, &c);
    return c.mode;
}

static int8_t *pack_pieces(const efm_tile *rows, const efm_neon_loops *loops, uint32_t first, uint32_t count,
                           int8_t *to)
{
    uint32_t lane_bytes = loops->lane_bytes(rows->depth);
    for (uint32_t at = 0, lanes; at < count; at += EFM_NEON_LANES * lanes) {
        lanes = efm_neon_piece(count - at, loops->lanes);
        loops->pack(rows->weights + (size_t)(first + at) * rows->depth, count - at, lanes, rows->depth, to);
        to += (size_t)lanes * lane_bytes;
    }
    return to;
}

void efm_neon_conv_pack(const efm_tile *rows, const efm_neon_loops *loops, uint8_t *to)
{
    const efm_table table = efm_table_read(rows->table);
    efm_neon_head *head = (efm_neon_head *)(void *)to;
    *head = (efm_neon_head){.result = efm_neon_read_result(&table)};
    to += sizeof *head;
    for (uint32_t first = 0; first < rows->out; first += EFM_NEON_BLOCK) {
        uint32_t count = rows->out - first < EFM_NEON_BLOCK ? rows->out - first : EFM_NEON_BLOCK;
        efm_neon_channels *c = (efm_neon_channels *)(void *)to;
        *c = (efm_neon_channels){0};
        efm_neon_read_channels(&table, first, count, c);
        c->mode = mode_of(&table, rows, first, count);
        c->narrow = is_narrow(rows->weights + (size_t)first * rows->depth, (size_t)count * rows->depth);
        to = (uint8_t *)pack_pieces(rows, loops, first, count, (int8_t *)(c + 1));
    }
}

#endif
