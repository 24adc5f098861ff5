/* SPDX-License-Identifier: Apache-2.0 */
/* CONV: each output value is the dot product of a patch, [kernel_h][kernel_w][in_c], with one row
 * of weights. The input of a 1x1 convolution already is a list of patches; others are gathered
 * in scratch, EFM_DOT_PATCHES at a time. */
#include <string.h>

#include "convolution.h"

#include "edgefm_bytes.h"

enum { PARAMS = EFM_CONVOLUTION_PARAMS + 2, TILE_MAX = 64 };

typedef struct conv {
    efm_convolution common;
    const efm_kernel *kernel;
    uint32_t depth;                /* weights of an output channel */
    uint32_t tile_out, tile_in;    /* the packing: [O / tile_out][depth / tile_in][tile_out][tile_in] */
    uint32_t row_bytes;            /* depth up to a whole number of tiles */
    uint32_t channels;
} conv;

/* Patches side by side and the pixels that they become. */
typedef struct patches {
    const int8_t *x;
    uint32_t x_stride;
    uint32_t count;
    int8_t *out;
    uint32_t out_stride;
} patches;

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void conv_read(const efm_op_args *args, conv *c)
{
    const efm_window *w = &c->common.window;
    efm_convolution_read(args, &c->common);
    c->tile_out = efm_load_le32(args->params + 4 * EFM_CONVOLUTION_PARAMS);
    c->tile_in = efm_load_le32(args->params + 4 * (EFM_CONVOLUTION_PARAMS + 1));
    c->channels = args->out[0].channels;
    c->depth = w->kernel_h * w->kernel_w * args->in[0].channels;
}

static void conv_pack(conv *c)
{
    c->row_bytes = (c->depth + c->tile_in - 1) / c->tile_in * c->tile_in;
}

/* Whether every window is one pixel of the map. */
static int is_pointwise(const efm_op_args *args, const efm_window *w)
{
    return w->kernel_h == 1 && w->kernel_w == 1 && w->pad_top == 0 && w->pad_left == 0
           && (args->out[0].height - 1) * w->stride_h < args->in[0].height
           && (args->out[0].width - 1) * w->stride_w < args->in[0].width;
}

static efm_status conv_check(const efm_op_args *args)
{
    conv c;
    const efm_window *w = &c.common.window;
    efm_status status = efm_convolution_check(args, PARAMS);
    if (status != EFM_OK) {
        return status;
    }
    conv_read(args, &c);
    if (w->kernel_w > EFM_DEPTH_MAX / w->kernel_h || args->in[0].channels > EFM_DEPTH_MAX / (w->kernel_h * w->kernel_w)
        || c.tile_out - 1 >= TILE_MAX || c.tile_in - 1 >= TILE_MAX) {
        return EFM_BAD_OPERATOR;
    }
    conv_pack(&c);
    uint32_t bytes = args->weights_bytes - c.common.head_bytes;
    uint32_t rows = (c.channels + c.tile_out - 1) / c.tile_out * c.tile_out;
    if (bytes % c.row_bytes != 0 || bytes / c.row_bytes != rows) {
        return EFM_BAD_OPERATOR;
    }
    if (!is_pointwise(args, w) && args->scratch_bytes < EFM_DOT_PATCHES * c.depth) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* Weight k of output channel o in any packing. */
static int8_t packed_weight(const conv *c, uint32_t o, uint32_t k)
{
    uint32_t tile = o / c->tile_out * (c->row_bytes / c->tile_in) + k / c->tile_in;
    uint32_t place = o % c->tile_out * c->tile_in + k % c->tile_in;
    return c->common.weights[tile * c->tile_out * c->tile_in + place];
}

static int32_t packed_dot(const conv *c, const int8_t *x, uint32_t o)
{
    int32_t sum = 0;
    for (uint32_t k = 0; k < c->depth; k++) {
        sum += x[k] * packed_weight(c, o, k);
    }
    return sum;
}

/* kernel->dots() for weights in rows, packed_dot() for those in tiles. */
static void dots(const conv *c, const patches *p, uint32_t first, uint32_t rows,
                 int32_t sums[EFM_DOT_PATCHES][EFM_DOT_ROWS])
{
    if (c->tile_out == 1) {
        c->kernel->dots(p->x, p->x_stride, p->count, c->common.weights + first * c->row_bytes, c->row_bytes, rows,
                        c->depth, sums);
        return;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        for (uint32_t r = 0; r < rows; r++) {
            sums[i][r] = packed_dot(c, p->x + i * p->x_stride, first + r);
        }
    }
}

/* sum x * (w - zero) = sum x * w - zero * sum x */
static void take_off_weight_zero(const conv *c, const int8_t *x, uint32_t rows, int32_t *sums)
{
    int32_t sum = 0;
    for (uint32_t k = 0; k < c->depth; k++) {
        sum += x[k];
    }
    for (uint32_t r = 0; r < rows; r++) {
        sums[r] -= c->common.weight_zero * sum;
    }
}

/* Channels first .. first + rows - 1 of at most EFM_DOT_PATCHES pixels. */
static void make_block(const conv *c, const patches *p, uint32_t first, uint32_t rows)
{
    int32_t sums[EFM_DOT_PATCHES][EFM_DOT_ROWS];
    dots(c, p, first, rows, sums);
    for (uint32_t i = 0; i < p->count; i++) {
        if (c->common.weight_zero != 0) {
            take_off_weight_zero(c, p->x + i * p->x_stride, rows, sums[i]);
        }
        c->kernel->requantize(&c->common.requant, sums[i], first, rows, p->out + i * p->out_stride + first);
    }
}

/* Every channel of every pixel; a block of weights serves all pixels before the next is read. */
static void make_pixels(const conv *c, const patches *all)
{
    for (uint32_t first = 0; first < c->channels; first += EFM_DOT_ROWS) {
        for (uint32_t i = 0; i < all->count; i += EFM_DOT_PATCHES) {
            patches some = *all;
            some.x += i * all->x_stride;
            some.out += i * all->out_stride;
            some.count = smaller(all->count - i, EFM_DOT_PATCHES);
            make_block(c, &some, first, smaller(c->channels - first, EFM_DOT_ROWS));
        }
    }
}

/* One row of a window: kernel_w pixels from (y, x), which may lie outside the map. */
static void gather_row(const conv *c, const efm_rows *in, int32_t y, int32_t x, int8_t *patch)
{
    const efm_window *w = &c->common.window;
    int inside = (uint32_t)y < in->height;
    const uint8_t *row = inside ? efm_row(in, (uint32_t)y) : 0;
    if (inside && x >= 0 && w->dilation_w == 1 && in->pixel_stride == in->channels
        && (uint32_t)x + w->kernel_w <= in->width) {
        memmove(patch, row + (uint32_t)x * in->pixel_stride, w->kernel_w * in->channels);
        return;
    }
    for (uint32_t i = 0; i < w->kernel_w; i++, patch += in->channels) {
        uint32_t at = (uint32_t)x + i * w->dilation_w;
        if (inside && at < in->width) {
            memmove(patch, row + at * in->pixel_stride, in->channels);
        } else {
            memset(patch, in->zero_point, in->channels);
        }
    }
}

/* The patch of output pixel (y, x). */
static void gather(const conv *c, const efm_rows *in, uint32_t y, uint32_t x, int8_t *patch)
{
    const efm_window *w = &c->common.window;
    int32_t top = (int32_t)(y * w->stride_h) - (int32_t)w->pad_top;
    int32_t left = (int32_t)(x * w->stride_w) - (int32_t)w->pad_left;
    for (uint32_t i = 0; i < w->kernel_h; i++, patch += w->kernel_w * in->channels) {
        gather_row(c, in, top + (int32_t)(i * w->dilation_h), left, patch);
    }
}

static void make_pointwise_row(const conv *c, const efm_op_args *args, uint32_t y)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const efm_window *w = &c->common.window;
    patches row = {(const int8_t *)efm_row(in, y * w->stride_h), in->pixel_stride * w->stride_w, out->width,
                   (int8_t *)efm_row(out, y), out->pixel_stride};
    make_pixels(c, &row);
}

static void make_row(const conv *c, const efm_op_args *args, uint32_t y)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    int8_t *scratch = (int8_t *)args->scratch, *row = (int8_t *)efm_row(out, y);
    for (uint32_t x = 0; x < out->width; x += EFM_DOT_PATCHES) {
        uint32_t count = smaller(out->width - x, EFM_DOT_PATCHES);
        patches some = {scratch, c->depth, count, row + x * out->pixel_stride, out->pixel_stride};
        for (uint32_t i = 0; i < count; i++) {
            gather(c, in, y, x + i, scratch + i * c->depth);
        }
        make_pixels(c, &some);
    }
}

static void conv_run(const efm_op_args *args)
{
    conv c;
    conv_read(args, &c);
    conv_pack(&c);
    c.kernel = efm_kernel_choose();
    int pointwise = is_pointwise(args, &c.common.window);
    for (uint32_t i = 0; i < args->count; i++) {
        if (pointwise) {
            make_pointwise_row(&c, args, args->first + i);
        } else {
            make_row(&c, args, args->first + i);
        }
    }
}

const efm_op_class efm_op_conv = {
    .id = EFM_OP_CONV, .check = conv_check, .need = efm_convolution_need, .run = conv_run};
