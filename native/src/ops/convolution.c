/* SPDX-License-Identifier: Apache-2.0 */
#include "convolution.h"

#include "edgefm_bytes.h"
#include "../fixed.h"

enum { LOW_MAX = ((int32_t)1 << 22) - 1 };

static int within(int32_t v, int32_t low, int32_t high)
{
    return v >= low && v <= high;
}

static int32_t param(const efm_op_args *args, uint32_t i)
{
    return efm_load_le32s(args->params + 4 * i);
}

static void window_read(const efm_op_args *args, efm_window *w)
{
    w->kernel_h = (uint32_t)param(args, 0);
    w->kernel_w = (uint32_t)param(args, 1);
    w->stride_h = (uint32_t)param(args, 2);
    w->stride_w = (uint32_t)param(args, 3);
    w->dilation_h = (uint32_t)param(args, 4);
    w->dilation_w = (uint32_t)param(args, 5);
    w->pad_top = (uint32_t)param(args, 6);
    w->pad_left = (uint32_t)param(args, 7);
}

void efm_convolution_read(const efm_op_args *args, efm_convolution *c)
{
    uint32_t channels = args->out[0].channels;
    efm_requant *q = &c->requant;
    window_read(args, &c->window);
    c->weight_zero = param(args, 8);
    q->act_min = param(args, 9);
    q->act_max = param(args, 10);
    q->rounding = param(args, 11);
    q->zero_point = args->out[0].zero_point;
    q->bias = args->weights;
    q->multiplier = q->bias + 4 * channels;
    q->shift = q->multiplier + 4 * channels;
    q->low = q->shift + (channels + 3) / 4 * 4;
    c->head_bytes = 8 * channels + (channels + 3) / 4 * 4 + (q->rounding == 1 ? 4 * channels : 0);
    c->weights = (const int8_t *)args->weights + c->head_bytes;
}

/* One axis; parameters that were negative are huge here. */
static int axis_fits(uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad, uint32_t out)
{
    return kernel - 1 < EFM_WINDOW_MAX && stride - 1 < INT32_MAX && dilation - 1 < INT32_MAX
           && kernel - 1 <= EFM_WINDOW_MAX / dilation && pad <= EFM_WINDOW_MAX && out - 1 <= EFM_START_MAX / stride;
}

static int map_fits(const efm_rows *map)
{
    return map->element == 1 && map->height - 1 < EFM_MAP_MAX && map->width - 1 < EFM_MAP_MAX
           && map->channels - 1 < EFM_MAP_MAX;
}

static int scales_fit(const efm_requant *q, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++) {
        if (efm_load_le32s(q->multiplier + 4 * c) < 0 || !within((int8_t)q->shift[c], EFM_SHIFT_MIN, EFM_SHIFT_MAX)
            || (q->rounding == 1 && efm_load_le32(q->low + 4 * c) > LOW_MAX)) {
            return 0;
        }
    }
    return 1;
}

efm_status efm_convolution_check(const efm_op_args *args, uint32_t n_params)
{
    efm_convolution c;
    const efm_window *w = &c.window;
    if (args->n_in != 1 || args->n_out != 1 || args->n_params != n_params) {
        return EFM_BAD_OPERATOR;
    }
    if (!map_fits(args->in) || !map_fits(args->out)) {
        return EFM_BAD_OPERATOR;
    }
    efm_convolution_read(args, &c);
    if (!axis_fits(w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, args->out[0].height)
        || !axis_fits(w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, args->out[0].width)) {
        return EFM_BAD_OPERATOR;
    }
    if (!within(c.weight_zero, INT8_MIN, INT8_MAX) || !within(c.requant.rounding, 0, 1)
        || !within(c.requant.act_min, INT8_MIN, c.requant.act_max) || c.requant.act_max > INT8_MAX) {
        return EFM_BAD_OPERATOR;
    }
    if (args->weights_bytes < c.head_bytes || !scales_fit(&c.requant, args->out[0].channels)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static uint32_t clamp_row(int32_t y, uint32_t height)
{
    return (uint32_t)efm_clamp(y, 0, (int32_t)height - 1);
}

void efm_convolution_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    efm_window w;
    window_read(args, &w);
    int32_t top = (int32_t)(y * w.stride_h) - (int32_t)w.pad_top;
    int32_t extent = (int32_t)((w.kernel_h - 1) * w.dilation_h);
    *low = clamp_row(top, args->in[input].height);
    *high = clamp_row(top + extent, args->in[input].height);
}
