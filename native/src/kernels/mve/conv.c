/* SPDX-License-Identifier: Apache-2.0 */
/* CONV with tiles as they are in the package. Pixels of a call are written into a list, as many as it has room for;
 * then block after block of four channels goes over the list. Where a block cannot make bytes at once, it makes sums,
 * and finish() does the rest. The list is on the stack: what a forged package says of scratch must not reach it. */
#include "blocks.h"

#if EFM_KERNEL_MVE
#include "requantize.h"

enum { THREE = 3, LIST_WORDS = 128, SUMS = 12 /* pixels of a list whose blocks make sums */ };

typedef struct job {
    const efm_conv_call *call;
    efm_table table;
    int32_t careful;             /* some blocks may make sums */
    uint32_t p, pixels;          /* those of the list */
    uint32_t *ones, *end;        /* in the list, behind the pixels by threes: the one or two that remain */
    uint32_t list[LIST_WORDS];
    int32_t sums[SUMS][EFM_MVE_LANES];
} job;

static uint32_t word(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

/* Words of the list that `count` pixels take at most. */
static uint32_t most_words(const efm_conv_call *call, uint32_t count)
{
    return call->runs * (count + 2) + 1 + 3 * count;
}

static int32_t sum_of(const int8_t *x, int32_t count)
{
    int32_t sum = 0;
    for (; count > 0; count -= 16, x += 16) {
        sum = vaddvaq_s8(sum, vldrbq_z_s8(x, vctp8q((uint32_t)count)));
    }
    return sum;
}

/* What the weights' zero point adds to each sum of pixel p: x * (w - zero) = x * w - zero * x. */
static uint32_t correction(const efm_conv_call *call, uint32_t p, int32_t zero)
{
    int32_t sum = 0;
    for (uint32_t run = 0; run < call->runs; run++) {
        sum += sum_of(call->in[p * call->runs + run], (int32_t)call->run_bytes);
    }
    return (uint32_t)(-zero * sum);
}

/* How many of `left` runs from `in` on lie one after another, in as many pixels. */
static uint32_t join_runs(const efm_conv_call *call, const int8_t *const *in, uint32_t left, uint32_t count)
{
    const int8_t *const *b = in + (count > 1 ? call->runs : 0), *const *c = b + (count > 1 ? call->runs : 0);
    const int8_t *x = *in, *y = *b, *z = *c;
    uint32_t runs = 0;
    do {
        runs++, x += call->run_bytes, y += call->run_bytes, z += call->run_bytes;
    } while (runs < left && in[runs] == x && b[runs] == y && c[runs] == z);
    return runs;
}

static uint32_t *list_runs(const efm_conv_call *call, uint32_t p, uint32_t count, uint32_t *at)
{
    uint32_t *start = at;
    for (uint32_t run = 0; run < call->runs; at += count + 2) {
        const int8_t *const *in = call->in + p * call->runs + run;
        uint32_t joined = join_runs(call, in, call->runs - run, count), bytes = joined * call->run_bytes;
        for (uint32_t i = 0; i < count; i++) {
            at[i] = word(in[i * call->runs]);
        }
        at[count] = bytes;
        at[count + 1] = -bytes & 15;
        run += joined;
    }
    *at++ = word(start);
    for (uint32_t i = 0; i < count; i++) {
        *at++ = 0;
    }
    return at;
}

static uint32_t *list_pixels(const job *j, uint32_t p, uint32_t count, uint32_t *at)
{
    const efm_conv_call *call = j->call;
    at = list_runs(call, p, count, at);
    if (call->runs == 1 && count == THREE) {
        at -= count + 2; /* no word behind the run's bytes */
    }
    for (uint32_t i = 0; i < count && j->table.weight_zero != 0; i++) {
        *at++ = correction(call, p + i, j->table.weight_zero);
    }
    for (uint32_t i = 0; i < count; i++) { /* no byte is written by a call that leaves its sums */
        *at++ = call->flags & EFM_SUMS_LEAVE ? 0 : word(call->out[p + i]);
    }
    return at;
}

/* list_pixels() of the most usual: three pixels of one run, whose bytes are made at once. */
static uint32_t *list_three(const efm_conv_call *call, uint32_t p, uint32_t *at)
{
    const int8_t *const *in = call->in + p;
    int8_t *const *out = call->out + p;
    at[0] = word(in[0]), at[1] = word(in[1]), at[2] = word(in[2]), at[3] = call->run_bytes;
    at[4] = word(out[0]), at[5] = word(out[1]), at[6] = word(out[2]);
    return at + 7;
}

/* Fills the list from pixel p on: by threes, and what then remains of the call or is too long for three. */
static void make_list(job *j)
{
    const efm_conv_call *call = j->call;
    const uint32_t *room = j->list + LIST_WORDS;
    const int usual = call->runs == 1 && call->flags == 0 && j->table.weight_zero == 0;
    uint32_t p = j->p, end = j->careful && call->pixels - p > SUMS ? p + SUMS : call->pixels;
    j->ones = j->list;
    for (; end - p >= THREE && j->ones + most_words(call, THREE) <= room; p += THREE) {
        j->ones = usual ? list_three(call, p, j->ones) : list_pixels(j, p, THREE, j->ones);
    }
    j->end = j->ones;
    for (; (end - p < THREE || j->ones == j->list) && p < end && j->end + most_words(call, 1) <= room; p++) {
        j->end = list_pixels(j, p, 1, j->end);
    }
    j->pixels = p - j->p;
}

/* Channels first .. first + rows - 1; the last stands in for those past it. */
static void set_block(job *j, efm_mve_block *b, uint32_t first, uint32_t rows)
{
    /* where each channel's start, three times, and its row are in the pairs */
    static const uint32_t starts[][EFM_MVE_LANES] = {{0, 32, 12, 44}, {4, 36, 20, 52}, {8, 40, 28, 60}};
    static const uint32_t row[EFM_MVE_LANES] = {16, 48, 24, 56};
    const efm_tile *tile = &j->call->tile;
    efm_mve_channels c = efm_mve_channels_read(&j->table, first, rows);
    int32x4_t start = j->call->flags & EFM_SUMS_LEAVE ? vdupq_n_s32(0) : c.bias;
    uint32x4_t index = vminq_u32(vidupq_n_u32(0, 1), vdupq_n_u32(rows - 1));
    uint32x4_t rows_at = vmlaq_n_u32(vdupq_n_u32(word(tile->weights + first * tile->depth)), index, tile->depth);
    for (uint32_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        vstrwq_scatter_offset_s32((int32_t *)(void *)b->pairs, vldrwq_u32(starts[i]), start);
    }
    vstrwq_scatter_offset_u32((uint32_t *)(void *)b->pairs, vldrwq_u32(row), rows_at);
    vstrwq_s32(b->multiplier, c.multiplier);
    vstrwq_s32(b->shift, c.shift);
    b->sums = j->sums[0];
    b->how = j->table.weight_zero != 0 ? EFM_MVE_CORRECTED : 0;
    if (j->careful
        && (rows < EFM_MVE_LANES || j->call->flags || (j->table.flags & EFM_TABLE_ROUND_ONCE)
            || vmaxvq_s32(EFM_SHIFT_MIN, c.shift) >= 0)) {
        b->how |= EFM_MVE_RAW;
    }
}

/* Sums of a block to where they belong. */
static void finish(const job *j, const efm_mve_block *b, uint32_t first, uint32_t rows)
{
    const efm_conv_call *call = j->call;
    const mve_pred16_t lanes = vctp32q(rows);
    efm_mve_scale scale;
    if (call->flags & EFM_SUMS_LEAVE) {
        for (uint32_t i = 0; i < j->pixels; i++) {
            int32_t *at = call->sums[j->p + i] + first;
            int32x4_t v = vldrwq_s32(j->sums[i]);
            vstrwq_p_s32(at, call->flags & EFM_SUMS_TAKE ? vaddq_s32(v, vldrwq_z_s32(at, lanes)) : v, lanes);
        }
        return;
    }
    memcpy(scale.multiplier, b->multiplier, sizeof scale.multiplier);
    memcpy(scale.shift, b->shift, sizeof scale.shift);
    vstrwq_u32(scale.low, efm_mve_channels_read(&j->table, first, rows).low);
    for (uint32_t i = 0; i < j->pixels; i++) {
        int32x4_t v = vldrwq_s32(j->sums[i]);
        if (call->flags & EFM_SUMS_TAKE) {
            v = vaddq_s32(v, vldrwq_z_s32(call->sums[j->p + i] + first, lanes));
        }
        vstrbq_p_s32(call->out[j->p + i] + first, efm_mve_requantize(v, &j->table, &scale), lanes);
    }
}

static void make_block(job *j, efm_mve_block *b, uint32_t first)
{
    uint32_t rows = j->call->tile.out - first;
    rows = rows < EFM_MVE_LANES ? rows : EFM_MVE_LANES;
    set_block(j, b, first, rows);
    if (j->ones != j->list) {
        b->end = j->ones;
        (j->call->runs == 1 ? efm_mve_three_of_one_run : efm_mve_three_of_runs)(b, j->list);
    }
    if (j->end != j->ones) {
        b->end = j->end;
        efm_mve_one_of_runs(b, j->ones);
    }
    if (b->how & EFM_MVE_RAW) {
        finish(j, b, first, rows);
    }
}

static void make_blocks(job *j)
{
    efm_mve_block b = {.zero_point = j->table.zero_point};
    for (uint32_t i = 0; i < EFM_MVE_LANES; i++) {
        b.low[i] = j->table.low;
        b.high[i] = j->table.high;
    }
    for (uint32_t first = 0; first < j->call->tile.out; first += EFM_MVE_LANES) {
        make_block(j, &b, first);
    }
}

/* Whether some block may have to make sums. Where a table says that all is well and lies, bytes are wrong. */
static int needs_sums(const efm_conv_call *call, const efm_table *table)
{
    return call->flags || call->tile.out % EFM_MVE_LANES != 0
           || (table->flags & (EFM_TABLE_ROUND_ONCE | EFM_TABLE_PROVED)) != EFM_TABLE_PROVED;
}

void efm_mve_conv(const efm_conv_call *call)
{
    job j;
    if (call->runs > LIST_WORDS || most_words(call, 1) > LIST_WORDS) {
        efm_portable_conv(call);
        return;
    }
    j.call = call;
    j.table = efm_table_read(call->tile.table);
    j.careful = needs_sums(call, &j.table);
    for (j.p = 0; j.p < call->pixels; j.p += j.pixels) {
        make_list(&j);
        make_blocks(&j);
    }
}

#endif
