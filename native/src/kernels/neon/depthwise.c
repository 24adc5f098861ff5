/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise.h"

#if EFM_KERNEL_NEON

/* Up to eight bytes, zeros behind them. */
static inline EFM_NEON int8x8_t load(const int8_t *from, uint32_t count)
{
    return count == EFM_NEON_STRIP ? vld1_s8(from) : vget_low_s8(efm_neon_part(from, count));
}

/* -- A strip ------------------------------------------------------------------------------------------------ */

/* Whether sums of a window stay below 2^30 and shifts below 0: a tile loses its flag for one channel of another strip. */
static EFM_NEON int is_proved(const efm_neon_strip *s, uint32_t taps)
{
    int32x4_t low = vqabsq_s32(vld1q_s32(s->channels.bias)), high = vqabsq_s32(vld1q_s32(s->channels.bias + 4));
    int32_t most[EFM_NEON_STRIP];
    for (uint32_t t = 0; t < taps; t++) { /* each at most 255 * 128 */
        int16x8_t size = vabsq_s16(vld1q_s16(s->w[t]));
        low = vqaddq_s32(low, vshll_n_s16(vget_low_s16(size), 7));
        high = vqaddq_s32(high, vshll_n_s16(vget_high_s16(size), 7));
    }
    vst1q_s32(most, low);
    vst1q_s32(most + 4, high);
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->channels.shift[i] >= 0 || most[i] >= 1 << 30) {
            return 0;
        }
    }
    return s->result.zero_point == (int8_t)s->result.zero_point && s->result.low <= s->result.high;
}

/* The weights of a window that is kept. */
static EFM_NEON void read_weights(efm_neon_strip *s)
{
    const efm_tile *tile = &s->call->tile;
    int8x8_t zero = vdup_n_s8((int8_t)s->result.weight_zero);
    int16x8_t least = vdupq_n_s16(0), most = least;
    for (uint32_t t = 0; t < tile->depth; t++) {
        int16x8_t w = vsubl_s8(load(tile->weights + (size_t)t * tile->out + s->first, s->count), zero);
        least = vminq_s16(least, w);
        most = vmaxq_s16(most, w);
        vst1q_s16(s->w[t], w);
    }
    int8x8_t out = vorr_s8(vqmovn_s16(vsubq_s16(least, vmovl_s8(vqmovn_s16(least)))),
                           vqmovn_s16(vsubq_s16(most, vmovl_s8(vqmovn_s16(most)))));
    s->small = vget_lane_u64(vreinterpret_u64_s8(out), 0) == 0;
}

static void read_strip(efm_neon_strip *s, const efm_table *table, uint32_t first, uint32_t count)
{
    s->first = first;
    s->count = count;
    efm_neon_read_channels(table, first, count, &s->channels);
    if (s->call->tile.depth <= EFM_NEON_TAPS) {
        read_weights(s);
        if (s->channels.mode == EFM_NEON_GENERAL && is_proved(s, s->call->tile.depth)) {
            s->channels.mode = EFM_NEON_FAST;
        }
    }
}

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
    return vtbl1_s8(load(pixel + r->first, r->count), vreinterpret_s8_u8(r->each));
}

static EFM_NEON void make_any_pixel(const efm_neon_strip *s, const repeat *r, uint32_t row, uint32_t x)
{
    const efm_depthwise_call *call = s->call;
    const int8_t *w = call->tile.weights + s->first;
    int8x8_t zero = vdup_n_s8((int8_t)s->result.weight_zero), padding = vdup_n_s8((int8_t)call->in->zero_point);
    int32x4_t low = vld1q_s32(s->channels.bias), high = vld1q_s32(s->channels.bias + 4);
    for (uint32_t i = 0; i < call->kernel_h; i++) {
        const int8_t *from = efm_depthwise_row(call, row, i);
        uint32_t at = x * call->stride_w - call->pad_left;
        for (uint32_t j = 0; j < call->kernel_w; j++, at += call->dilation_w, w += call->tile.out) {
            int inside = from && at < call->in->width;
            int16x8_t v = vmovl_s8(inside ? load_repeated(r, from + (size_t)at * call->in->pixel_stride) : padding);
            int16x8_t by = vsubl_s8(load(w, s->count), zero);
            low = vmlal_s16(low, vget_low_s16(v), vget_low_s16(by));
            high = vmlal_s16(high, vget_high_s16(v), vget_high_s16(by));
        }
    }
    int32_t sums[EFM_NEON_STRIP];
    vst1q_s32(sums, low);
    vst1q_s32(sums + 4, high);
    efm_neon_finish(&s->channels, 0, &s->result, sums, s->count,
                    efm_neon_out_row(s, row) + (size_t)x * call->out->pixel_stride);
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

static int is_usual(const efm_depthwise_call *call)
{
    return (call->kernel_w == 3 || call->kernel_w == 5) && call->kernel_h == call->kernel_w && call->stride_w <= 2
           && call->dilation_w == 1 && call->multiplier == 1;
}

/* Whether the strip's window can be made with SDOT: pixels left of the map are in the first window only, and are not
   all of it. */
static int is_for_dot(const efm_neon_strip *s)
{
    const efm_depthwise_call *call = s->call;
    return EFM_KERNEL_NEON_DOT && s->small && call->kernel_w == 3 && call->pad_left + call->stride_w <= 3;
}

static void make_dot(const efm_neon_strip *s)
{
#if EFM_KERNEL_NEON_DOT
    efm_neon_strip_dot(s);
#else
    efm_neon_strip_taps(s);
#endif
}

void efm_neon_depthwise(const efm_depthwise_call *call, int dot)
{
    const efm_table table = efm_table_read(call->tile.table);
    efm_neon_strip s = {.call = call, .result = efm_neon_read_result(&table)};
    uint32_t out = call->tile.out;
    int usual = is_usual(call);
    for (uint32_t first = 0; first < out; first += EFM_NEON_STRIP) {
        /* The last strip begins earlier, and has some channels in common with the one before. */
        uint32_t rest = out - first;
        uint32_t begin = rest >= EFM_NEON_STRIP || out < EFM_NEON_STRIP ? first : out - EFM_NEON_STRIP;
        uint32_t count = out < EFM_NEON_STRIP ? out : EFM_NEON_STRIP;
        read_strip(&s, &table, begin, count);
        if (!usual || count < EFM_NEON_STRIP) {
            make_any(&s);
        } else if (dot && is_for_dot(&s)) {
            make_dot(&s);
        } else {
            efm_neon_strip_taps(&s);
        }
    }
}

#endif
