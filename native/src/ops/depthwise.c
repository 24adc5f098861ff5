/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: every output channel sees the window of one input channel. Sums of a whole pixel are
 * kept in scratch, and behind them one pixel for padding and for channels that are repeated. */
#include <string.h>

#include "convolution.h"

#include "edgefm_bytes.h"

enum { PARAMS = EFM_CONVOLUTION_PARAMS + 1, SCRATCH_PER_CHANNEL = 5 };

typedef struct depthwise {
    efm_convolution common;
    const efm_kernel *kernel;
    const efm_rows *in;
    uint32_t channels;   /* of the output: multiplier for each of the input */
    uint32_t multiplier;
    int32_t *sums;       /* [channels] */
    int8_t *pixel;       /* [channels]; holds padding unless the multiplier is above 1 */
} depthwise;

static uint32_t multiplier_of(const efm_op_args *args)
{
    return efm_load_le32(args->params + 4 * EFM_CONVOLUTION_PARAMS);
}

static efm_status depthwise_check(const efm_op_args *args)
{
    efm_convolution c;
    efm_status status = efm_convolution_check(args, PARAMS);
    if (status != EFM_OK) {
        return status;
    }
    efm_convolution_read(args, &c);
    uint32_t channels = args->out[0].channels, multiplier = multiplier_of(args);
    uint32_t bytes = args->weights_bytes - c.head_bytes;
    if (multiplier == 0 || channels % multiplier != 0 || channels / multiplier != args->in[0].channels) {
        return EFM_BAD_OPERATOR;
    }
    if (c.window.kernel_w > EFM_DEPTH_MAX / c.window.kernel_h || bytes % channels != 0
        || bytes / channels != c.window.kernel_h * c.window.kernel_w) {
        return EFM_BAD_OPERATOR;
    }
    return args->scratch_bytes < SCRATCH_PER_CHANNEL * channels ? EFM_BAD_OPERATOR : EFM_OK;
}

/* The pixel under one tap with its channels repeated; `row` is null outside the map. */
static const int8_t *tap(const depthwise *d, const uint8_t *row, uint32_t x)
{
    const int8_t *from = 0;
    if (row && x < d->in->width) {
        from = (const int8_t *)row + x * d->in->pixel_stride;
    }
    if (d->multiplier == 1) {
        return from ? from : d->pixel;
    }
    for (uint32_t c = 0; c < d->channels; c++) {
        d->pixel[c] = from ? from[c / d->multiplier] : (int8_t)d->in->zero_point;
    }
    return d->pixel;
}

static void add_window(const depthwise *d, int32_t top, int32_t left)
{
    const efm_window *w = &d->common.window;
    const int8_t *taps[EFM_TAPS], *weights = d->common.weights;
    uint32_t most = d->multiplier == 1 ? EFM_TAPS : 1, n = 0;
    for (uint32_t i = 0; i < w->kernel_h; i++) {
        uint32_t y = (uint32_t)top + i * w->dilation_h;
        const uint8_t *row = y < d->in->height ? efm_row(d->in, y) : 0;
        for (uint32_t j = 0; j < w->kernel_w; j++) {
            if (n == most) {
                d->kernel->taps(taps, n, weights, d->common.weight_zero, d->channels, d->sums);
                weights += n * d->channels;
                n = 0;
            }
            taps[n++] = tap(d, row, (uint32_t)left + j * w->dilation_w);
        }
    }
    d->kernel->taps(taps, n, weights, d->common.weight_zero, d->channels, d->sums);
}

static void make_row(const depthwise *d, const efm_rows *out, uint32_t y)
{
    const efm_window *w = &d->common.window;
    int8_t *to = (int8_t *)efm_row(out, y);
    int32_t top = (int32_t)(y * w->stride_h) - (int32_t)w->pad_top;
    for (uint32_t x = 0; x < out->width; x++, to += out->pixel_stride) {
        memset(d->sums, 0, 4 * d->channels);
        add_window(d, top, (int32_t)(x * w->stride_w) - (int32_t)w->pad_left);
        d->kernel->requantize(&d->common.requant, d->sums, 0, d->channels, to);
    }
}

static void depthwise_run(const efm_op_args *args)
{
    depthwise d;
    efm_convolution_read(args, &d.common);
    d.kernel = efm_kernel_choose();
    d.in = &args->in[0];
    d.channels = args->out[0].channels;
    d.multiplier = multiplier_of(args);
    d.sums = (int32_t *)(void *)args->scratch;
    d.pixel = (int8_t *)args->scratch + 4 * d.channels;
    memset(d.pixel, d.in->zero_point, d.channels);
    for (uint32_t i = 0; i < args->count; i++) {
        make_row(&d, &args->out[0], args->first + i);
    }
}

const efm_op_class efm_op_depthwise = {
    .id = EFM_OP_DEPTHWISE, .check = depthwise_check, .need = efm_convolution_need, .run = depthwise_run};
