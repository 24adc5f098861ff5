/* SPDX-License-Identifier: Apache-2.0 */
#include "conv.h"

#if EFM_KERNEL_NEON

/* A group of pixels and what its pieces share. */
typedef struct group {
    const efm_conv_call *call;
    const efm_neon_loops *loops;
    efm_neon_result result;
    uint32_t first, pixels;   /* of the call */
    const int8_t *const *in;  /* of the group */
    uint32_t runs, run_bytes;
    int32_t off[EFM_NEON_GROUP]; /* of each pixel's sums: the sum of its inputs by the weights' zero point, negative */
    int32_t sums[EFM_NEON_GROUP][EFM_NEON_BLOCK];
} group;

/* -- A piece ---------------------------------------------------------------------------------------------- */

/* What was there is added. */
static void take_sums(group *g, uint32_t channel, uint32_t count)
{
    for (uint32_t p = 0; p < g->pixels; p++) {
        const int32_t *from = g->call->sums[g->first + p] + channel;
        for (uint32_t i = 0; i < count; i++) {
            g->sums[p][i] = (int32_t)((uint32_t)g->sums[p][i] + (uint32_t)from[i]);
        }
    }
}

/* What sums begin with: `first` for all pixels, and for each what the zero point of weights takes off. */
static EFM_NEON void start_sums(group *g, const int32_t *first, uint32_t vectors)
{
    for (uint32_t v = 0; v < vectors; v++) {
        int32x4_t from = vld1q_s32(first + EFM_NEON_LANES * v);
        for (uint32_t p = 0; p < g->pixels; p++) {
            vst1q_s32(g->sums[p] + EFM_NEON_LANES * v, efm_neon_wrapping_sum(from, vdupq_n_s32(g->off[p])));
        }
    }
}

static void start_piece(group *g, const int32_t *bias, uint32_t channel, efm_neon_job *job)
{
    static const int32_t none[EFM_NEON_BLOCK] = {0};
    start_sums(g, g->call->flags & EFM_SUMS_LEAVE ? none : bias, job->lanes);
    if (g->call->flags & EFM_SUMS_TAKE) {
        take_sums(g, channel, job->channels);
    }
    job->start = g->sums[0];
    job->start_step = EFM_NEON_BLOCK;
}

/* Where sums become bytes outside of the inner loop, or stay what they are. */
static void end_sums(const group *g, const efm_neon_channels *c, uint32_t at, uint32_t channel, uint32_t count)
{
    for (uint32_t p = 0; p < g->pixels; p++) {
        if (g->call->flags & EFM_SUMS_LEAVE) {
            memcpy(g->call->sums[g->first + p] + channel, g->sums[p], 4 * (size_t)count);
        } else {
            efm_neon_finish(c, at, &g->result, g->sums[p], count, g->call->out[g->first + p] + channel);
        }
    }
}

/* Channels at .. at + count - 1 of a block that begins with channel `first`. */
static void make_piece(group *g, const efm_neon_channels *c, uint32_t first, uint32_t at, efm_neon_dots *dots,
                       efm_neon_job *job)
{
    const efm_conv_call *call = g->call;
    int inside = c->mode == EFM_NEON_FAST && !(call->flags & EFM_SUMS_LEAVE);
    job->start = c->bias + at;
    job->start_step = 0;
    job->sums = inside ? 0 : g->sums[0];
    job->out_at = first + at;
    job->multiplier = c->multiplier + at;
    job->shift = c->shift + at;
    if (call->flags != 0 || g->result.weight_zero != 0) {
        start_piece(g, c->bias + at, first + at, job);
    }
    dots(job);
    if (!inside) {
        end_sums(g, c, at, first + at, job->channels);
    }
}

static efm_neon_job job_of(const group *g)
{
    return (efm_neon_job){.in = g->in,
                          .pixels = g->pixels,
                          .runs = g->runs,
                          .run_bytes = g->run_bytes,
                          .out = g->call->out + g->first,
                          .result = &g->result};
}

/* -- Blocks of either packing ------------------------------------------------------------------------------ */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void make_rows(group *g, const efm_table *table)
{
    const efm_tile *tile = &g->call->tile;
    efm_neon_job job = job_of(g);
    job.lanes = 1;
    job.w_step = tile->depth;
    for (uint32_t first = 0; first < tile->out; first += EFM_NEON_BLOCK) {
        efm_neon_channels c;
        uint32_t count = smaller(tile->out - first, EFM_NEON_BLOCK);
        efm_neon_read_channels(table, first, count, &c);
        for (uint32_t at = 0; at < count; at += EFM_NEON_LANES) {
            job.w = tile->weights + (size_t)(first + at) * tile->depth;
            job.channels = smaller(count - at, EFM_NEON_LANES);
            make_piece(g, &c, first, at, g->loops->rows, &job);
        }
    }
}

static void make_own(group *g)
{
    const efm_tile *tile = &g->call->tile;
    const uint8_t *block = tile->table + sizeof(efm_neon_head);
    uint32_t lane_bytes = g->loops->lane_bytes(tile->depth), weight_bytes = g->loops->weight_bytes(tile->depth);
    efm_neon_job job = job_of(g);
    for (uint32_t first = 0; first < tile->out; first += EFM_NEON_BLOCK) {
        const efm_neon_channels *c = (const efm_neon_channels *)(const void *)block;
        uint32_t count = smaller(tile->out - first, EFM_NEON_BLOCK);
        job.w = (const int8_t *)(c + 1);
        job.narrow = c->narrow;
        for (uint32_t at = 0; at < count; at += EFM_NEON_LANES * job.lanes) {
            job.lanes = efm_neon_piece(count - at, g->loops->lanes);
            job.channels = smaller(count - at, EFM_NEON_LANES * job.lanes);
            job.small = (const uint8_t *)job.w + (size_t)job.lanes * weight_bytes;
            make_piece(g, c, first, at, g->loops->own, &job);
            job.w += (size_t)job.lanes * lane_bytes;
        }
        block += efm_neon_block_bytes(count, lane_bytes);
    }
}

/* -- Groups ------------------------------------------------------------------------------------------------- */

/* The sum of all inputs of a pixel. */
static EFM_NEON int32_t sum_of(const int8_t *const *runs, uint32_t n, uint32_t run_bytes)
{
    int32x4_t sums = vdupq_n_s32(0);
    for (uint32_t run = 0; run < n; run++) {
        uint32_t i = 0;
        for (; run_bytes - i >= 16; i += 16) {
            sums = vpadalq_s16(sums, vpaddlq_s8(vld1q_s8(runs[run] + i)));
        }
        if (i < run_bytes) {
            sums = vpadalq_s16(sums, vpaddlq_s8(efm_neon_part(runs[run] + i, run_bytes - i)));
        }
    }
    int32_t four[4];
    vst1q_s32(four, sums);
    return four[0] + four[1] + four[2] + four[3];
}

static void make_group(group *g, const efm_table *table)
{
    for (uint32_t p = 0; p < g->pixels; p++) {
        int32_t sum = g->result.weight_zero != 0 ? sum_of(g->in + p * g->runs, g->runs, g->run_bytes) : 0;
        g->off[p] = (int32_t)(0u - (uint32_t)g->result.weight_zero * (uint32_t)sum);
    }
    if (g->call->tile.packing == EFM_PACKING_OWN) {
        make_own(g);
    } else {
        make_rows(g, table);
    }
}

/* Pixels whose runs lie as the loops cannot read them, or only slowly, side by side. */
static void make_joined(group *g, uint32_t bytes, const efm_table *table)
{
    const efm_conv_call *call = g->call;
    int8_t joined[EFM_NEON_DEPTH];
    const int8_t *pixels[EFM_NEON_GROUP];
    uint32_t most = smaller(EFM_NEON_GROUP, EFM_NEON_DEPTH / bytes);
    g->in = pixels;
    g->runs = 1;
    g->run_bytes = bytes;
    for (; g->first < call->pixels; g->first += g->pixels) {
        g->pixels = smaller(call->pixels - g->first, most);
        efm_neon_join(call, g->first, g->pixels, bytes, joined, pixels);
        make_group(g, table);
    }
}

static void make_in_place(group *g, const efm_table *table)
{
    const efm_conv_call *call = g->call;
    g->runs = call->runs;
    g->run_bytes = call->run_bytes;
    for (; g->first < call->pixels; g->first += g->pixels) {
        g->pixels = smaller(call->pixels - g->first, EFM_NEON_GROUP);
        g->in = call->in + g->first * call->runs;
        make_group(g, table);
    }
}

static void make_own_call(group *g)
{
    const efm_conv_call *call = g->call;
    uint32_t bytes = g->loops->pixel_bytes(call->tile.depth);
    int whole = call->runs == 1 || call->run_bytes % g->loops->run_multiple == 0;
    g->result = ((const efm_neon_head *)(const void *)call->tile.table)->result;
    if (whole && bytes == call->tile.depth) {
        make_in_place(g, 0);
    } else {
        make_joined(g, bytes, 0);
    }
}

static void make_rows_call(group *g)
{
    const efm_conv_call *call = g->call;
    const efm_table table = efm_table_read(call->tile.table);
    g->result = efm_neon_read_result(&table);
    if (call->runs == 1 || call->run_bytes >= 16 || call->tile.depth > EFM_NEON_DEPTH) {
        make_in_place(g, &table);
    } else {
        make_joined(g, call->tile.depth, &table);
    }
}

void efm_neon_conv(const efm_conv_call *call, const efm_neon_loops *loops)
{
    group g;
    g.call = call;
    g.loops = loops;
    g.first = 0;
    if (call->tile.packing == EFM_PACKING_OWN) {
        make_own_call(&g);
    } else {
        make_rows_call(&g);
    }
}

#endif
