/* SPDX-License-Identifier: Apache-2.0 */
/* VIEW, CONCAT_CHANNELS, CONCAT_ROWS, PAD and COLUMNS: whole pixels change their place, if anything does. */
#include "operand.h"

enum { PAD_TOP, PAD_LEFT, PAD_PARAMS, PAD_MAX = 1 << 16 };

/* `count` pixels of `bytes` bytes each; pixels without gaps are one run. */
static void copy_pixels(uint8_t *to, uint32_t to_stride, const uint8_t *from, uint32_t from_stride, uint32_t count,
                        uint32_t bytes)
{
    if (to == from) {
        return;
    }
    if (to_stride == bytes && from_stride == bytes) {
        bytes *= count;
        count = 1;
    }
    for (; count > 0; count--, to += to_stride, from += from_stride) {
        memmove(to, from, bytes);
    }
}

/* A whole row of `from` to `to_row`, an address inside a row of `to`. */
static void copy_row(const efm_rows *to, uint8_t *to_row, const efm_rows *from, const uint8_t *from_row)
{
    copy_pixels(to_row, to->pixel_stride, from_row, from->pixel_stride, from->width, efm_pixel_bytes(from));
}

/* -- VIEW: usually both streams are the same bytes, and nothing is left to do -------------------- */

static void view_rows(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        uint8_t *to = efm_row(out, y), *from = efm_row(in, y);
        if (to != from) {
            memmove(to, from, efm_row_bytes(in));
        }
    }
}

static efm_status view_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, 0) || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (in->height != out->height || in->element != out->element || efm_row_bytes(in) != efm_row_bytes(out)
        || !efm_is_packed(in) || !efm_is_packed(out)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* -- CONCAT_CHANNELS: parameter i is 0 when part i was written in place, 1 when it is copied ----- */

static void concat_channels_rows(const efm_op_args *args)
{
    const efm_rows *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        uint8_t *to = efm_row(out, y);
        for (uint32_t i = 0; i < args->n_in; i++) {
            const efm_rows *in = &args->in[i];
            if (efm_param(args, i) != 0) {
                copy_row(out, to, in, efm_row(in, y));
            }
            to += efm_pixel_bytes(in);
        }
    }
}

static efm_status concat_channels_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, args->n_params, 1, args->n_in) || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *out = &args->out[0];
    uint32_t left = out->channels;
    for (uint32_t i = 0; i < args->n_in; i++) {
        const efm_rows *in = &args->in[i];
        if (in->height != out->height || in->width != out->width || in->element != out->element || in->channels > left
            || !efm_param_within(args, i, 0, 1)) {
            return EFM_BAD_OPERATOR;
        }
        left -= in->channels;
    }
    return left == 0 ? EFM_OK : EFM_BAD_OPERATOR;
}

/* -- CONCAT_ROWS --------------------------------------------------------------------------------- */

static void concat_rows_rows(const efm_op_args *args)
{
    const efm_rows *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const efm_rows *in = args->in;
        uint32_t row = y;
        while (row >= in->height) {
            row -= in->height;
            in++;
        }
        copy_row(out, efm_row(out, y), in, efm_row(in, row));
    }
}

static efm_status concat_rows_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, args->n_in, 1, 0) || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *out = &args->out[0];
    uint32_t left = out->height;
    for (uint32_t i = 0; i < args->n_in; i++) {
        const efm_rows *in = &args->in[i];
        if (in->width != out->width || in->channels != out->channels || in->element != out->element
            || in->height > left) {
            return EFM_BAD_OPERATOR;
        }
        left -= in->height;
    }
    return left == 0 ? EFM_OK : EFM_BAD_OPERATOR;
}

/* The nearest row of part `input`, which is the row itself where the result holds that part. */
static void concat_rows_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    uint32_t before = 0, last = args->in[input].height - 1;
    for (uint32_t i = 0; i < input; i++) {
        before += args->in[i].height;
    }
    uint32_t row = y < before ? 0 : y - before;
    *low = *high = row > last ? last : row;
}

/* -- PAD ------------------------------------------------------------------------------------------ */

static void pad_rows(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const uint32_t top = (uint32_t)efm_param(args, PAD_TOP), left = (uint32_t)efm_param(args, PAD_LEFT);
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        uint8_t *to = efm_row(out, y);
        for (uint32_t x = 0; x < out->width; x++) {
            memset(to + (size_t)x * out->pixel_stride, out->zero_point, out->channels);
        }
        if (y >= top && y - top < in->height) {
            copy_row(out, to + (size_t)left * out->pixel_stride, in, efm_row(in, y - top));
        }
    }
}

static efm_status pad_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, PAD_PARAMS) || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (in->element != 1 || out->element != 1 || in->channels != out->channels
        || !efm_param_within(args, PAD_TOP, 0, PAD_MAX) || !efm_param_within(args, PAD_LEFT, 0, PAD_MAX)) {
        return EFM_BAD_OPERATOR;
    }
    uint32_t top = (uint32_t)efm_param(args, PAD_TOP), left = (uint32_t)efm_param(args, PAD_LEFT);
    if (top > out->height || in->height > out->height - top || left > out->width || in->width > out->width - left) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static void pad_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    uint32_t top = (uint32_t)efm_param(args, PAD_TOP), last = args->in[input].height - 1;
    uint32_t row = y < top ? 0 : y - top;
    *low = *high = row > last ? last : row;
}

/* -- COLUMNS: pixels of the first input from the parameter on; further inputs were written in place, beside them - */

static void columns_rows(const efm_op_args *args)
{
    const efm_rows *out = &args->out[0], *in = &args->in[0];
    const uint32_t x = (uint32_t)efm_param(args, 0), count = args->n_in == 1 ? out->width : in->width - x;
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        copy_pixels(efm_row(out, y), out->pixel_stride, efm_row(in, y) + x * in->pixel_stride, in->pixel_stride, count,
                    efm_pixel_bytes(in));
    }
}

static efm_status columns_check(const efm_op_args *args)
{
    const efm_rows *out = &args->out[0];
    uint32_t left = out->width;
    if (!efm_has_operands(args, args->n_in, 1, 1) || args->weights_bytes != 0
        || !efm_param_within(args, 0, 0, (int32_t)args->in[0].width - 1)) {
        return EFM_BAD_OPERATOR;
    }
    left += (uint32_t)efm_param(args, 0);
    for (uint32_t i = 0; i < args->n_in; i++) {
        const efm_rows *in = &args->in[i];
        if (in->height != out->height || in->channels != out->channels || in->element != out->element) {
            return EFM_BAD_OPERATOR;
        }
        left = left < in->width ? 0 : left - in->width;
    }
    return left == 0 ? EFM_OK : EFM_BAD_OPERATOR;
}

const efm_op_class efm_op_map_view = {.id = EFM_OP_VIEW, .check = view_check, .need = efm_need_same, .run = view_rows};
const efm_op_class efm_op_concat_channels = {
    .id = EFM_OP_CONCAT_CHANNELS, .check = concat_channels_check, .need = efm_need_same, .run = concat_channels_rows};
const efm_op_class efm_op_concat_rows = {
    .id = EFM_OP_CONCAT_ROWS, .check = concat_rows_check, .need = concat_rows_need, .run = concat_rows_rows};
const efm_op_class efm_op_pad = {.id = EFM_OP_PAD, .check = pad_check, .need = pad_need, .run = pad_rows};
const efm_op_class efm_op_columns = {
    .id = EFM_OP_COLUMNS, .check = columns_check, .need = efm_need_same, .run = columns_rows};
/* AGAIN runs as INPUT; in the table it is for being there. */
const efm_op_class efm_op_again = {.id = EFM_OP_AGAIN};
