/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: sixteen output channels after the other. Their weights, and what a piece of a row sees, are laid out in
 * scratch as lines.h says; then the assembly goes along the piece channel by channel. Scratch holds numbers only,
 * nothing that is used as an address: what a forged package says of it does no more than change bytes. */
#include "depthwise.h"

#if EFM_KERNEL_MVE
#include "requantize.h"

enum { COLUMNS_MOST = 128, FAR = 255 };

static efm_mve_window window_of(const efm_depthwise_call *call)
{
    uint32_t groups = (call->kernel_h + EFM_MVE_ROWS - 1) / EFM_MVE_ROWS;
    return (efm_mve_window){groups, groups * EFM_MVE_GROUP_BYTES,
                            (groups * call->kernel_w + EFM_MVE_LANES - 1) / EFM_MVE_LANES,
                            (call->kernel_w - 1) * call->dilation_w + 1};
}

static uint32_t weight_bytes(const efm_depthwise_call *call, const efm_mve_window *w)
{
    efm_table table = efm_table_read(call->tile.table);
    return (call->kernel_w * efm_mve_parts_of(&table) + 2) * w->column;
}

/* Whether this file has a way; the portable kernel has one for windows of any size. */
static int is_small(const efm_depthwise_call *call)
{
    if (call->kernel_h > FAR || call->kernel_w > FAR || call->dilation_w > FAR || call->stride_w > FAR) {
        return 0;
    }
    efm_mve_window w = window_of(call);
    efm_table table = efm_table_read(call->tile.table);
    return w.vectors * efm_mve_parts_of(&table) <= EFM_MVE_MOST
           && efm_mve_columns_of(call, &w, EFM_MVE_LANES) * w.groups <= COLUMNS_MOST;
}

/* Scratch for what this file does. */
static uint32_t own_scratch(const efm_depthwise_call *call)
{
    efm_mve_window w = window_of(call);
    return weight_bytes(call, &w) + efm_mve_columns_of(call, &w, EFM_MVE_LANES) * w.column;
}

/* The portable kernel takes over where there is only enough for that: packages that were compiled for another one. */
uint32_t efm_mve_depthwise_scratch(const efm_depthwise_call *call)
{
    uint32_t least = efm_portable_depthwise_scratch(call);
    return is_small(call) ? efm_smaller(least, own_scratch(call)) : least;
}

/* -- channels --------------------------------------------------------------------------------------------------- */

static void set_channels(efm_mve_job *j)
{
    const uint32_t multiplier = j->call->multiplier;
    int32_t greatest = EFM_SHIFT_MIN;
    j->channels = efm_smaller(j->call->tile.out - j->first, EFM_MVE_CHANNELS);
    j->input = j->first / multiplier;
    j->inputs = (j->first + j->channels - 1) / multiplier + 1 - j->input;
    for (uint32_t i = 0; i < j->channels; i += EFM_MVE_LANES) {
        efm_mve_channels c =
            efm_mve_channels_read(&j->table, j->first + i, efm_smaller(j->channels - i, EFM_MVE_LANES));
        int32x4x4_t records = {{c.bias, c.multiplier, c.shift, vreinterpretq_s32_u32(vidupq_n_u32(4 * i, 4))}};
        vst4q_s32(&j->channel[i].bias, records);
        vstrwq_u32(j->low + i, c.low);
        greatest = vmaxvq_s32(greatest, c.shift);
    }
    for (uint32_t i = 0; i < j->channels && multiplier > 1; i++) {
        j->channel[i].input = ((j->first + i) / multiplier - j->input) * EFM_MVE_ROWS;
    }
    j->short_formula = greatest < 0;
}

/* The sum of one pixel of channel i: the meaning of the assembly. */
static int32_t sum_of(const efm_mve_job *j, uint32_t i, const uint8_t *columns)
{
    int32_t sum = j->channel[i].bias;
    for (uint32_t v = 0; v < j->vectors; v++) {
        uint32x4_t x = vldrwq_gather_offset_u32((const uint32_t *)(const void *)(columns + j->channel[i].input),
                                                vldrwq_u32(j->line.words[v].x));
        uint32x4_t w = vldrwq_gather_offset_u32((const uint32_t *)(const void *)(j->weights + i * EFM_MVE_ROWS),
                                                vldrwq_u32(j->line.words[v].w));
        sum = vmladavaq_s8(sum, vreinterpretq_s8_u32(x), vreinterpretq_s8_u32(w));
    }
    return sum;
}

/* A piece of channel i for any table, four pixels at a time. */
static void make_channel(const efm_mve_job *j, uint32_t i, int8_t *out)
{
    const uint8_t *columns = j->columns;
    efm_mve_scale scale;
    vstrwq_s32(scale.multiplier, vdupq_n_s32(j->channel[i].multiplier));
    vstrwq_s32(scale.shift, vdupq_n_s32(j->channel[i].shift));
    vstrwq_u32(scale.low, vdupq_n_u32(j->low[i]));
    for (uint32_t x = 0; x < j->pixels; x += EFM_MVE_LANES) {
        uint32_t n = efm_smaller(j->pixels - x, EFM_MVE_LANES);
        int32_t sums[EFM_MVE_LANES] = {0};
        for (uint32_t l = 0; l < n; l++, columns += j->line.column_step) {
            sums[l] = sum_of(j, i, columns);
        }
        vstrbq_scatter_offset_p_s32(out + x * j->line.out_step, vldrwq_u32(j->line.lanes),
                                    efm_mve_requantize(vldrwq_s32(sums), &j->table, &scale), vctp32q(n));
    }
}

/* -- pieces ----------------------------------------------------------------------------------------------------- */

typedef void line_function(efm_mve_line *line);

/* The assembly for this call; null: none. */
static line_function *line_of(efm_mve_job *j)
{
    const efm_depthwise_call *call = j->call;
    if (j->vectors > EFM_MVE_FEW || (j->table.flags & EFM_TABLE_ROUND_ONCE)) {
        return 0;
    }
    if (j->vectors > 1 || j->window.groups > 1) {
        return efm_mve_line_of_few;
    }
    if (call->kernel_w == 3 && call->dilation_w == 1 && call->stride_w == 1) {
        j->line.words[0].x[3] = 3 * EFM_MVE_GROUP_BYTES; /* the next pixel's last column */
        return efm_mve_line_of_pairs;
    }
    return call->stride_w == 2 ? efm_mve_line_by_two : efm_mve_line_of_few;
}

/* Every channel of a piece whose columns are there. */
static void make_channels(efm_mve_job *j, line_function *line, int8_t *out)
{
    for (uint32_t i = 0, end; i < j->channels; i = end) {
        end = line && j->short_formula ? j->channels : i;
        while (line && end < j->channels && j->channel[end].shift < 0) {
            end++;
        }
        if (end == i) {
            make_channel(j, i, out + i);
            end++;
            continue;
        }
        j->line.columns = j->columns;
        j->line.weights = j->weights + i * EFM_MVE_ROWS;
        j->line.channels = j->channel + i;
        j->line.end = j->channel + end;
        j->line.out = out + i;
        line(&j->line);
    }
}

/* The same. A row of fewer pixels than there are lanes is made beside it, pixel after pixel of all channels. */
static void make_piece(efm_mve_job *j, line_function *line, int8_t *out)
{
    if (j->pixels >= EFM_MVE_LANES) {
        make_channels(j, line, out);
        return;
    }
    int8_t lanes[EFM_MVE_LANES][EFM_MVE_CHANNELS];
    make_channels(j, line, lanes[0]);
    for (uint32_t x = 0; x < j->pixels; x++) {
        vstrbq_p_s8(out + x * j->call->out->pixel_stride, vldrbq_s8(lanes[x]), vctp8q(j->channels));
    }
}

static void make_rows(efm_mve_job *j)
{
    const efm_depthwise_call *call = j->call;
    const uint32_t width = call->out->width, step = call->out->pixel_stride;
    line_function *line = line_of(j);
    for (uint32_t r = 0; r < call->rows; r++) {
        int8_t *out = (int8_t *)efm_row(call->out, call->first + r) + j->first;
        for (uint32_t x = 0; x < width; x += j->pixels) {
            x = efm_smaller(x, width - j->pixels); /* the last piece may make pixels twice */
            efm_mve_lay_out_columns(j, r, x);
            make_piece(j, line, out + x * step);
        }
    }
}

/* Pieces of a row as long as scratch allows, and about equal. */
static uint32_t share_out(const efm_mve_job *j)
{
    const uint32_t width = j->call->out->width, bytes = j->call->scratch_bytes - weight_bytes(j->call, &j->window);
    uint32_t most = (bytes / j->window.column - j->window.reach) / j->call->stride_w + 1, pieces;
    most = efm_smaller(most, width);
    pieces = (width + most - 1) / most;
    uint32_t even = (width + pieces - 1) / pieces;
    return even < EFM_MVE_LANES ? efm_smaller(most, EFM_MVE_LANES) : even;
}

static void set_line(efm_mve_job *j)
{
    const efm_depthwise_call *call = j->call;
    const int is_short = j->pixels < EFM_MVE_LANES;
    j->line = (efm_mve_line){.fours = is_short ? 1 : j->pixels / EFM_MVE_LANES,
                             .rest = is_short ? 0 : j->pixels % EFM_MVE_LANES,
                             .out_step = is_short ? EFM_MVE_CHANNELS : call->out->pixel_stride,
                             .column_step = call->stride_w * j->window.column,
                             .zero_point = j->table.zero_point,
                             .low = j->table.low,
                             .high = j->table.high};
    for (uint32_t i = 0; i < EFM_MVE_LANES; i++) {
        j->line.lanes[i] = i * j->line.out_step;
    }
    efm_mve_set_words(j);
}

void efm_mve_depthwise(const efm_depthwise_call *call)
{
    efm_mve_job j;
    if (!is_small(call) || call->scratch_bytes < own_scratch(call)) {
        efm_portable_depthwise(call);
        return;
    }
    j.call = call;
    j.table = efm_table_read(call->tile.table);
    j.window = window_of(call);
    j.weights = call->scratch;
    j.columns = call->scratch + weight_bytes(call, &j.window);
    j.pixels = share_out(&j);
    set_line(&j);
    for (j.first = 0; j.first < call->tile.out; j.first += j.channels) {
        set_channels(&j);
        j.vectors = j.window.vectors * efm_mve_lay_out_weights(&j);
        make_rows(&j);
    }
}

#endif
