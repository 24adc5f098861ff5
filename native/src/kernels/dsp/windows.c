/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE of any window: a pixel's channels by four, or one by one where they are repeated. Each is finished before
 * the next begins, so that sums stay in registers. */
#include "planes.h"

#if EFM_KERNEL_DSP

typedef struct window {
    const efm_depthwise_call *call;
    efm_table table;
    uint32_t row;              /* of the call */
    uint32_t left;              /* column of the first tap, huge where it is negative */
    int8_t *out;               /* bytes of the pixel */
} window;

/* sums += x * (w - zero), of four channels */
static inline void add_tap(uint32_t x, uint32_t w, uint32_t zero, int32_t sums[EFM_DSP_LANES])
{
    uint32_t xe = efm_dsp_even(x), xo = efm_dsp_odd(x), we = efm_dsp_even(w), wo = efm_dsp_odd(w);
    __asm("ssub16 %0, %0, %1" : "+r"(we) : "r"(zero));
    __asm("ssub16 %0, %0, %1" : "+r"(wo) : "r"(zero));
    __asm("smlabb %0, %1, %2, %0" : "+r"(sums[0]) : "r"(xe), "r"(we));
    __asm("smlabb %0, %1, %2, %0" : "+r"(sums[1]) : "r"(xo), "r"(wo));
    __asm("smlatt %0, %1, %2, %0" : "+r"(sums[2]) : "r"(xe), "r"(we));
    __asm("smlatt %0, %1, %2, %0" : "+r"(sums[3]) : "r"(xo), "r"(wo));
}

static void make_four(const window *at, uint32_t first)
{
    const efm_depthwise_call *call = at->call;
    const int8_t *w = call->tile.weights + first;
    uint32_t zero = (uint16_t)at->table.weight_zero * 0x10001u, padding = (uint8_t)call->in->zero_point * 0x1010101u;
    int32_t sums[EFM_DSP_LANES] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < call->kernel_h; i++) {
        const int8_t *row = efm_depthwise_row(call, at->row, i);
        uint32_t x = at->left;
        for (uint32_t j = 0; j < call->kernel_w; j++, x += call->dilation_w, w += call->tile.out) {
            int inside = row != 0 && x < call->in->width;
            add_tap(inside ? efm_dsp_load(row + (size_t)x * call->in->pixel_stride + first) : padding, efm_dsp_load(w),
                    zero, sums);
        }
    }
    efm_dsp_requantize(&at->table, sums, first, EFM_DSP_LANES, at->out + first);
}

static void make_one(const window *at, uint32_t o)
{
    const efm_depthwise_call *call = at->call;
    const int8_t *w = call->tile.weights + o;
    uint32_t from = o / call->multiplier;
    int32_t sum = 0;
    for (uint32_t i = 0; i < call->kernel_h; i++) {
        const int8_t *row = efm_depthwise_row(call, at->row, i);
        uint32_t x = at->left;
        for (uint32_t j = 0; j < call->kernel_w; j++, x += call->dilation_w, w += call->tile.out) {
            int inside = row != 0 && x < call->in->width;
            int32_t value = inside ? row[(size_t)x * call->in->pixel_stride + from] : (int8_t)call->in->zero_point;
            sum += value * (*w - at->table.weight_zero);
        }
    }
    efm_dsp_requantize(&at->table, &sum, o, 1, at->out + o);
}

static void make_pixel(const window *at)
{
    uint32_t o = 0, out = at->call->tile.out;
    if (at->call->multiplier == 1) {
        for (; o + EFM_DSP_LANES <= out; o += EFM_DSP_LANES) {
            make_four(at, o);
        }
    }
    for (; o < out; o++) {
        make_one(at, o);
    }
}

void efm_dsp_windows(const efm_depthwise_call *call)
{
    window at = {.call = call, .table = efm_table_read(call->tile.table)};
    for (at.row = 0; at.row < call->rows; at.row++) {
        at.out = (int8_t *)efm_row(call->out, call->first + at.row);
        for (uint32_t x = 0; x < call->out->width; x++, at.out += call->out->pixel_stride) {
            at.left = x * call->stride_w - call->pad_left;
            make_pixel(&at);
        }
    }
}

#endif
