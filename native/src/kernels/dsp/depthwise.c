/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: windows of 3 x 3 by planes.h, four channels at a time and pieces of a row after one another; others pixel
 * by pixel. Rows outside the map have no weights, what padding adds there goes into the bias. */
#include "planes.h"

#if EFM_KERNEL_DSP

enum {
    PIECE = 64,    /* columns of a row that are gathered at once, and one or two more */
    MOST_ROWS = 8  /* that are found at once */
};

/* Four channels. */
typedef struct quad {
    const efm_depthwise_call *call;
    efm_table table;
    uint32_t first;      /* channel */
    uint32_t missing;    /* rows of the window that the filters leave out, a bit each */
    int quick;           /* whether the short formula fits */
    efm_dsp_filter filter[EFM_DSP_LANES];
    efm_dsp_record *records;
    efm_dsp_lines lines;
} quad;

/* Output pixels x .. x + count - 1 of every row. Records `inside` .. `beyond` - 1 have no column outside the map. */
typedef struct piece {
    uint32_t x, count;
    int32_t left;        /* column of the first record */
    uint32_t records, inside, beyond;
} piece;

/* An output row and what its windows see. A row that is missing is another, or null where all are. */
typedef struct line {
    const int8_t *in[3]; /* pixel 0, channel 0 */
    uint32_t missing;    /* a bit each */
    int8_t *out;
} line;

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* -- Filters ---------------------------------------------------------------------------------------------- */

/* 2 * halves */
static uint32_t twice(uint32_t halves)
{
    __asm("sadd16 %0, %0, %0" : "+r"(halves));
    return halves;
}

/* Takes what is twice the weights' zero point off. */
static void take_off_zero(quad *q)
{
    uint32_t zero = (uint16_t)(2 * q->table.weight_zero) * 0x10001u;
    for (uint32_t i = 0; zero != 0 && i < EFM_DSP_LANES * EFM_DSP_WEIGHTS; i++) {
        uint32_t *w = &q->filter[i / EFM_DSP_WEIGHTS].weights[i % EFM_DSP_WEIGHTS];
        __asm("ssub16 %0, %0, %1" : "+r"(*w) : "r"(zero));
    }
}

/* Weights a and b of four channels to word `at` of their filters. */
static inline void pair_up(quad *q, size_t at, uint32_t a, uint32_t b)
{
    uint32_t low = efm_dsp_low_halves(a, b), high = efm_dsp_high_halves(a, b);
    q->filter[0].weights[at] = twice(efm_dsp_even(low));
    q->filter[1].weights[at] = twice(efm_dsp_odd(low));
    q->filter[2].weights[at] = twice(efm_dsp_even(high));
    q->filter[3].weights[at] = twice(efm_dsp_odd(high));
}

/* What row i of the weights adds to the sums when all of it lies on padding. */
EFM_SPLIT void add_padding(quad *q, const int8_t *w)
{
    const efm_depthwise_call *call = q->call;
    for (uint32_t c = 0; c < EFM_DSP_LANES; c++) {
        int32_t sum = w[c] + w[call->tile.out + c] + w[2 * call->tile.out + c] - 3 * q->table.weight_zero;
        int32_t *bias = &q->filter[c].channel.bias;
        *bias = (int32_t)((uint32_t)*bias + 2 * (uint32_t)(sum * (int8_t)call->in->zero_point));
    }
}

static void read_channels(quad *q)
{
    q->quick = efm_dsp_proved(&q->table);
    for (uint32_t c = 0; c < EFM_DSP_LANES; c++) {
        q->quick &= efm_dsp_channel_read(&q->table, q->first + c, &q->filter[c].channel);
    }
    for (uint32_t c = 0; !q->quick && c < EFM_DSP_LANES; c++) {
        q->filter[c].channel.bias = 0;
    }
}

static void read_filters(quad *q, uint32_t missing)
{
    const efm_tile *tile = &q->call->tile;
    uint32_t w[3][3], none = (uint8_t)q->table.weight_zero * 0x1010101u;
    const int8_t *row = tile->weights + q->first;
    q->missing = missing;
    read_channels(q);
    for (uint32_t i = 0; i < 3; i++, row += 3 * (size_t)tile->out) {
        w[i][0] = efm_dsp_load(row);
        w[i][1] = efm_dsp_load(row + tile->out);
        w[i][2] = efm_dsp_load(row + 2 * (size_t)tile->out);
        if (missing >> i & 1) {
            add_padding(q, row);
            w[i][0] = w[i][1] = w[i][2] = none;
        }
    }
    for (size_t j = 0; j < 3; j++) {
        pair_up(q, j, w[0][j], w[1][j]);
    }
    pair_up(q, 3, w[2][0], w[2][1]);
    pair_up(q, 4, w[2][1], w[2][2]);
    take_off_zero(q);
}

/* -- Records ---------------------------------------------------------------------------------------------- */

/* Column x of the three rows, to column `at` of `words`. */
EFM_SPLIT void column(const quad *q, const line *l, int32_t x, uint32_t words[3][2], uint32_t at)
{
    const efm_rows *in = q->call->in;
    if (l->in[0] != 0 && (uint32_t)x < in->width) {
        size_t offset = (size_t)x * in->pixel_stride + q->first;
        words[0][at] = efm_dsp_load(l->in[0] + offset);
        words[1][at] = efm_dsp_load(l->in[1] + offset);
        words[2][at] = efm_dsp_load(l->in[2] + offset);
    } else {
        words[0][at] = words[1][at] = words[2][at] = (uint8_t)in->zero_point * 0x1010101u;
    }
}

/* Records i .. end - 1, which may have columns outside the map. */
static void gather_edge(const quad *q, const piece *p, const line *l, uint32_t i, uint32_t end)
{
    uint32_t words[3][2];
    const int8_t *rows[] = {(const int8_t *)words[0], (const int8_t *)words[1], (const int8_t *)words[2]};
    for (int32_t x = p->left + 2 * (int32_t)i; i < end; i++, x += 2) {
        column(q, l, x, words, 0);
        column(q, l, x + 1, words, 1);
        efm_dsp_gather(q->records + i, rows, sizeof(words[0][0]), 1);
    }
}

static void gather(const quad *q, const piece *p, const line *l)
{
    uint32_t stride = q->call->in->pixel_stride;
    if (l->in[0] == 0 || p->inside == p->beyond) {
        gather_edge(q, p, l, 0, p->records);
        return;
    }
    size_t offset = (size_t)(p->left + 2 * (int32_t)p->inside) * stride + q->first;
    const int8_t *rows[] = {l->in[0] + offset, l->in[1] + offset, l->in[2] + offset};
    gather_edge(q, p, l, 0, p->inside);
    efm_dsp_gather(q->records + p->inside, rows, stride, p->beyond - p->inside);
    gather_edge(q, p, l, p->beyond, p->records);
}

/* -- Rows ------------------------------------------------------------------------------------------------- */

/* Bytes by the formulas for any table, channel by channel. */
static void settle(const quad *q, int8_t *out)
{
    efm_dsp_lines lines = q->lines;
    lines.out = 0;
    for (uint32_t c = 0; c < EFM_DSP_LANES; c++, out++) {
        efm_dsp_make_lines(&lines);
        for (uint32_t i = 0; i < lines.count; i++) {
            int32_t sum = lines.sums[i] / 2;
            efm_dsp_requantize(&q->table, &sum, q->first + c, 1, out + i * (size_t)lines.stride);
        }
        lines.records += EFM_DSP_RECORD;
        lines.filter++;
    }
}

static void make_row(quad *q, const piece *p, const line *l)
{
    if (l->missing != q->missing) {
        read_filters(q, l->missing);
    }
    gather(q, p, l);
    q->lines.out = l->out + p->x * (size_t)q->lines.stride + q->first;
    if (q->quick) {
        efm_dsp_make_lines(&q->lines);
    } else {
        settle(q, q->lines.out);
    }
}

static void find_row(const efm_depthwise_call *call, uint32_t r, line *to)
{
    const int8_t *any = 0;
    to->missing = 0;
    for (uint32_t i = 0; i < 3; i++) {
        to->in[i] = efm_depthwise_row(call, r, i);
        any = to->in[i] != 0 ? to->in[i] : any;
        to->missing |= to->in[i] != 0 ? 0 : 1u << i;
    }
    for (uint32_t i = 0; i < 3; i++) {
        to->in[i] = to->in[i] != 0 ? to->in[i] : any;
    }
    to->out = (int8_t *)efm_row(call->out, call->first + r);
}

static uint32_t records_of(uint32_t stride, uint32_t count)
{
    return stride == 1 ? (count + 1) / 2 + 1 : (count + 1) / 2 * 2 + 1;
}

/* The piece of `most` pixels or fewer from pixel x on. */
static piece piece_at(const efm_depthwise_call *call, uint32_t x, uint32_t most)
{
    uint32_t width = call->in->width, count = smaller(call->out->width - x, most);
    piece p = {.x = x, .count = count, .records = records_of(call->stride_w, count)};
    p.left = (int32_t)(x * call->stride_w) - (int32_t)call->pad_left;
    p.inside = smaller(p.left < 0 ? (uint32_t)(1 - p.left) / 2 : 0, p.records);
    p.beyond = p.left < (int32_t)width ? smaller((uint32_t)((int32_t)width - p.left) / 2, p.records) : 0;
    p.beyond = p.beyond > p.inside ? p.beyond : p.inside;
    return p;
}

/* Whether pieces are of use. */
static int is_planar(const efm_depthwise_call *call)
{
    return call->kernel_h == 3 && call->kernel_w == 3 && call->stride_w <= 2 && call->dilation_w == 1
           && call->multiplier == 1 && call->tile.out >= EFM_DSP_LANES;
}

/* Scratch of two output pixels. */
static uint32_t two_pixels(const efm_depthwise_call *call)
{
    return (call->stride_w == 1 ? 1 : 2) * (uint32_t)sizeof(efm_dsp_record) + 2 * (uint32_t)sizeof(int32_t);
}

/* Output pixels of a piece that a call's scratch has room for; 0 where pieces are of no use. */
static uint32_t piece_of(const efm_depthwise_call *call)
{
    uint32_t two = two_pixels(call);
    if (EFM_WITH_DEPTHWISE_WINDOWS && (!is_planar(call) || call->scratch_bytes < sizeof(efm_dsp_record))) {
        return 0; /* else opening has refused it */
    }
    return smaller((call->scratch_bytes - (uint32_t)sizeof(efm_dsp_record)) / two * 2, PIECE / call->stride_w);
}

static void clamp_rows(const quad *q)
{
    const efm_depthwise_call *call = q->call;
    for (uint32_t r = 0; r < call->rows; r++) {
        int8_t *out = (int8_t *)efm_row(call->out, call->first + r);
        for (uint32_t x = 0; x < call->out->width; x++, out += call->out->pixel_stride) {
            efm_dsp_clamp(out, call->tile.out, &q->table);
        }
    }
}

/* A piece of some rows, channels after channels. */
static void make_piece(quad *q, const piece *p, const line *lines, uint32_t n)
{
    uint32_t out = q->call->tile.out;
    q->lines = (efm_dsp_lines){.records = q->records[0][0],
                               .filter = q->filter,
                               .sums = (int32_t *)(void *)(q->records + p->records),
                               .stride = q->call->out->pixel_stride,
                               .count = p->count,
                               .channels = EFM_DSP_LANES,
                               .step = q->call->stride_w};
    for (uint32_t c = 0; c < out; c += EFM_DSP_LANES) {
        q->first = smaller(c, out - EFM_DSP_LANES); /* some channels may be made twice */
        q->missing = ~0u;
        for (uint32_t r = 0; r < n; r++) {
            make_row(q, p, &lines[r]);
        }
    }
}

static void make_planar(const efm_depthwise_call *call, uint32_t most)
{
    quad q;
    line lines[MOST_ROWS];
    q.call = call;
    q.table = efm_table_read(call->tile.table);
    q.records = (efm_dsp_record *)(void *)call->scratch;
    for (uint32_t r = 0, n; r < call->rows; r += n) {
        for (n = 0; n < smaller(call->rows - r, MOST_ROWS); n++) {
            find_row(call, r + n, &lines[n]);
        }
        for (uint32_t x = 0; x < call->out->width; x += most) {
            piece p = piece_at(call, x, most);
            make_piece(&q, &p, lines, n);
        }
    }
    if (efm_dsp_proved(&q.table) && efm_dsp_clamps(&q.table)) {
        clamp_rows(&q);
    }
}

void efm_dsp_depthwise(const efm_depthwise_call *call)
{
    uint32_t most = piece_of(call);
    if (most > 0 || !EFM_WITH_DEPTHWISE_WINDOWS) {
        make_planar(call, most);
    } else {
        efm_dsp_windows(call);
    }
}

/* Less takes longer, more than for PIECE columns is not used. */
uint32_t efm_dsp_depthwise_scratch(const efm_depthwise_call *call)
{
    uint32_t least = is_planar(call) ? (uint32_t)sizeof(efm_dsp_record) + two_pixels(call) : UINT32_MAX;
    return EFM_WITH_DEPTHWISE_WINDOWS ? 0 : least;
}

#endif
