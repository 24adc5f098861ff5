/* SPDX-License-Identifier: Apache-2.0 */
/* CONV with tiles as they are in the package. Pixels of a call are written into a list as often as scratch has room
 * for; then block after block of four channels goes over the list. Where a block cannot make bytes at once, sums go
 * to scratch, and finish() does the rest. */
#include "blocks.h"

#if EFM_KERNEL_MVE
#include "requantize.h"

enum { THREE = 3, SCRATCH_WORDS = 256, LIST_WORDS = SCRATCH_WORDS - THREE /* two pixels may take more than three */ };

typedef struct job {
    const efm_conv_call *call;
    efm_table table;
    int32_t careful;                /* blocks may need what is behind the list */
    uint32_t p, pixels;             /* those of the list */
    uint32_t *threes, *ones, *end;  /* the list: pixels by threes, the one or two that remain */
    int32_t *sums;                  /* four for each */
    int32_t *inputs;                /* sum of each pixel's inputs, for the weights' zero point */
} job;

static uint32_t word(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

/* Words of the list for three pixels. */
static uint32_t words_of_three(const efm_conv_call *call)
{
    return call->runs == 1 ? 4 + THREE : 4 * (call->runs + 1) + THREE;
}

/* Where the bytes of pixel p go; no byte is written of a call that leaves its sums. */
static uint32_t target(const efm_conv_call *call, uint32_t p)
{
    return call->flags & EFM_SUMS_LEAVE ? 0 : word(call->out[p]);
}

static uint32_t *list_group(const efm_conv_call *call, uint32_t p, uint32_t count, uint32_t *at)
{
    const int8_t *const *in = call->in + p * call->runs;
    for (uint32_t run = 0; run < call->runs; run++, in++) {
        for (uint32_t i = 0; i < count; i++) {
            *at++ = word(in[i * call->runs]);
        }
        *at++ = call->run_bytes;
    }
    for (uint32_t i = 0; i <= count && (count == 1 || call->runs > 1); i++) {
        *at++ = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        *at++ = target(call, p + i);
    }
    return at;
}

static void list_pixels(job *j)
{
    uint32_t p = j->p, end = j->p + j->pixels;
    j->ones = j->threes;
    for (; p + THREE <= end; p += THREE) {
        j->ones = list_group(j->call, p, THREE, j->ones);
    }
    j->end = j->ones;
    for (; p < end; p++) {
        j->end = list_group(j->call, p, 1, j->end);
    }
}

static int32_t sum_of(const int8_t *x, int32_t count)
{
    int32_t sum = 0;
    for (; count > 0; count -= 16, x += 16) {
        sum = vaddvaq_s8(sum, vldrbq_z_s8(x, vctp8q((uint32_t)count)));
    }
    return sum;
}

static void sum_inputs(const job *j)
{
    const efm_conv_call *call = j->call;
    const int8_t *const *in = call->in + j->p * call->runs;
    for (uint32_t i = 0; i < j->pixels; i++) {
        j->inputs[i] = 0;
        for (uint32_t run = 0; run < call->runs; run++) {
            j->inputs[i] += sum_of(*in++, (int32_t)call->run_bytes);
        }
    }
}

static void set_channel(efm_mve_block *b, uint32_t i, const efm_channel *c, int32_t start, const int8_t *row)
{
    efm_mve_pair *pair = &b->pairs[i % 2];
    if (i < 2) {
        pair->sum0 = pair->sum1 = pair->sum2 = start;
        pair->row = row;
    } else {
        pair->other_sum0 = pair->other_sum1 = pair->other_sum2 = start;
        pair->other_row = row;
    }
    b->multiplier[i] = c->multiplier;
    b->shift[i] = c->shift;
}

/* Channels first .. first + rows - 1; the last stands in for those past it. */
static void set_block(const job *j, efm_mve_block *b, efm_mve_scale *scale, uint32_t first, uint32_t rows)
{
    const efm_tile *tile = &j->call->tile;
    int32_t greatest = EFM_SHIFT_MIN;
    for (uint32_t i = 0; i < EFM_MVE_LANES; i++) {
        uint32_t o = first + (i < rows ? i : rows - 1);
        efm_channel c = efm_channel_read(&j->table, o);
        set_channel(b, i, &c, j->call->flags & EFM_SUMS_LEAVE ? 0 : c.bias, tile->weights + o * tile->depth);
        efm_mve_scale_lane(scale, i, &c);
        greatest = c.shift > greatest ? c.shift : greatest;
    }
    b->sums = j->sums;
    b->raw = rows < EFM_MVE_LANES || j->call->flags || j->table.weight_zero != 0
             || (j->table.flags & EFM_TABLE_ROUND_ONCE) || greatest >= 0;
    b->raw = b->raw && j->careful; /* where a table lies that all is well there is no room for sums */
}

/* Sums of a block, from scratch, to where they belong. */
static void finish(const job *j, const efm_mve_scale *scale, uint32_t first, uint32_t rows)
{
    const efm_conv_call *call = j->call;
    const mve_pred16_t lanes = vctp32q(rows);
    for (uint32_t i = 0; i < j->pixels; i++) {
        int32x4_t v = vldrwq_s32(j->sums + EFM_MVE_LANES * i);
        if (j->table.weight_zero != 0) {
            v = vmlaq_n_s32(v, vdupq_n_s32(j->inputs[i]), -j->table.weight_zero);
        }
        if (call->flags & EFM_SUMS_TAKE) {
            v = vaddq_s32(v, vldrwq_z_s32(call->sums[j->p + i] + first, lanes));
        }
        if (call->flags & EFM_SUMS_LEAVE) {
            vstrwq_p_s32(call->sums[j->p + i] + first, v, lanes);
        } else {
            vstrbq_p_s32(call->out[j->p + i] + first, efm_mve_requantize(v, &j->table, scale), lanes);
        }
    }
}

static void make_block(const job *j, efm_mve_block *b, uint32_t first)
{
    uint32_t rows = j->call->tile.out - first;
    efm_mve_scale scale;
    rows = rows < EFM_MVE_LANES ? rows : EFM_MVE_LANES;
    set_block(j, b, &scale, first, rows);
    if (j->threes != j->ones) {
        b->end = j->ones;
        (j->call->runs == 1 ? efm_mve_three_of_one_run : efm_mve_three_of_runs)(b, j->threes);
    }
    if (j->ones != j->end) {
        b->end = j->end;
        efm_mve_one_of_runs(b, j->ones);
    }
    if (b->raw) {
        finish(j, &scale, first, rows);
    }
}

static void make_list(job *j)
{
    const efm_conv_call *call = j->call;
    efm_mve_block b = {.zero_point = j->table.zero_point,
                       .slack = -call->run_bytes & 15,
                       .back = 16 * (call->runs + 1)};
    for (uint32_t i = 0; i < EFM_MVE_LANES; i++) {
        b.low[i] = j->table.low;
        b.high[i] = j->table.high;
    }
    list_pixels(j);
    if (j->table.weight_zero != 0) {
        sum_inputs(j);
    }
    for (uint32_t first = 0; first < call->tile.out; first += EFM_MVE_LANES) {
        make_block(j, &b, first);
    }
}

/* Whether a block may need its sums in scratch. */
static int is_careful(const efm_conv_call *call, const efm_table *table)
{
    return call->flags || table->weight_zero != 0 || call->tile.out % EFM_MVE_LANES != 0
           || (table->flags & (EFM_TABLE_ROUND_ONCE | EFM_TABLE_PROVED)) != EFM_TABLE_PROVED;
}

void efm_mve_conv(const efm_conv_call *call)
{
    job j = {.call = call, .table = efm_table_read(call->tile.table), .threes = (uint32_t *)(void *)call->scratch};
    j.careful = is_careful(call, &j.table);
    uint32_t behind = j.careful ? EFM_MVE_LANES + 1 : 0; /* words of a pixel behind the list */
    uint32_t most = call->runs < SCRATCH_WORDS ? LIST_WORDS / (words_of_three(call) + THREE * behind) * THREE : 0;
    if (most == 0) {
        efm_portable_conv(call);
        return;
    }
    j.sums = (int32_t *)(void *)call->scratch + SCRATCH_WORDS - behind * most;
    j.inputs = j.sums + EFM_MVE_LANES * most;
    for (; j.p < call->pixels; j.p += j.pixels) {
        j.pixels = call->pixels - j.p < most ? call->pixels - j.p : most;
        make_list(&j);
    }
}

efm_scratch efm_mve_conv_scratch(uint32_t depth, uint32_t out)
{
    (void)depth;
    (void)out;
    return (efm_scratch){4 * SCRATCH_WORDS, 0};
}

#endif
