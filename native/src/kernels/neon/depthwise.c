/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise.h"

#if EFM_KERNEL_NEON

/* -- Any window --------------------------------------------------------------------------------------------- */

/* Channels of a tap: those of the input, each `multiplier` times. */
typedef struct repeat {
    uint32_t first, count; /* of the input */
    uint8x8_t each;        /* of the input's channels, one for each of the strip */
} repeat;

static EFM_NEON repeat repeat_of(const efm_neon_strip *s)
{
    uint32_t multiplier = s->call->multiplier, last = (s->first + s->count - 1) / multiplier;
    repeat r = {.first = s->first / multiplier};
    uint8_t each[EFM_NEON_STRIP] = {0};
    r.count = last - r.first + 1;
    for (uint32_t i = 0; i < s->count; i++) {
        each[i] = (uint8_t)((s->first + i) / multiplier - r.first);
    }
    r.each = vld1_u8(each);
    return r;
}

static inline EFM_NEON int8x8_t load_repeated(const repeat *r, const int8_t *pixel)
{
    return vtbl1_s8(efm_neon_load(pixel + r->first, r->count), vreinterpret_s8_u8(r->each));
}

/* Weights of a tap, less their zero point. */
static inline EFM_NEON int16x8_t weights_of(const efm_neon_strip *s, uint32_t tap)
{
    const efm_tile *tile = &s->call->tile;
    if (tile->depth <= EFM_NEON_TAPS) {
        return vld1q_s16(s->weights->w[tap]);
    }
    int8x8_t w = efm_neon_load(tile->weights + (size_t)tap * tile->out + s->first, s->count);
    return vsubl_s8(w, vdup_n_s8((int8_t)s->result.weight_zero));
}

static EFM_NEON void make_any_pixel(const efm_neon_strip *s, const repeat *r, uint32_t row, uint32_t x)
{
    const efm_depthwise_call *call = s->call;
    const efm_neon_channels *c = &s->weights->channels;
    int8x8_t padding = vdup_n_s8((int8_t)call->in->zero_point);
    int32x4_t low = vld1q_s32(c->bias), high = vld1q_s32(c->bias + 4);
    uint32_t tap = 0;
    for (uint32_t i = 0; i < call->kernel_h; i++) {
        const int8_t *from = efm_depthwise_row(call, row, i);
        uint32_t at = x * call->stride_w - call->pad_left;
        for (uint32_t j = 0; j < call->kernel_w; j++, at += call->dilation_w) {
            int inside = from && at < call->in->width;
            int16x8_t v = vmovl_s8(inside ? load_repeated(r, from + (size_t)at * call->in->pixel_stride) : padding);
            int16x8_t w = weights_of(s, tap++);
            low = vmlal_s16(low, vget_low_s16(v), vget_low_s16(w));
            high = vmlal_s16(high, vget_high_s16(v), vget_high_s16(w));
        }
    }
    int32_t sums[EFM_NEON_STRIP];
    vst1q_s32(sums, low);
    vst1q_s32(sums + 4, high);
    efm_neon_finish(c, 0, &s->result, sums, s->count, efm_neon_out_row(s, row) + (size_t)x * call->out->pixel_stride);
}

static EFM_NEON void make_any(const efm_neon_strip *s)
{
    repeat r = repeat_of(s);
    for (uint32_t row = 0; row < s->call->rows; row++) {
        for (uint32_t x = 0; x < s->call->out->width; x++) {
            make_any_pixel(s, &r, row, x);
        }
    }
}

/* -- A call ------------------------------------------------------------------------------------------------- */

/* What the inner loops take. */
static int is_usual(const efm_depthwise_call *call)
{
    return (call->kernel_w == 3 || call->kernel_w == 5) && call->kernel_h == call->kernel_w && call->stride_w <= 2
           && call->dilation_w == 1 && call->multiplier == 1 && call->tile.out >= EFM_NEON_STRIP;
}

static void make_strip(const efm_neon_strip *s, int usual, int dot)
{
    if (!usual) {
        make_any(s);
        return;
    }
#if EFM_KERNEL_NEON_DOT
    /* Pixels left of the map are in the first window only, and are not all of it. */
    if (dot && s->weights->small && s->call->kernel_w == 3 && s->call->pad_left + s->call->stride_w <= 3) {
        efm_neon_strip_dot(s);
        return;
    }
#endif
    (void)dot;
    efm_neon_strip_taps(s);
}

static void make_own(const efm_depthwise_call *call, int usual, int dot)
{
    const efm_tile *tile = &call->tile;
    const efm_neon_head *head = (const efm_neon_head *)(const void *)tile->table;
    efm_neon_strip s = {call, 0, EFM_NEON_STRIP, head->result, 0};
    for (uint32_t first = 0; first < tile->out; first += EFM_NEON_STRIP) {
        s.first = efm_neon_strip_begin(first, tile->out);
        s.weights = efm_neon_packed_strip(tile, first);
        make_strip(&s, usual, dot);
    }
}

static void make_rows(const efm_depthwise_call *call, uint32_t count, int usual, int dot)
{
    const efm_tile *tile = &call->tile;
    const efm_table table = efm_table_read(tile->table);
    efm_neon_strip_weights weights;
    efm_neon_strip s = {call, 0, count, efm_neon_read_result(&table), &weights};
    for (uint32_t first = 0; first < tile->out; first += EFM_NEON_STRIP) {
        s.first = efm_neon_strip_begin(first, tile->out);
        if (tile->depth <= EFM_NEON_TAPS) {
            efm_neon_read_strip(tile, &table, s.first, count, &weights);
        } else {
            efm_neon_read_channels(&table, s.first, count, &weights.channels);
        }
        make_strip(&s, usual, dot);
    }
}

void efm_neon_depthwise(const efm_depthwise_call *call, int dot)
{
    if (call->tile.packing == EFM_PACKING_OWN) {
        make_own(call, is_usual(call), dot);
    } else {
        uint32_t count = call->tile.out < EFM_NEON_STRIP ? call->tile.out : EFM_NEON_STRIP;
        make_rows(call, count, is_usual(call), dot);
    }
}

#endif
