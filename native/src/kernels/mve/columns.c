/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: weights and input as columns in scratch, as lines.h says. */
#include "depthwise.h"

#if EFM_KERNEL_MVE
#include <arm_mve.h>

/* `bytes`: a multiple of 16. */
static void fill(uint8_t *to, int32_t value, uint32_t bytes)
{
    const int8x16_t all = vdupq_n_s8((int8_t)value);
    for (uint8_t *end = to + bytes; to != end; to += 16) {
        vstrbq_s8((int8_t *)to, all);
    }
}

/* Group g of `count` columns from `to` on; rows and channels are the caller's. */
static void set_columns(const efm_mve_job *j, efm_mve_columns *c, uint8_t *to, uint32_t g, uint32_t count)
{
    c->to = to + g * EFM_MVE_GROUP_BYTES;
    c->to_step = j->window.column;
    c->count = count;
}

static void lay_out_rows_of_weights(const efm_mve_job *j)
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
static uint32_t take_off_zero_point(const efm_mve_job *j)
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

uint32_t efm_mve_lay_out_weights(const efm_mve_job *j)
{
    lay_out_rows_of_weights(j);
    return j->table.weight_zero == 0 ? 1 : take_off_zero_point(j);
}

/* Lane `i % 4` of a vector: word `i` of a window, and its weights, which are `weights` bytes from those at hand. */
static void set_word(efm_mve_job *j, uint32_t vector, uint32_t i, uint32_t weights)
{
    uint32_t column = i / j->window.groups, at = i % j->window.groups * EFM_MVE_GROUP_BYTES;
    int is_there = column < j->call->kernel_w;
    j->line.words[vector].x[i % EFM_MVE_LANES] = is_there ? column * j->call->dilation_w * j->window.column + at : 0;
    j->line.words[vector].w[i % EFM_MVE_LANES] = is_there ? weights + (1 + column) * j->window.column + at : 0;
}

void efm_mve_set_words(efm_mve_job *j)
{
    const uint32_t parts = efm_mve_parts_of(&j->table), size = j->call->kernel_w * j->window.column;
    for (uint32_t part = 0; part < parts; part++) {
        for (uint32_t i = 0; i < j->window.vectors * EFM_MVE_LANES; i++) {
            set_word(j, part * j->window.vectors + i / EFM_MVE_LANES, i, part ? part * size + j->window.column : 0);
        }
    }
}

/* Group g of the rows that output row r sees: `count` pixels from `at` on, behind `skip` columns. */
static void lay_out_rows(const efm_mve_job *j, uint32_t r, uint32_t g, uint32_t skip, uint32_t at, uint32_t count)
{
    const efm_depthwise_call *call = j->call;
    const uint32_t rows = efm_smaller(call->kernel_h - g * EFM_MVE_ROWS, EFM_MVE_ROWS);
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

void efm_mve_lay_out_columns(const efm_mve_job *j, uint32_t r, uint32_t x)
{
    const efm_depthwise_call *call = j->call;
    const uint32_t all = efm_mve_columns_of(call, &j->window, j->pixels);
    const int32_t left = (int32_t)(x * call->stride_w) - (int32_t)call->pad_left, width = (int32_t)call->in->width;
    uint32_t before = left < 0 ? efm_smaller((uint32_t)-left, all) : 0;
    int32_t end = left + (int32_t)all < width ? left + (int32_t)all : width, start = left + (int32_t)before;
    uint32_t count = end > start ? (uint32_t)(end - start) : 0;
    uint8_t *behind = j->columns + (before + count) * j->window.column;
    fill(j->columns, call->in->zero_point, before * j->window.column);
    fill(behind, call->in->zero_point, (all - before - count) * j->window.column);
    for (uint32_t g = 0; g < j->window.groups && count > 0; g++) {
        lay_out_rows(j, r, g, before, (uint32_t)start, count);
    }
}

#endif
