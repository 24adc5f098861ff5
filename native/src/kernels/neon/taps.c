/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE with 3x3 and 5x5 windows by multiplications of 16 bits: some pixels of a row together, so that an input
 * that is loaded and widened serves all of them, and a weight too. */
#include "depthwise.h"

#if EFM_KERNEL_NEON

#if defined(__aarch64__)
enum { PIXELS = 4 };
#else
enum { PIXELS = 2 };
#endif

#define ALL_PIXELS EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)

/* Output row: where its input rows are, and what is the same for all pixels. */
typedef struct row {
    const efm_neon_strip *s;
    const int8_t *in[5];      /* those inside of the map */
    const int16_t *w[5];      /* theirs */
    uint32_t n;
    int32_t start[EFM_NEON_STRIP]; /* bias and what rows outside add */
    int8_t *out;
    size_t in_step, out_step;
} row;

typedef struct sums {
    int32x4_t low[PIXELS], high[PIXELS];
} sums;

EFM_INLINE EFM_NEON void add(sums *t, uint32_t p, int16x8_t x, int16x8_t w)
{
    t->low[p] = vmlal_s16(t->low[p], vget_low_s16(x), vget_low_s16(w));
#if defined(__aarch64__)
    t->high[p] = vmlal_high_s16(t->high[p], x, w);
#else
    t->high[p] = vmlal_s16(t->high[p], vget_high_s16(x), vget_high_s16(w));
#endif
}

EFM_INLINE EFM_NEON sums begin(const row *r, uint32_t pixels)
{
    sums t;
    ALL_PIXELS
    {
        t.low[p] = vld1q_s32(r->start);
        t.high[p] = vld1q_s32(r->start + 4);
    }
    return t;
}

/* By any formula. */
EFM_INLINE EFM_NEON void end_any(const row *r, const sums *t, int8_t *out, uint32_t pixels)
{
    int32_t all[EFM_NEON_STRIP];
    ALL_PIXELS
    {
        vst1q_s32(all, t->low[p]);
        vst1q_s32(all + 4, t->high[p]);
        efm_neon_finish(&r->s->weights->channels, 0, &r->s->result, all, EFM_NEON_STRIP, out + p * r->out_step);
    }
}

/* Results of pixels x, x + 1, .. of the row. */
EFM_INLINE EFM_NEON void end(const row *r, const sums *t, uint32_t x, uint32_t pixels, int fast)
{
    const efm_neon_channels *c = &r->s->weights->channels;
    int8_t *out = r->out + x * r->out_step;
    if (!fast) {
        end_any(r, t, out, pixels);
        return;
    }
    int32x4_t multiplier0 = vld1q_s32(c->multiplier), multiplier1 = vld1q_s32(c->multiplier + 4);
    int32x4_t shift0 = vld1q_s32(c->shift), shift1 = vld1q_s32(c->shift + 4);
    int16x8_t zero = vdupq_n_s16((int16_t)r->s->result.zero_point);
    int8x8_t least = vdup_n_s8((int8_t)r->s->result.low), most = vdup_n_s8((int8_t)r->s->result.high);
    ALL_PIXELS
    {
        int8x8_t bytes = efm_neon_eight(efm_neon_scale(t->low[p], multiplier0, shift0),
                                        efm_neon_scale(t->high[p], multiplier1, shift1), zero);
        vst1_s8(out, vmin_s8(vmax_s8(bytes, least), most));
        out += r->out_step;
    }
}

/* What input row i adds to pixels whose windows begin at `from`. */
EFM_INLINE EFM_NEON void add_row(const row *r, sums *t, uint32_t i, size_t from, uint32_t pixels, uint32_t kernel,
                                 uint32_t stride)
{
    const int8_t *at = r->in[i] + from;
    int16x8_t w[5];
    EFM_UNROLL(5) for (uint32_t j = 0; j < kernel; j++)
    {
        w[j] = vld1q_s16(r->w[i] + EFM_NEON_STRIP * j);
    }
    EFM_UNROLL(11) for (uint32_t column = 0; column < (pixels - 1) * stride + kernel; column++)
    {
        int16x8_t v = vmovl_s8(vld1_s8(at + column * r->in_step));
        ALL_PIXELS
        {
            if (column >= p * stride && column - p * stride < kernel) {
                add(t, p, v, w[(column - p * stride) % 5]);
            }
        }
    }
}

/* `pixels` pixels whose windows lie inside of the map's columns. */
EFM_INLINE EFM_NEON void make_inside(const row *r, uint32_t x, uint32_t pixels, uint32_t kernel, uint32_t stride,
                                     uint32_t rows, int fast)
{
    size_t from = (size_t)(x * stride - r->s->call->pad_left) * r->in_step;
    sums t = begin(r, pixels);
    EFM_UNROLL(5) for (uint32_t i = 0; i < rows; i++)
    {
        add_row(r, &t, i, from, pixels, kernel, stride);
    }
    end(r, &t, x, pixels, fast);
}

/* A pixel whose window reaches over the left or right edge. */
EFM_INLINE EFM_NEON void make_at_edge(const row *r, uint32_t x, uint32_t kernel, uint32_t stride, int fast)
{
    const efm_depthwise_call *call = r->s->call;
    int16x8_t padding = vdupq_n_s16((int8_t)call->in->zero_point);
    sums t = begin(r, 1);
    for (uint32_t i = 0; i < r->n; i++) {
        for (uint32_t j = 0; j < kernel; j++) {
            uint32_t at = x * stride - call->pad_left + j;
            const int8_t *from = r->in[i] + (size_t)at * r->in_step;
            add(&t, 0, at < call->in->width ? vmovl_s8(vld1_s8(from)) : padding,
                vld1q_s16(r->w[i] + EFM_NEON_STRIP * j));
        }
    }
    end(r, &t, x, 1, fast);
}

/* First pixel whose window begins inside, or `width`. */
static uint32_t first_inside(const efm_depthwise_call *call)
{
    uint32_t x = (call->pad_left + call->stride_w - 1) / call->stride_w;
    return x < call->out->width ? x : call->out->width;
}

/* The pixel after the last whose window ends inside. */
static uint32_t end_inside(const efm_depthwise_call *call)
{
    uint32_t reach = call->in->width + call->pad_left;
    uint32_t n = reach < call->kernel_w ? 0 : (reach - call->kernel_w) / call->stride_w + 1;
    return n < call->out->width ? n : call->out->width;
}

EFM_INLINE EFM_NEON void make_row(const row *asked, uint32_t kernel, uint32_t stride, uint32_t rows, int fast)
{
    const row r = *asked; /* which no result can alias */
    const efm_depthwise_call *call = r.s->call;
    uint32_t x = 0, inside = first_inside(call), edge = end_inside(call), width = call->out->width;
    for (; x < inside; x++) {
        make_at_edge(&r, x, kernel, stride, fast);
    }
    for (; x + PIXELS <= edge; x += PIXELS) {
        make_inside(&r, x, PIXELS, kernel, stride, rows, fast);
    }
    for (; x < edge; x++) {
        make_inside(&r, x, 1, kernel, stride, rows, fast);
    }
    for (; x < width; x++) {
        make_at_edge(&r, x, kernel, stride, fast);
    }
}

EFM_INLINE EFM_NEON void make_rows(const row *r, uint32_t kernel, uint32_t stride)
{
    int fast = r->s->weights->channels.mode == EFM_NEON_FAST;
    if (fast && r->n == kernel) {
        make_row(r, kernel, stride, kernel, 1);
    } else if (fast) {
        make_row(r, kernel, stride, r->n, 1);
    } else {
        make_row(r, kernel, stride, r->n, 0);
    }
}

static EFM_NEON void read_row(row *r, uint32_t at)
{
    const efm_neon_strip *s = r->s;
    const efm_depthwise_call *call = s->call;
    int16x8_t padding = vdupq_n_s16((int8_t)call->in->zero_point);
    sums t = {{vld1q_s32(s->weights->channels.bias)}, {vld1q_s32(s->weights->channels.bias + 4)}};
    r->n = 0;
    for (uint32_t i = 0; i < call->kernel_h; i++) {
        const int8_t *from = efm_depthwise_row(call, at, i);
        const int16_t *w = s->weights->w[i * call->kernel_w];
        if (from) {
            r->w[r->n] = w;
            r->in[r->n++] = from + s->first;
            continue;
        }
        for (uint32_t j = 0; j < call->kernel_w; j++) {
            add(&t, 0, padding, vld1q_s16(w + EFM_NEON_STRIP * j));
        }
    }
    vst1q_s32(r->start, t.low[0]);
    vst1q_s32(r->start + 4, t.high[0]);
    r->out = efm_neon_out_row(s, at);
}

EFM_NEON void efm_neon_strip_taps(const efm_neon_strip *s)
{
    row r = {.s = s, .in_step = s->call->in->pixel_stride, .out_step = s->call->out->pixel_stride};
    for (uint32_t at = 0; at < s->call->rows; at++) {
        read_row(&r, at);
        if (s->call->kernel_w == 3 && s->call->stride_w == 1) {
            make_rows(&r, 3, 1);
        } else if (s->call->kernel_w == 3) {
            make_rows(&r, 3, 2);
        } else if (s->call->stride_w == 1) {
            make_rows(&r, 5, 1);
        } else {
            make_rows(&r, 5, 2);
        }
    }
}

#endif
