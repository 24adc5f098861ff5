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

/* Output channels o .. o + n - 1, n = EFM_DSP_LANES where channels are not repeated, or 1. */
EFM_SPLIT void make_channels(const window *at, uint32_t o, uint32_t n)
{
    const efm_depthwise_call *call = at->call;
    const int8_t *w = call->tile.weights + o;
    const uint32_t padding = (uint8_t)call->in->zero_point * 0x1010101u, from = o / call->multiplier;
    int32_t sums[EFM_DSP_LANES] = {0}, zero = at->table.weight_zero;
    for (uint32_t i = 0; i < call->kernel_h; i++) {
        const int8_t *row = efm_depthwise_row(call, at->row, i);
        uint32_t x = at->left;
        for (uint32_t j = 0; j < call->kernel_w; j++, x += call->dilation_w, w += call->tile.out) {
            int inside = row != 0 && x < call->in->width;
            const int8_t *values = inside ? row + (size_t)x * call->in->pixel_stride + from : (const int8_t *)&padding;
            if (n > 1) {
                add_tap(efm_dsp_load(values), efm_dsp_load(w), (uint16_t)zero * 0x10001u, sums);
            } else {
                sums[0] += *values * (*w - zero);
            }
        }
    }
    efm_dsp_requantize(&at->table, sums, o, n, at->out + o);
}

static void make_pixel(const window *at)
{
    uint32_t o = 0, out = at->call->tile.out;
    if (at->call->multiplier == 1) {
        for (; o + EFM_DSP_LANES <= out; o += EFM_DSP_LANES) {
            make_channels(at, o, EFM_DSP_LANES);
        }
    }
    for (; o < out; o++) {
        make_channels(at, o, 1);
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
