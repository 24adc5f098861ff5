/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: sixteen output channels after the other. Their weights, and what a piece of a row sees, are laid out in
 * scratch as lines.h says; then the assembly goes along the piece channel by channel. Scratch holds numbers only,
 * nothing that is used as an address: what a forged package says of it does no more than change bytes. */
#include "lines.h"

#if EFM_KERNEL_MVE
#include "requantize.h"

enum { COLUMNS_MOST = 128, FAR = 255, PARTS = 3 };

/* How a window becomes words. */
typedef struct window {
    uint32_t groups;  /* of four rows */
    uint32_t column;  /* bytes */
    uint32_t vectors; /* of four words, for one part of its weights */
    uint32_t reach;   /* columns */
} window;

typedef struct job {
    const efm_depthwise_call *call;
    efm_table table;
    window window;
    uint32_t pixels;          /* of a piece */
    uint8_t *weights;         /* columns of zeros, of the window, of zeros, and of the window's other parts */
    uint8_t *columns;
    uint32_t first, channels; /* output channels at hand */
    uint32_t input, inputs;   /* input channels of theirs */
    int32_t short_formula;    /* the assembly's will do for all of them */
    efm_mve_channel channel[EFM_MVE_CHANNELS];
    uint32_t low[EFM_MVE_CHANNELS];
    uint32_t vectors;         /* line.words that their windows have */
    efm_mve_line line;
} job;

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* `bytes`: a multiple of 16. */
static void fill(uint8_t *to, int32_t value, uint32_t bytes)
{
    const int8x16_t all = vdupq_n_s8((int8_t)value);
    for (uint8_t *end = to + bytes; to != end; to += 16) {
        vstrbq_s8((int8_t *)to, all);
    }
}

static window window_of(const efm_depthwise_call *call)
{
    uint32_t groups = (call->kernel_h + EFM_MVE_ROWS - 1) / EFM_MVE_ROWS;
    return (window){groups, groups * EFM_MVE_GROUP_BYTES, (groups * call->kernel_w + EFM_MVE_LANES - 1) / EFM_MVE_LANES,
                    (call->kernel_w - 1) * call->dilation_w + 1};
}

/* Columns that `pixels` side by side see. */
static uint32_t columns_of(const efm_depthwise_call *call, const window *w, uint32_t pixels)
{
    return (pixels - 1) * call->stride_w + w->reach;
}

/* Most parts of weights less their zero point: a difference may be more than a byte. */
static uint32_t parts_of(const efm_table *table)
{
    return table->weight_zero == 0 ? 1 : PARTS;
}

static uint32_t weight_bytes(const efm_depthwise_call *call, const window *w)
{
    efm_table table = efm_table_read(call->tile.table);
    return (call->kernel_w * parts_of(&table) + 2) * w->column;
}

/* Whether this file has a way; the portable kernel has one for windows of any size. */
static int is_small(const efm_depthwise_call *call)
{
    if (call->kernel_h > FAR || call->kernel_w > FAR || call->dilation_w > FAR || call->stride_w > FAR) {
        return 0;
    }
    window w = window_of(call);
    return w.vectors * PARTS <= EFM_MVE_MOST
           && columns_of(call, &w, smaller(call->out->width, EFM_MVE_LANES)) * w.groups <= COLUMNS_MOST;
}

/* Scratch for what this file does. */
static uint32_t own_scratch(const efm_depthwise_call *call)
{
    window w = window_of(call);
    return weight_bytes(call, &w) + columns_of(call, &w, smaller(call->out->width, EFM_MVE_LANES)) * w.column;
}

/* The portable kernel takes over where there is only enough for that: packages that were compiled for another one. */
uint32_t efm_mve_depthwise_scratch(const efm_depthwise_call *call)
{
    uint32_t least = efm_portable_depthwise_scratch(call);
    return is_small(call) ? smaller(least, own_scratch(call)) : least;
}

/* Group g of `count` columns from `to` on; rows and channels are the caller's. */
static void set_columns(const job *j, efm_mve_columns *c, uint8_t *to, uint32_t g, uint32_t count)
{
    c->to = to + g * EFM_MVE_GROUP_BYTES;
    c->to_step = j->window.column;
    c->count = count;
}

/* -- weights ---------------------------------------------------------------------------------------------------- */

static void lay_out_weights(const job *j)
{
    static const int8_t zeros[EFM_MVE_CHANNELS];
    const efm_depthwise_call *call = j->call;
    const uint32_t out = call->tile.out;
    fill(j->weights, 0, j->window.column);
    fill(j->weights + (call->kernel_w + 1) * j->window.column, 0, j->window.column);
    for (uint32_t g = 0; g < j->window.groups; g++) {
        efm_mve_columns c;
        set_columns(j, &c, j->weights + j->window.column, g, call->kernel_w);
        c.channels = j->channels;
        for (uint32_t b = 0; b < EFM_MVE_ROWS; b++) {
            uint32_t row = g * EFM_MVE_ROWS + b, is_there = row < call->kernel_h;
            c.row[b] = is_there ? call->tile.weights + row * call->kernel_w * out + j->first : zeros;
            c.step[b] = is_there ? out : 0;
        }
        efm_mve_four_rows(&c);
    }
}

/* How many parts are not all zero: the first is in place, the others behind. */
static uint32_t take_off_zero_point(const job *j)
{
    const uint32_t size = j->call->kernel_w * j->window.column;
    const uint8x16_t row = vandq_u8(vidupq_n_u8(0, 1), vdupq_n_u8(EFM_MVE_ROWS - 1));
    const int8x16_t zero = vdupq_n_s8((int8_t)j->table.weight_zero), none = vdupq_n_s8(0);
    int8_t *first = (int8_t *)j->weights + j->window.column, *second = first + size + j->window.column;
    uint8_t most_second = 0, most_third = 0;
    for (uint32_t i = 0; i < size; i += 16) {
        uint32_t above = i % j->window.column / EFM_MVE_GROUP_BYTES * EFM_MVE_ROWS;
        mve_pred16_t is_there = vcmphiq_u8(vdupq_n_u8((uint8_t)(j->call->kernel_h - above)), row);
        int8x16_t w = vldrbq_s8(first + i), a = vqsubq_m_s8(none, w, zero, is_there), left = vsubq_s8(w, a);
        int8x16_t b = vqsubq_m_s8(none, left, zero, is_there);
        int8x16_t c = vsubq_m_s8(none, vsubq_s8(left, b), zero, is_there);
        vstrbq_s8(first + i, a);
        vstrbq_s8(second + i, b);
        vstrbq_s8(second + size + i, c);
        most_second = vmaxavq_s8(most_second, b);
        most_third = vmaxavq_s8(most_third, c);
    }
    return most_third ? 3 : most_second ? 2 : 1;
}

/* Lane `i % 4` of a vector: word `i` of a window, and its weights, which are `weights` bytes from those at hand. */
static void set_word(job *j, uint32_t vector, uint32_t i, uint32_t weights)
{
    uint32_t column = i / j->window.groups, at = i % j->window.groups * EFM_MVE_GROUP_BYTES;
    int is_there = column < j->call->kernel_w;
    j->line.words[vector].x[i % EFM_MVE_LANES] = is_there ? column * j->call->dilation_w * j->window.column + at : 0;
    j->line.words[vector].w[i % EFM_MVE_LANES] = is_there ? weights + (1 + column) * j->window.column + at : 0;
}

static void set_words(job *j)
{
    const uint32_t parts = parts_of(&j->table), size = j->call->kernel_w * j->window.column;
    for (uint32_t part = 0; part < parts; part++) {
        for (uint32_t i = 0; i < j->window.vectors * EFM_MVE_LANES; i++) {
            set_word(j, part * j->window.vectors + i / EFM_MVE_LANES, i, part ? part * size + j->window.column : 0);
        }
    }
}

/* -- input ------------------------------------------------------------------------------------------------------ */

/* Group g of the rows that output row r sees: `count` pixels from `at` on, behind `skip` columns. */
static void lay_out_rows(const job *j, uint32_t r, uint32_t g, uint32_t skip, uint32_t at, uint32_t count)
{
    const efm_depthwise_call *call = j->call;
    const uint32_t rows = smaller(call->kernel_h - g * EFM_MVE_ROWS, EFM_MVE_ROWS);
    int8_t padding[EFM_MVE_CHANNELS];
    efm_mve_columns c;
    set_columns(j, &c, j->columns + skip * j->window.column, g, count);
    c.channels = j->inputs;
    fill((uint8_t *)padding, call->in->zero_point, sizeof padding);
    for (uint32_t b = 0; b < rows; b++) {
        const int8_t *row = efm_depthwise_row(call, r, g * EFM_MVE_ROWS + b);
        c.row[b] = row ? row + at * call->in->pixel_stride + j->input : padding;
        c.step[b] = row ? call->in->pixel_stride : 0;
    }
    for (uint32_t b = rows; b < EFM_MVE_ROWS; b++) {
        c.row[b] = padding;
        c.step[b] = 0;
    }
    (rows == EFM_MVE_ROWS - 1 ? efm_mve_three_rows : efm_mve_four_rows)(&c);
}

/* What the piece from output pixel x on sees of row r. */
static void lay_out_columns(const job *j, uint32_t r, uint32_t x)
{
    const efm_depthwise_call *call = j->call;
    const uint32_t all = columns_of(call, &j->window, j->pixels);
    const int32_t left = (int32_t)(x * call->stride_w) - (int32_t)call->pad_left, width = (int32_t)call->in->width;
    uint32_t before = left < 0 ? smaller((uint32_t)-left, all) : 0;
    int32_t end = left + (int32_t)all < width ? left + (int32_t)all : width, start = left + (int32_t)before;
    uint32_t count = end > start ? (uint32_t)(end - start) : 0;
    uint8_t *behind = j->columns + (before + count) * j->window.column;
    fill(j->columns, call->in->zero_point, before * j->window.column);
    fill(behind, call->in->zero_point, (all - before - count) * j->window.column);
    for (uint32_t g = 0; g < j->window.groups && count > 0; g++) {
        lay_out_rows(j, r, g, before, (uint32_t)start, count);
    }
}

/* -- channels --------------------------------------------------------------------------------------------------- */

static void set_channels(job *j)
{
    const uint32_t multiplier = j->call->multiplier;
    int32_t greatest = EFM_SHIFT_MIN;
    j->channels = smaller(j->call->tile.out - j->first, EFM_MVE_CHANNELS);
    j->input = j->first / multiplier;
    j->inputs = (j->first + j->channels - 1) / multiplier + 1 - j->input;
    for (uint32_t i = 0; i < j->channels; i += EFM_MVE_LANES) {
        efm_mve_channels c = efm_mve_channels_read(&j->table, j->first + i, smaller(j->channels - i, EFM_MVE_LANES));
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
static int32_t sum_of(const job *j, uint32_t i, const uint8_t *columns)
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
static void make_channel(const job *j, uint32_t i, int8_t *out)
{
    const uint8_t *columns = j->columns;
    efm_mve_scale scale;
    vstrwq_s32(scale.multiplier, vdupq_n_s32(j->channel[i].multiplier));
    vstrwq_s32(scale.shift, vdupq_n_s32(j->channel[i].shift));
    vstrwq_u32(scale.low, vdupq_n_u32(j->low[i]));
    for (uint32_t x = 0; x < j->pixels; x += EFM_MVE_LANES) {
        uint32_t n = smaller(j->pixels - x, EFM_MVE_LANES);
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
static line_function *line_of(job *j)
{
    const efm_depthwise_call *call = j->call;
    if (j->vectors > EFM_MVE_FEW || (j->table.flags & EFM_TABLE_ROUND_ONCE) || j->pixels < EFM_MVE_LANES) {
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
static void make_piece(job *j, line_function *line, int8_t *out)
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

static void make_rows(job *j)
{
    const efm_depthwise_call *call = j->call;
    const uint32_t width = call->out->width, step = call->out->pixel_stride;
    line_function *line = line_of(j);
    for (uint32_t r = 0; r < call->rows; r++) {
        int8_t *out = (int8_t *)efm_row(call->out, call->first + r) + j->first;
        for (uint32_t x = 0; x < width; x += j->pixels) {
            x = smaller(x, width - j->pixels); /* the last piece may make pixels twice */
            lay_out_columns(j, r, x);
            make_piece(j, line, out + x * step);
        }
    }
}

/* Pieces of a row as long as scratch allows, and about equal. */
static uint32_t share_out(const job *j)
{
    const uint32_t width = j->call->out->width, bytes = j->call->scratch_bytes - weight_bytes(j->call, &j->window);
    uint32_t most = (bytes / j->window.column - j->window.reach) / j->call->stride_w + 1, pieces;
    most = smaller(most, width);
    pieces = (width + most - 1) / most;
    return (width + pieces - 1) / pieces;
}

static void set_line(job *j)
{
    const efm_depthwise_call *call = j->call;
    j->line = (efm_mve_line){.fours = j->pixels / EFM_MVE_LANES,
                             .rest = j->pixels % EFM_MVE_LANES,
                             .out_step = call->out->pixel_stride,
                             .column_step = call->stride_w * j->window.column,
                             .zero_point = j->table.zero_point,
                             .low = j->table.low,
                             .high = j->table.high};
    for (uint32_t i = 0; i < EFM_MVE_LANES; i++) {
        j->line.lanes[i] = i * call->out->pixel_stride;
    }
    set_words(j);
}

void efm_mve_depthwise(const efm_depthwise_call *call)
{
    job j;
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
        lay_out_weights(&j);
        j.vectors = j.window.vectors * (j.table.weight_zero != 0 ? take_off_zero_point(&j) : 1);
        make_rows(&j);
    }
}

#endif
