/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE 3x3 with SDOT. A column is three or four rows of eight channels, turned so that the rows of a channel lie
 * together: one SDOT adds a column of the window for four channels. With stride 1 a column of four rows serves two
 * output rows: weights of the second lie one byte further on. Columns are kept while the window slides over them. */
#include "depthwise.h"

#if EFM_KERNEL_NEON_DOT

/* Two vectors of four channels, four rows each. */
typedef struct column {
    int8x16_t low, high;
} column;

typedef struct window {
    const efm_neon_strip *s;
    const int8_t *in[4]; /* the next column; a row outside of the map is padding, and stays where it is */
    size_t step[4];
    column w[2][3];      /* of one output row, or the first and second of two */
    int8_t *out[2];
    size_t out_step;
    const int32_t *bias; /* read for each pixel */
    int32x4_t multiplier[2], shift[2];
    int16x8_t zero;
    int8x16_t least, most;
    uint8x16_t turn_low, turn_high;
    column padding;
} window;

/* The next column. The rows go in pairs into two registers in sequence, which TBL looks up together. */
EFM_INLINE EFM_DOT column next(window *s, uint32_t rows)
{
    column c;
    if (rows == 2) {
        __asm__ volatile("ld1 {v30.8b}, [%[p0]], %[s0]\n\t"
                         "ld1 {v31.8b}, [%[p2]], %[s2]\n\t"
                         "ld1 {v30.d}[1], [%[p1]], %[s1]\n\t"
                         "ld1 {v31.d}[1], [%[p3]], %[s3]\n\t"
                         "tbl %[low].16b, {v30.16b, v31.16b}, %[tl].16b\n\t"
                         "tbl %[high].16b, {v30.16b, v31.16b}, %[th].16b"
                         : [low] "=&w"(c.low), [high] "=w"(c.high), [p0] "+&r"(s->in[0]), [p1] "+&r"(s->in[1]),
                           [p2] "+&r"(s->in[2]), [p3] "+&r"(s->in[3])
                         : [s0] "r"(s->step[0]), [s1] "r"(s->step[1]), [s2] "r"(s->step[2]), [s3] "r"(s->step[3]),
                           [tl] "w"(s->turn_low), [th] "w"(s->turn_high)
                         : "v30", "v31", "memory");
    } else {
        __asm__ volatile(
            "ld1 {v30.8b}, [%[p0]], %[s0]\n\t"
            "ld1 {v31.8b}, [%[p2]], %[s2]\n\t"
            "ld1 {v30.d}[1], [%[p1]], %[s1]\n\t"
            "tbl %[low].16b, {v30.16b, v31.16b}, %[tl].16b\n\t"
            "tbl %[high].16b, {v30.16b, v31.16b}, %[th].16b"
            : [low] "=&w"(c.low), [high] "=w"(c.high), [p0] "+&r"(s->in[0]), [p1] "+&r"(s->in[1]), [p2] "+&r"(s->in[2])
            : [s0] "r"(s->step[0]), [s1] "r"(s->step[1]), [s2] "r"(s->step[2]), [tl] "w"(s->turn_low),
              [th] "w"(s->turn_high)
            : "v30", "v31", "memory");
    }
    return c;
}

typedef struct sums {
    int32x4_t low, high;
} sums;

EFM_INLINE EFM_DOT sums dot(sums t, column x, column w)
{
    return (sums){vdotq_s32(t.low, x.low, w.low), vdotq_s32(t.high, x.high, w.high)};
}

EFM_INLINE EFM_DOT sums dots(const window *s, uint32_t row, column a, column b, column c)
{
    sums t = {vld1q_s32(s->bias), vld1q_s32(s->bias + 4)};
    return dot(dot(dot(t, a, s->w[row][0]), b, s->w[row][1]), c, s->w[row][2]);
}

EFM_INLINE EFM_DOT int16x8_t scale(const window *s, sums t)
{
    int16x4_t low = vqmovn_s32(efm_neon_scale(t.low, s->multiplier[0], s->shift[0]));
    return vqaddq_s16(vqmovn_high_s32(low, efm_neon_scale(t.high, s->multiplier[1], s->shift[1])), s->zero);
}

EFM_INLINE EFM_DOT void put_fast(window *s, uint32_t rows, column a, column b, column c)
{
    int16x8_t first = scale(s, dots(s, 0, a, b, c));
    int8x16_t bytes = vcombine_s8(vqmovn_s16(first), vdup_n_s8(0));
    if (rows == 2) {
        bytes = vqmovn_high_s16(vget_low_s8(bytes), scale(s, dots(s, 1, a, b, c)));
    }
    bytes = vminq_s8(vmaxq_s8(bytes, s->least), s->most);
    __asm__ volatile("st1 {%[bytes].8b}, [%[out]], %[step]"
                     : [out] "+r"(s->out[0])
                     : [bytes] "w"(bytes), [step] "r"(s->out_step)
                     : "memory");
    if (rows == 2) {
        __asm__ volatile("st1 {%[bytes].d}[1], [%[out]], %[step]"
                         : [out] "+r"(s->out[1])
                         : [bytes] "w"(bytes), [step] "r"(s->out_step)
                         : "memory");
    }
}

EFM_INLINE EFM_DOT void put_any(window *s, uint32_t row, sums t)
{
    int32_t all[EFM_NEON_STRIP];
    vst1q_s32(all, t.low);
    vst1q_s32(all + 4, t.high);
    efm_neon_finish(&s->s->weights->channels, 0, &s->s->result, all, EFM_NEON_STRIP, s->out[row]);
    s->out[row] += s->out_step;
}

/* A pixel of the row that is made, or of both. */
EFM_INLINE EFM_DOT void put(window *s, uint32_t rows, int fast, column a, column b, column c)
{
    if (fast) {
        put_fast(s, rows, a, b, c);
    } else {
        put_any(s, 0, dots(s, 0, a, b, c));
        if (rows == 2) {
            put_any(s, 1, dots(s, 1, a, b, c));
        }
    }
    EFM_NEON_IN_ORDER(s->bias);
}

/* The column at `x`, which may lie outside of the map. */
EFM_INLINE EFM_DOT column column_at(window *s, uint32_t x, uint32_t rows)
{
    return x < s->s->call->in->width ? next(s, rows) : s->padding;
}

EFM_INLINE EFM_DOT void slide_by_one(window *s, uint32_t rows, int fast)
{
    const efm_depthwise_call *call = s->s->call;
    uint32_t left = 0u - call->pad_left, x = 0, inside = call->in->width + call->pad_left;
    column a = column_at(s, left, rows), b = column_at(s, left + 1, rows), c;
    inside = inside < 2 ? 0 : inside - 2 < call->out->width ? inside - 2 : call->out->width;
    for (; x + 3 <= inside; x += 3) {
        c = next(s, rows);
        put(s, rows, fast, a, b, c);
        a = next(s, rows);
        put(s, rows, fast, b, c, a);
        b = next(s, rows);
        put(s, rows, fast, c, a, b);
    }
    for (; x < call->out->width; x++, a = b, b = c) {
        c = column_at(s, left + x + 2, rows);
        put(s, rows, fast, a, b, c);
    }
}

EFM_INLINE EFM_DOT void slide_by_two(window *s, int fast)
{
    const efm_depthwise_call *call = s->s->call;
    uint32_t left = 0u - call->pad_left, x = 0, inside = (call->in->width + call->pad_left - 1) / 2;
    column a = column_at(s, left, 1), b, c;
    inside = inside < call->out->width ? inside : call->out->width;
    for (; x + 2 <= inside; x += 2) {
        b = next(s, 1), c = next(s, 1);
        put(s, 1, fast, a, b, c);
        b = next(s, 1), a = next(s, 1);
        put(s, 1, fast, c, b, a);
    }
    for (; x < call->out->width; x++, a = c) {
        b = column_at(s, left + 2 * x + 1, 1), c = column_at(s, left + 2 * x + 2, 1);
        put(s, 1, fast, a, b, c);
    }
}

/* One row further down. */
EFM_INLINE EFM_DOT int8x16_t down(int8x16_t w)
{
    return vreinterpretq_s8_u32(vshlq_n_u32(vreinterpretq_u32_s8(w), 8));
}

EFM_INLINE EFM_DOT window window_of(const efm_neon_strip *s)
{
    static const uint8_t turn[16] = {0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27};
    const efm_neon_channels *c = &s->weights->channels;
    window w = {.s = s, .bias = c->bias, .out_step = s->call->out->pixel_stride};
    EFM_UNROLL(3) for (uint32_t j = 0; j < 3; j++)
    {
        w.w[0][j] = (column){vld1q_s8(s->weights->columns[j][0]), vld1q_s8(s->weights->columns[j][1])};
        w.w[1][j] = (column){down(w.w[0][j].low), down(w.w[0][j].high)};
    }
    EFM_UNROLL(2) for (uint32_t i = 0; i < 2; i++)
    {
        w.multiplier[i] = vld1q_s32(c->multiplier + 4 * i);
        w.shift[i] = vld1q_s32(c->shift + 4 * i);
    }
    w.zero = vdupq_n_s16((int16_t)s->result.zero_point);
    w.least = vdupq_n_s8((int8_t)s->result.low);
    w.most = vdupq_n_s8((int8_t)s->result.high);
    w.turn_low = vld1q_u8(turn);
    w.turn_high = vaddq_u8(w.turn_low, vdupq_n_u8(4));
    w.padding.low = w.padding.high = vdupq_n_s8((int8_t)s->call->in->zero_point);
    return w;
}

/* Output rows at .. at + rows - 1 from the left edge on. */
EFM_INLINE void begin_rows(window *w, uint32_t at, uint32_t rows, const int8_t *padding)
{
    const efm_depthwise_call *call = w->s->call;
    EFM_UNROLL(4) for (uint32_t i = 0; i < 2 + rows; i++)
    {
        const int8_t *from = i < 3 ? efm_depthwise_row(call, at, i) : efm_depthwise_row(call, at + 1, 2);
        w->in[i] = from ? from + w->s->first : padding;
        w->step[i] = from ? call->in->pixel_stride : 0;
    }
    EFM_UNROLL(2) for (uint32_t i = 0; i < rows; i++)
    {
        w->out[i] = efm_neon_out_row(w->s, at + i);
    }
}

EFM_INLINE EFM_DOT void make_strip(window w, int fast)
{
    const efm_depthwise_call *call = w.s->call;
    int8_t padding[EFM_NEON_STRIP];
    memset(padding, call->in->zero_point, sizeof padding);
    for (uint32_t at = 0, rows; at < call->rows; at += rows) {
        int two = call->stride_w == 1 && call->stride_h == 1 && call->dilation_h == 1 && call->rows - at > 1;
        rows = two ? 2 : 1;
        begin_rows(&w, at, rows, padding);
        if (two) {
            slide_by_one(&w, 2, fast);
        } else if (call->stride_w == 1) {
            slide_by_one(&w, 1, fast);
        } else {
            slide_by_two(&w, fast);
        }
    }
}

EFM_DOT void efm_neon_strip_dot(const efm_neon_strip *s)
{
    if (s->weights->channels.mode == EFM_NEON_FAST) {
        make_strip(window_of(s), 1);
    } else {
        make_strip(window_of(s), 0);
    }
}

#endif
