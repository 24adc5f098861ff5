/* SPDX-License-Identifier: Apache-2.0 */
/* AVERAGE_POOL and MAX_POOL: windows that see only what lies inside the map. */
#include "sums.h"

enum {
    KERNEL_H,
    KERNEL_W,
    STRIDE_H,
    STRIDE_W,
    PAD_TOP,
    PAD_LEFT,
    CLAMP,
    MAX_PARAMS = CLAMP + 2,
    ROUNDING = MAX_PARAMS,
    AVERAGE_PARAMS
};
enum { AWAY, UP };

/* With EFM_CELLS_MAX, it keeps every product and every sum of a window inside 31 bits. */
enum { SIDE_MAX = 1 << 16 };

/* The part of a window that lies inside the map: rows y0 .. y1 - 1, pixels x0 .. x1 - 1. */
typedef struct window {
    uint32_t y0, y1, x0, x1;
} window;

typedef void pixel_function(const efm_op_args *args, const window *at, int8_t *out);

/* Clips one axis; check() has made sure that something is left. */
static void clip(const efm_op_args *args, uint32_t axis, uint32_t index, uint32_t size, uint32_t *from, uint32_t *to)
{
    int32_t start = (int32_t)index * efm_param(args, STRIDE_H + axis) - efm_param(args, PAD_TOP + axis);
    int32_t end = start + efm_param(args, KERNEL_H + axis);
    *from = start < 0 ? 0 : (uint32_t)start;
    *to = end > (int32_t)size ? size : (uint32_t)end;
}

static void run_pixels(const efm_op_args *args, pixel_function *function)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        window at;
        clip(args, 0, y, in->height, &at.y0, &at.y1);
        int8_t *pixel = (int8_t *)efm_row(out, y);
        for (uint32_t x = 0; x < out->width; x++) {
            clip(args, 1, x, in->width, &at.x0, &at.x1);
            function(args, &at, pixel);
            pixel += out->pixel_stride;
        }
    }
}

/* The largest of pixels x0 .. x1 - 1 of row y and of what is there. */
static void take_largest(const efm_rows *in, uint32_t y, const window *at, int8_t *out)
{
    const int8_t *from = (const int8_t *)efm_row(in, y) + (size_t)at->x0 * in->pixel_stride;
    const uint32_t done = efm_max_fast(out, from, in->pixel_stride, at->x1 - at->x0, in->channels);
    for (uint32_t x = at->x0; done < in->channels && x < at->x1; x++, from += in->pixel_stride) {
        for (uint32_t c = done; c < in->channels; c++) {
            out[c] = from[c] > out[c] ? from[c] : out[c];
        }
    }
}

static void max_pixel(const efm_op_args *args, const window *at, int8_t *out)
{
    const efm_rows *in = &args->in[0];
    const int32_t low = efm_param(args, CLAMP), high = efm_param(args, CLAMP + 1);
    memset(out, low, in->channels);
    for (uint32_t y = at->y0; y < at->y1; y++) {
        take_largest(in, y, at, out);
    }
    for (uint32_t c = 0; high < 127 && c < in->channels; c++) {
        out[c] = (int8_t)(out[c] < high ? out[c] : high);
    }
}

static void average_pixel(const efm_op_args *args, const window *at, int8_t *out)
{
    const efm_rows *in = &args->in[0];
    const int32_t low = efm_param(args, CLAMP), high = efm_param(args, CLAMP + 1);
    const int up = efm_param(args, ROUNDING) == UP;
    const int32_t count = (int32_t)((at->y1 - at->y0) * (at->x1 - at->x0));
    const uint32_t channels = in->channels;
    int32_t *sums = (int32_t *)(void *)args->scratch;
    memset(sums, 0, (size_t)channels * 4);
    for (uint32_t y = at->y0; y < at->y1; y++) {
        efm_sum_pixels(in, y, at->x0, at->x1, sums);
    }
    const efm_sums run = {.at = sums, .out = out, .count = channels, .pixels = count, .low = low, .high = high};
    efm_divide_sums(&run, up);
}

/* Every window along the axis has a cell inside the map. */
static int axis_fits(const efm_op_args *args, uint32_t axis, uint32_t size, uint32_t out_size)
{
    if (!efm_param_within(args, KERNEL_H + axis, 1, SIDE_MAX) || !efm_param_within(args, STRIDE_H + axis, 1, SIDE_MAX)
        || !efm_param_within(args, PAD_TOP + axis, 0, efm_param(args, KERNEL_H + axis) - 1)) {
        return 0;
    }
    int64_t last = (int64_t)(out_size - 1) * efm_param(args, STRIDE_H + axis) - efm_param(args, PAD_TOP + axis);
    return size <= SIDE_MAX && last < (int64_t)size;
}

static efm_status check(const efm_op_args *args, uint32_t n_params)
{
    if (!efm_has_operands(args, 1, 1, n_params) || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (in->element != 1 || out->element != 1 || in->channels != out->channels || !efm_is_clamp(args, CLAMP)
        || !axis_fits(args, 0, in->height, out->height) || !axis_fits(args, 1, in->width, out->width)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static efm_status max_check(const efm_op_args *args)
{
    return check(args, MAX_PARAMS);
}

static efm_status average_check(const efm_op_args *args)
{
    efm_status status = check(args, AVERAGE_PARAMS);
    if (status != EFM_OK) {
        return status;
    }
    if (!efm_param_within(args, ROUNDING, AWAY, UP) || args->scratch_bytes / 4 < args->in[0].channels
        || (int64_t)efm_param(args, KERNEL_H) * efm_param(args, KERNEL_W) > EFM_CELLS_MAX) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static void need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    clip(args, 0, y, args->in[input].height, low, high);
    *high -= 1;
}

static void max_rows(const efm_op_args *args)
{
    run_pixels(args, max_pixel);
}

static void average_rows(const efm_op_args *args)
{
    run_pixels(args, average_pixel);
}

const efm_op_class efm_op_average_pool = {
    .id = EFM_OP_AVERAGE_POOL, .flags = EFM_OP_SHARES, .check = average_check, .need = need, .run = average_rows};
const efm_op_class efm_op_max_pool = {
    .id = EFM_OP_MAX_POOL, .flags = EFM_OP_SHARES, .check = max_check, .need = need, .run = max_rows};
