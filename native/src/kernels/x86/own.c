/* SPDX-License-Identifier: Apache-2.0 */
#include "own.h"

#if EFM_KERNEL_X86
#include <string.h>

/* A tile on its way: where channel `o` has weight `k`, and how many of them. */
typedef struct source {
    const efm_tile *tile;
    efm_table table;
    size_t channel, step; /* bytes from a channel's weights to the next one's, and from a weight to the next */
} source;

typedef struct place {
    const efm_own_shape *shape;
    uint8_t *to;
    efm_own_head *head;
} place;

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + EFM_OWN_ALIGNMENT - 1) / EFM_OWN_ALIGNMENT * EFM_OWN_ALIGNMENT;
}

static uint32_t whole(uint32_t n, uint32_t group)
{
    return (n + group - 1) / group * group;
}

/* Vectors of the block that begins `left` channels before the end: no more of them than half empty. */
static uint32_t vectors_of(const efm_own_shape *shape, uint32_t left)
{
    uint32_t vectors = shape->vectors;
    while (vectors > shape->least && left <= (vectors / 2 + vectors / 4) * shape->lanes) {
        vectors /= 2;
    }
    return vectors;
}

/* The block that follows channel `first`. */
static efm_own_block block_at(const efm_own_shape *shape, uint32_t first, uint32_t out)
{
    efm_own_block block = {.first = first, .vectors = vectors_of(shape, out - first)};
    uint32_t most = block.vectors * shape->lanes;
    if (shape->overlap && out - first < most && out >= most) {
        block.first = out - most;
    }
    block.channels = out - block.first < most ? out - block.first : most;
    return block;
}

static uint32_t count_blocks(const efm_own_shape *shape, uint32_t out, uint64_t *channels)
{
    uint32_t blocks = 0;
    *channels = 0;
    for (uint32_t first = 0; first < out; blocks++) {
        efm_own_block block = block_at(shape, first, out);
        *channels += block.vectors * shape->lanes;
        first = block.first + block.channels;
    }
    return blocks;
}

/* `weights` of each channel, blanks included. */
static uint32_t bytes_of(const efm_tile *tile, const efm_own_shape *shape, uint32_t weights)
{
    uint64_t channels, blocks = count_blocks(shape, tile->out, &channels);
    uint64_t bytes = aligned(sizeof(efm_own_head) + blocks * sizeof(efm_own_block));
    bytes += aligned(channels * 4 * EFM_OWN_CONSTANTS) + aligned(channels * weights * shape->element);
    bytes += aligned(EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * (uint64_t)tile->out);
    return bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
}

/* Where a channel of a block has its sum: lane of vector. */
static void seat_of(const efm_own_block *block, uint32_t channel, uint32_t *vector, uint32_t *lane)
{
    uint32_t part = 4 * block->vectors;
    *vector = channel % part / 4;
    *lane = channel / part * 4 + channel % 4;
}

static int32_t weight_of(const source *s, uint32_t o, uint32_t k)
{
    return s->tile->weights[o * s->channel + k * s->step];
}

/* The sum of a channel's weights, and a bound of its sums with bias for any input. */
static int32_t total_of(const source *s, uint32_t o, int32_t bias, int64_t *bound)
{
    int32_t total = 0;
    *bound = bias < 0 ? -(int64_t)bias : bias;
    for (uint32_t k = 0; k < s->tile->depth; k++) {
        int32_t w = weight_of(s, o, k), size = w - s->table.weight_zero;
        total += w;
        *bound += 128 * (int64_t)(size < 0 ? -size : size);
    }
    return total;
}

/* What is added to the rounded product of a sum before the shift: half of what is lost, and the zero point. */
static int64_t addend_of(const efm_table *table, int32_t right)
{
    return ((int64_t)1 << (right - 1)) + (int64_t)table->zero_point * ((int64_t)1 << right);
}

/* The quickest way to a channel's bytes that is exact for every sum within `bound`. */
static uint32_t finish_of(const efm_table *table, const efm_channel *c, int64_t bound)
{
    if (table->flags & EFM_TABLE_ROUND_ONCE || c->shift >= 0 || bound >= (int64_t)1 << 30
        || table->zero_point < INT8_MIN || table->zero_point > INT8_MAX) {
        return EFM_OWN_ANY;
    }
    int64_t addend = addend_of(table, -c->shift), high = (bound * c->multiplier >> 31) + 2;
    if ((addend < 0 ? -addend : addend) + high > INT32_MAX) {
        return EFM_OWN_ANY;
    }
    return table->low >= table->zero_point ? EFM_OWN_RELU : EFM_OWN_SIGNED;
}

static void store_pair(int32_t *at, int64_t v)
{
    memcpy(at, &v, sizeof v);
}

/* Multipliers and addends so that finish.h finds the result above bit 32 of a product. */
static void store_scale(int32_t *at, uint32_t lanes, uint32_t lane, const efm_channel *c, int64_t addend,
                        uint32_t finish)
{
    int relu = finish == EFM_OWN_RELU;
    int64_t add = addend * ((int64_t)1 << (relu ? 31 : 32)) + ((int64_t)1 << (relu ? 30 : 31));
    at[EFM_OWN_EVEN * lanes + lane] = c->multiplier;
    at[EFM_OWN_ODD * lanes + (lane & ~1u)] = lane & 1 ? c->multiplier : at[EFM_OWN_ODD * lanes + (lane & ~1u)];
    store_pair(at + (lane & 1 ? EFM_OWN_ADD_ODD : EFM_OWN_ADD_EVEN) * lanes + (lane & ~1u), add);
    at[EFM_OWN_SHIFT * lanes + lane] = -c->shift - relu;
}

static void pack_constants(const source *s, const place *p, efm_own_block *block)
{
    int64_t bounds[EFM_OWN_BLOCK];
    int32_t totals[EFM_OWN_BLOCK];
    uint32_t lanes = p->shape->lanes;
    block->finish = EFM_OWN_RELU;
    for (uint32_t i = 0; i < block->channels; i++) {
        efm_channel c = efm_channel_read(&s->table, block->first + i);
        totals[i] = total_of(s, block->first + i, c.bias, &bounds[i]);
        uint32_t finish = finish_of(&s->table, &c, bounds[i]);
        block->finish = finish < block->finish ? finish : block->finish;
    }
    for (uint32_t i = 0; i < block->channels; i++) {
        efm_channel c = efm_channel_read(&s->table, block->first + i);
        uint32_t vector, lane;
        seat_of(block, i, &vector, &lane);
        int32_t *at = (int32_t *)(void *)(p->to + block->constants) + (size_t)vector * EFM_OWN_CONSTANTS * lanes;
        int32_t start = -(int32_t)p->shape->flip * totals[i];
        at[EFM_OWN_START * lanes + lane] = start;
        at[EFM_OWN_BIASED * lanes + lane] = (int32_t)((uint32_t)start + (uint32_t)c.bias);
        if (block->finish != EFM_OWN_ANY) {
            store_scale(at, lanes, lane, &c, addend_of(&s->table, -c.shift), block->finish);
        }
    }
}

/* Where a channel's weights go, `group` of them at a time. */
typedef struct lane_weights {
    uint8_t *at;
    size_t step;
    uint32_t group, element;
} lane_weights;

static lane_weights weights_of(const place *p, const efm_own_block *block, uint32_t channel)
{
    uint32_t vector, lane, bytes = p->shape->group * p->shape->element;
    seat_of(block, channel, &vector, &lane);
    uint8_t *at = p->to + block->weights + ((size_t)vector * p->shape->lanes + lane) * bytes;
    return (lane_weights){at, (size_t)block->vectors * p->shape->lanes * bytes, p->shape->group, p->shape->element};
}

/* Weight `k` of the order in which the block's inner loop meets them. */
static void store_weight(const lane_weights *l, uint32_t k, int32_t w)
{
    uint8_t *at = l->at + k / l->group * l->step + k % l->group * l->element;
    int16_t wide = (int16_t)w;
    if (l->element == 2) {
        memcpy(at, &wide, 2);
    } else {
        *at = (uint8_t)w;
    }
}

/* Lays out head and blocks, whose channels have `weights` each, and packs all but the weights. */
static place begin(const source *s, const efm_own_shape *shape, uint32_t weights, uint8_t *to)
{
    uint64_t channels;
    place p = {shape, to, (efm_own_head *)(void *)to};
    memset(to, 0, bytes_of(s->tile, shape, weights));
    uint32_t out = s->tile->out, blocks = count_blocks(shape, out, &channels);
    uint32_t at = (uint32_t)aligned(sizeof(efm_own_head) + blocks * sizeof(efm_own_block));
    uint32_t at_weights = at + (uint32_t)aligned(channels * 4 * EFM_OWN_CONSTANTS);
    *p.head = (efm_own_head){.blocks = blocks, .wide = shape->element == 2, .low = s->table.low, .high = s->table.high};
    p.head->table = at_weights + (uint32_t)aligned(channels * weights * shape->element);
    for (uint32_t i = 0, first = 0; i < blocks; i++) {
        efm_own_block *block = &p.head->block[i];
        *block = block_at(shape, first, out);
        block->constants = at;
        block->weights = at_weights;
        first = block->first + block->channels;
        at += block->vectors * shape->lanes * 4 * EFM_OWN_CONSTANTS;
        at_weights += block->vectors * shape->lanes * weights * shape->element;
        pack_constants(s, &p, block);
    }
    memcpy(to + p.head->table, s->tile->table, EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * (size_t)out);
    return p;
}

uint32_t efm_own_conv_bytes(const efm_tile *rows, const efm_own_shape *shape)
{
    return bytes_of(rows, shape, whole(rows->depth, shape->group));
}

void efm_own_conv_pack(const efm_tile *rows, const efm_own_shape *shape, uint8_t *to)
{
    source s = {rows, efm_table_read(rows->table), rows->depth, 1};
    place p = begin(&s, shape, whole(rows->depth, shape->group), to);
    p.head->weight_zero = s.table.weight_zero;
    for (uint32_t i = 0; i < p.head->blocks; i++) {
        const efm_own_block *block = &p.head->block[i];
        for (uint32_t c = 0; c < block->channels; c++) {
            lane_weights to_lane = weights_of(&p, block, c);
            for (uint32_t k = 0; k < rows->depth; k++) {
                store_weight(&to_lane, k, weight_of(&s, block->first + c, k));
            }
        }
    }
}

static uint32_t side_of(const efm_tile *rows)
{
    return rows->depth == 9 ? 3 : rows->depth == 25 ? 5 : 0;
}

uint32_t efm_own_depthwise_bytes(const efm_tile *rows, const efm_own_shape *shape)
{
    uint32_t side = side_of(rows);
    if (shape->overlap && rows->out < shape->vectors * shape->lanes) {
        return 0;
    }
    uint64_t bytes = side ? bytes_of(rows, shape, side * whole(side, shape->group)) : 0;
    bytes += bytes ? (uint64_t)rows->depth * rows->out : 0;
    return bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
}

void efm_own_depthwise_pack(const efm_tile *rows, const efm_own_shape *shape, uint8_t *to)
{
    source s = {rows, efm_table_read(rows->table), 1, rows->out};
    uint32_t side = side_of(rows), column = whole(side, shape->group);
    place p = begin(&s, shape, side * column, to);
    efm_tile kept = {.table = to, .out = rows->out, .depth = rows->depth};
    kept = efm_own_rows(&kept);
    memcpy(to + (kept.weights - (const int8_t *)to), rows->weights, (size_t)rows->depth * rows->out);
    for (uint32_t i = 0; i < p.head->blocks; i++) {
        const efm_own_block *block = &p.head->block[i];
        for (uint32_t c = 0; c < block->channels; c++) {
            lane_weights to_lane = weights_of(&p, block, c);
            for (uint32_t k = 0; k < rows->depth; k++) {
                int32_t w = weight_of(&s, block->first + c, k) - s.table.weight_zero;
                store_weight(&to_lane, k % side * column + k / side, w);
            }
        }
    }
}

#endif
