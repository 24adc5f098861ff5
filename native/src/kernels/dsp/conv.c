/* SPDX-License-Identifier: Apache-2.0 */
/* CONV: the activations of a call are widened once to halves of words, a strip in scratch, three pixels side by side;
 * then two channels at a time pass over the strip. Weights of packing ROWS are widened into scratch as they come. */
#include "../../switch.h"
#include "dsp.h"

#if EFM_KERNEL_DSP

enum { MOST_SUMS = 24 };

typedef struct strip {
    const efm_conv_call *call;
    efm_table table;
    uint32_t steps;        /* of four inputs */
    uint32_t across;       /* pixels in groups of EFM_DSP_ACROSS; the others are groups of one */
    int plain;             /* whether weights may be rows, which become pairs in `block` */
    uint32_t *block;       /* scratch for the weights of two channels */
    const uint32_t *x, *single, *end; /* groups of three pixels, of one, and behind them */
    int quick;             /* bytes by the short formula, of channels that it fits */
} strip;

static int is_rows(const efm_tile *tile)
{
    return EFM_WITH_CONV_ROWS && tile->packing == EFM_PACKING_ROWS;
}

/* Whether weights of the tile may be rows. */
static int has_rows(const efm_tile *tile)
{
    return is_rows(tile) || (tile->packing == EFM_PACKING_HALVES && tile->table[EFM_TABLE_AT_FLAGS] & EFM_TABLE_PLAIN);
}

/* Bytes of scratch for the weights of two channels: rows become pairs there, and halves are read from there by pixels
   after pixels. */
static uint32_t block_bytes(const efm_tile *tile)
{
    uint32_t halves = 8 * efm_dsp_steps(tile->depth);
    return has_rows(tile) ? 2 * halves : tile->packing == EFM_PACKING_HALVES ? halves : 0;
}

/* Pixels of the next strip when `left` are left: about the same number each, whole groups where it may be. */
static uint32_t share(uint32_t left, uint32_t most)
{
    if (left <= most || most < EFM_DSP_ACROSS) {
        return left <= most ? left : most;
    }
    uint32_t groups = (left + EFM_DSP_ACROSS - 1) / EFM_DSP_ACROSS, strips = (groups - 1) / (most / EFM_DSP_ACROSS) + 1;
    return (groups + strips - 1) / strips * EFM_DSP_ACROSS;
}

static __attribute__((noinline)) strip lay_out(const efm_conv_call *call, const efm_table *table)
{
    strip s = {.call = call, .table = *table, .steps = efm_dsp_steps(call->tile.depth)};
    uint32_t p = 0, *to = (uint32_t *)(void *)call->scratch;
    s.plain = has_rows(&call->tile);
    s.block = to;
    to += block_bytes(&call->tile) / 4;
    s.x = to;
    for (; p + EFM_DSP_ACROSS <= call->pixels; p += EFM_DSP_ACROSS) {
        to = efm_dsp_widen_pixels(call, p, EFM_DSP_ACROSS, to);
    }
    s.single = to;
    s.across = p;
    for (; p < call->pixels; p++) {
        to = efm_dsp_widen_pixels(call, p, 1, to);
    }
    s.end = to;
    s.quick = call->flags == 0 && efm_dsp_proved(table);
    return s;
}

/* -- Weights ---------------------------------------------------------------------------------------------- */

static int is_halves(const strip *s, uint32_t o)
{
    uint32_t flags = s->table.channels[EFM_CHANNEL_BYTES * o + EFM_CHANNEL_AT_SHIFT + 3];
    return s->call->tile.packing == EFM_PACKING_HALVES && (!s->plain || (flags >> (EFM_CHANNEL_HALVES - 24) & 1));
}

/* Finds the weights of channels o and o + 1, or a copy of halves in scratch; whether they are halves. */
static int find_weights(const strip *s, uint32_t o, int copy, efm_dsp_block *block)
{
    const efm_tile *tile = &s->call->tile;
    const int8_t *w = tile->weights;
    uint32_t last = o + 1 < tile->out, padded = 4 * s->steps;
    block->w = s->block;
    if (is_rows(tile)) {
        w += (size_t)o * tile->depth;
        efm_dsp_widen_weights(s->block, w, w + (size_t)last * tile->depth, tile->depth, s->table.weight_zero);
    } else if (tile->packing == EFM_PACKING_PAIRS) {
        block->w = (const uint32_t *)(const void *)(w + 2 * (size_t)o * padded);
    } else if (is_halves(s, o)) {
        block->w = (const uint32_t *)(const void *)(w + (size_t)o * padded);
        if (copy) {
            efm_dsp_copy(s->block, block->w, 2 * s->steps);
            block->w = s->block;
        }
        return 1;
    } else {
        w += (size_t)o * padded;
        efm_dsp_widen_weights(s->block, w, w + padded, padded, s->table.weight_zero);
    }
    return 0;
}

/* -- Sums ------------------------------------------------------------------------------------------------- */

typedef void dots(const efm_dsp_block *block);

#if EFM_HAS(SLICED)
/* Leaves sums of channels o and `other` of n pixels from p on, whole groups of three. */
static __attribute__((noinline)) void leave_across(const efm_conv_call *call, uint32_t p, uint32_t o, uint32_t other,
                                                   const int32_t *sums, uint32_t n)
{
    int32_t *const *at = call->sums + p;
    const uint32_t take = call->flags & EFM_SUMS_TAKE;
    for (; n > 0; n -= EFM_DSP_ACROSS, sums += EFM_DSP_ACROSS) {
        for (uint32_t i = 0; i < EFM_DSP_ACROSS; i++, sums++, at++) {
            uint32_t first = (uint32_t)sums[0], second = (uint32_t)sums[EFM_DSP_ACROSS];
            if (take) {
                first += (uint32_t)(*at)[o];
                second += (uint32_t)(*at)[other];
            }
            (*at)[o] = (int32_t)first;
            if (other != o) {
                (*at)[other] = (int32_t)second;
            }
        }
    }
}
#endif

/* Groups of three pixels, as many at a time as there is room for sums. */
static __attribute__((noinline)) void settle_across(const strip *s, uint32_t o, const efm_dsp_block *asked, dots *make)
{
    enum { N = EFM_DSP_ACROSS, MOST = MOST_SUMS / 2 };
    int32_t sums[MOST_SUMS];
    efm_dsp_block block = *asked;
    block.sums = sums;
    for (uint32_t p = 0; p < s->across; block.x = block.end) {
        uint32_t n = s->across - p < MOST ? s->across - p : MOST;
        block.end = block.x + 2 * n * s->steps;
        make(&block);
#if EFM_HAS(SLICED)
        if (s->call->flags & EFM_SUMS_LEAVE) {
            leave_across(s->call, p, o, asked->at[1], sums, n);
            p += n;
            continue;
        }
#endif
        for (uint32_t i = 0; i < n; i++, p++) {
            int32_t *group = sums + i / N * 2 * N, two[] = {group[i % N], group[N + i % N]};
            efm_dsp_settle(s->call, &s->table, p, o, asked->at[1] - o + 1, two);
        }
    }
}

/* Pixels that are left over, of `pairs` pairs of channels from o on. */
static __attribute__((noinline)) void settle_single(const strip *s, uint32_t o, uint32_t pairs,
                                                    const efm_dsp_block *asked, dots *make)
{
    int32_t sums[MOST_SUMS];
    efm_dsp_block block = *asked;
    uint32_t left = s->call->tile.out - o;
    block.sums = sums;
    block.at[1] = pairs;
    block.x = s->single;
    for (uint32_t p = s->across; p < s->call->pixels; p++, block.x += 2 * s->steps) {
        block.end = block.x;
        make(&block);
        efm_dsp_settle(s->call, &s->table, p, o, left < 2 * pairs ? left : 2 * pairs, sums);
    }
}

/* -- Channels --------------------------------------------------------------------------------------------- */

static void make_pair(const strip *s, uint32_t o)
{
    efm_dsp_block block;
    uint32_t other = o + 1 < s->call->tile.out ? o + 1 : o;
    int quick = efm_dsp_channel_read(&s->table, o, &block.channel[0])
                & efm_dsp_channel_read(&s->table, other, &block.channel[1]) & s->quick;
    int halves = find_weights(s, o, s->call->pixels > EFM_DSP_ACROSS, &block);
    dots *across = halves ? efm_dsp_halves_across : efm_dsp_pairs_across;
    dots *single = halves ? efm_dsp_halves_single : efm_dsp_pairs_single;
    block.steps = s->steps;
    block.x = s->x, block.end = s->single;
    block.at[0] = o, block.at[1] = other;
    block.out = s->call->out;
    block.sums = 0;
    if (!quick) {
        settle_across(s, o, &block, across);
        settle_single(s, o, 1, &block, single);
        return;
    }
    if (s->across > 0) {
        across(&block);
    }
    if (s->single != s->end) {
        block.x = s->single, block.end = s->end;
        block.out += s->across;
        single(&block);
    }
}

/* Pairs from channel o on, of a call of one or two pixels that settles sums; how many. */
static uint32_t make_run(const strip *s, uint32_t o)
{
    efm_dsp_block block = {.steps = s->steps};
    int halves = find_weights(s, o, 0, &block);
    uint32_t pairs = 1, most = (s->call->tile.out - o + 1) / 2;
    if (halves || s->call->tile.packing == EFM_PACKING_PAIRS) {
        most = most < MOST_SUMS / 2 ? most : MOST_SUMS / 2;
        while (pairs < most && is_halves(s, o + 2 * pairs) == halves) {
            pairs++;
        }
    }
    settle_single(s, o, pairs, &block, halves ? efm_dsp_halves_single : efm_dsp_pairs_single);
    return pairs;
}

static __attribute__((noinline)) void make_channels(const strip *s)
{
    const efm_conv_call *call = s->call;
    if (s->across == 0 && !s->quick) {
        for (uint32_t o = 0; o < call->tile.out;) {
            o += 2 * make_run(s, o);
        }
        return;
    }
    for (uint32_t o = 0; o < call->tile.out; o += 2) {
        make_pair(s, o);
    }
}

/* As many pixels at a time as scratch has room for; whether it has any room to speak of. */
static int make_strips(const efm_conv_call *call, const efm_table *table)
{
    uint32_t each = 8 * efm_dsp_steps(call->tile.depth), fixed = block_bytes(&call->tile);
    uint32_t most = call->scratch_bytes < fixed ? 0 : (call->scratch_bytes - fixed) / each;
    if (EFM_WITH_CONV_ROWS && most < (is_rows(&call->tile) ? EFM_DSP_ACROSS : 1)) {
        return 0; /* of other packings there always is, as opening checks */
    }
    efm_conv_call some = *call;
    for (uint32_t p = 0; p < call->pixels; p += some.pixels) {
        some.pixels = share(call->pixels - p, most);
        some.in = call->in + (size_t)p * call->runs;
        some.out = call->out + p;
        some.sums = call->flags != 0 ? call->sums + p : 0;
        strip s = lay_out(&some, table);
        make_channels(&s);
    }
    return 1;
}

void efm_dsp_conv(const efm_conv_call *call)
{
    const efm_table table = efm_table_read(call->tile.table);
    if (!make_strips(call, &table) && EFM_WITH_CONV_ROWS) {
        efm_dsp_rows(call, &table);
    }
    if (call->flags == 0 && efm_dsp_proved(&table) && efm_dsp_clamps(&table)) {
        for (uint32_t p = 0; p < call->pixels; p++) {
            efm_dsp_clamp(call->out[p], call->tile.out, &table);
        }
    }
}

efm_scratch efm_dsp_conv_scratch(const efm_tile *tile)
{
    uint32_t each = 8 * efm_dsp_steps(tile->depth);
    efm_scratch need = {block_bytes(tile), each}, none = {0, 0};
    return is_rows(tile) ? none : need;
}

#endif
