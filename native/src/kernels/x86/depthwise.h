/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE of 3x3 and 5x5 on tiles of own.h, stride 1 and 2. Each column of an input row's window is read once and
 * goes into the sums of all outputs that see it, which stay in registers until their last column was there. The file
 * that includes this defines row, EFM_GROUP, the rows that efm_mac() adds up at once, and
 *     column_of(rows, offset, count, channels, vectors, v)   some rows of a column, as efm_mac() wants inputs
 *     padding_of(padding)                                    the same of a column outside the map */
#ifndef EFM_X86_DEPTHWISE_H
#define EFM_X86_DEPTHWISE_H

#include "finish.h"
#include "row.h"
#include "rows.h"

enum { EFM_SIDE_MAX = 5, EFM_KEPT = 3 * ((3 + EFM_GROUP - 1) / EFM_GROUP) };

/* A firing of one block: what stays the same for all its pixels, so that it can be in registers. */
typedef struct constants {
    vec weights[EFM_KEPT][VECTORS]; /* of a window of 3x3 */
    const uint8_t *more_weights;    /* of a larger one */
    scale scales[VECTORS];
    vec first[VECTORS], padding;
    uint32_t in_width, out_width, channels;
    limits clamp;
    size_t in_stride, out_stride;
} constants;

typedef vec window_sums[EFM_SIDE_MAX][VECTORS];

/* Weights of group g of column j. */
EFM_VECTOR vec weights_of(const constants *c, const int side, const int j, const int g, const int k, const int vectors)
{
    const int groups = (side + EFM_GROUP - 1) / EFM_GROUP, at = j * groups + g;
    return side == 3 ? c->weights[at][k] : load(c->more_weights + (size_t)(at * vectors + k) * sizeof(vec));
}

EFM_VECTOR void read_constants(const efm_depthwise_call *call, const efm_own_block *block, const int vectors,
                               constants *c)
{
    const efm_own_head *own = efm_own(&call->tile);
    const int which = block->finish == EFM_OWN_ANY ? EFM_OWN_START : EFM_OWN_BIASED;
    const uint8_t *weights = (const uint8_t *)own + block->weights;
    c->clamp = limits_of(own->low, own->high);
    c->more_weights = weights;
    c->padding = padding_of(call->in->zero_point);
    c->in_width = call->in->width;
    c->in_stride = call->in->pixel_stride;
    c->out_width = call->out->width;
    c->out_stride = call->out->pixel_stride;
    c->channels = block->channels;
    EFM_EACH (k, vectors) {
        c->first[k] = load(constants_of(own, block, k) + which * LANES);
        c->scales[k] = scale_of(constants_of(own, block, k));
        EFM_EACH (i, EFM_KEPT) {
            c->weights[i][k] = load(weights + (size_t)(i * vectors + k) * sizeof(vec));
        }
    }
}

/* Adds column `x` of the input, column j of the first output's window. */
EFM_VECTOR void add_column(const constants *c, const row *rows, uint32_t x, const int j, const int side,
                           const int stride, const int vectors, window_sums sums)
{
    const int groups = (side + EFM_GROUP - 1) / EFM_GROUP;
    const int inside = x < c->in_width;
    const size_t offset = (size_t)x * c->in_stride;
    EFM_EACH (g, groups) {
        vec v[VECTORS];
        if (inside) {
            column_of(rows + g * EFM_GROUP, offset, side - g * EFM_GROUP, c->channels, vectors, v);
        }
        EFM_EACH (k, vectors) {
            v[k] = inside ? v[k] : c->padding;
        }
        EFM_EACH (i, EFM_SIDE_MAX) {
            const int at = j - i * stride;
            EFM_EACH (k, vectors) {
                sums[i][k] = at < 0 ? sums[i][k] : efm_mac(sums[i][k], v[k], weights_of(c, side, at, g, k, vectors));
            }
        }
    }
}

/* By the table: a rare case. */
static EFM_TARGET __attribute__((noinline)) void finish_raw_pixel(const efm_depthwise_call *call,
                                                                  const efm_own_block *block, const int32_t *sums,
                                                                  int8_t *out)
{
    const efm_table table = efm_table_read(call->tile.table + efm_own(&call->tile)->table);
    efm_x86_requantize(&table, sums, block->first, block->channels, out);
}

EFM_VECTOR void finish_pixel(const efm_depthwise_call *call, const efm_own_block *block, const constants *c,
                             const vec *sums, const int vectors, const int how, int8_t *out)
{
    vec v[VECTORS];
    int32_t raw[EFM_OWN_BLOCK];
    if (how == EFM_OWN_ANY) {
        put_sums(sums, vectors, raw);
        finish_raw_pixel(call, block, raw, out);
        return;
    }
    EFM_EACH (k, vectors) {
        const scale *s = &c->scales[k];
        v[k] = how == EFM_OWN_RELU ? finish_relu(sums[k], s) : finish_signed(sums[k], s);
    }
    put(v, vectors, &c->clamp, out, c->channels);
}

/* Row r of the call. */
EFM_VECTOR void make_row(const efm_depthwise_call *call, const efm_own_block *block, const constants *c, uint32_t r,
                         const int side, const int stride, const int vectors, const int how)
{
    const int alive = (side + stride - 1) / stride; /* outputs that see a column */
    int8_t padding[EFM_OWN_BLOCK], *out = (int8_t *)efm_row(call->out, call->first + r) + block->first;
    uint32_t x = 0 - call->pad_left;
    row rows[EFM_SIDE_MAX];
    window_sums sums;
    memset(padding, call->in->zero_point, sizeof padding);
    EFM_EACH (i, side) {
        const int8_t *in = efm_depthwise_row(call, r, (uint32_t)i);
        rows[i] = in ? (row){in + block->first, SIZE_MAX} : (row){padding, 0};
    }
    EFM_EACH (i, alive) {
        EFM_EACH (k, vectors) {
            sums[i][k] = c->first[k];
        }
    }
    EFM_EACH (j, side - stride) {
        add_column(c, rows, x++, j, side, stride, vectors, sums);
    }
    for (uint32_t left = c->out_width; left > 0; left--, out += c->out_stride) {
        EFM_EACH (j, stride) {
            add_column(c, rows, x++, side - stride + j, side, stride, vectors, sums);
        }
        finish_pixel(call, block, c, sums[0], vectors, how, out);
        EFM_EACH (i, alive) {
            EFM_EACH (k, vectors) {
                sums[i][k] = i + 1 < alive ? sums[i + 1][k] : c->first[k];
            }
        }
    }
}

EFM_VECTOR void make_rows(const efm_depthwise_call *call, const efm_own_block *block, const int side, const int stride,
                          const int vectors, const int how)
{
    constants c;
    read_constants(call, block, vectors, &c);
    for (uint32_t r = 0; r < call->rows; r++) {
        make_row(call, block, &c, r, side, stride, vectors, how);
    }
}

#define EFM_DEPTHWISE_OF(side, stride, vectors) \
    static EFM_TARGET \
        __attribute__((noinline)) void make_rows_##side##_##stride##_##vectors(const efm_depthwise_call *call, \
                                                                               const efm_own_block *block) \
    { \
        if (block->finish == EFM_OWN_RELU) { \
            make_rows(call, block, side, stride, vectors, EFM_OWN_RELU); \
        } else if (block->finish == EFM_OWN_SIGNED) { \
            make_rows(call, block, side, stride, vectors, EFM_OWN_SIGNED); \
        } else { \
            make_rows(call, block, side, stride, vectors, EFM_OWN_ANY); \
        } \
    }
#define EFM_DEPTHWISES_OF(vectors) \
    EFM_DEPTHWISE_OF(3, 1, vectors) \
    EFM_DEPTHWISE_OF(3, 2, vectors) \
    EFM_DEPTHWISE_OF(5, 1, vectors) \
    EFM_DEPTHWISE_OF(5, 2, vectors)
#define EFM_DEPTHWISE_ROW(vectors) \
    { \
        {make_rows_3_1_##vectors, make_rows_3_2_##vectors}, \
        { \
            make_rows_5_1_##vectors, make_rows_5_2_##vectors \
        } \
    }

#if EFM_VECTORS == 4
EFM_DEPTHWISES_OF(4)
#endif
EFM_DEPTHWISES_OF(2)

/* [vectors / 2 - 1][side / 2 - 1][stride - 1] */
static void (*const row_makers[][2][2])(const efm_depthwise_call *call, const efm_own_block *block) = {
    EFM_DEPTHWISE_ROW(2),
#if EFM_VECTORS == 4
    EFM_DEPTHWISE_ROW(4),
#endif
};

static int is_quick(const efm_depthwise_call *call)
{
    return call->tile.packing == EFM_PACKING_OWN && call->kernel_h == call->kernel_w && call->stride_w <= 2
           && call->dilation_w == 1 && call->multiplier == 1;
}

static uint32_t depthwise_scratch(const efm_depthwise_call *call)
{
    return is_quick(call) ? 0 : efm_portable_depthwise_scratch(call);
}

/* Packed weights with what they were made of at hand. */
static void depthwise_slowly(const efm_depthwise_call *call)
{
    efm_depthwise_call rows = *call;
    if (call->tile.packing == EFM_PACKING_OWN) {
        rows.tile = efm_own_rows(&call->tile);
    }
    efm_x86_rows_depthwise(&rows);
}

static void depthwise_quickly(const efm_depthwise_call *call)
{
    const efm_own_head *own = efm_own(&call->tile);
    for (uint32_t b = 0; b < own->blocks; b++) {
        const efm_own_block *block = &own->block[b];
        row_makers[block->vectors / 2 - 1][call->kernel_h / 2 - 1][call->stride_w - 1](call, block);
    }
}

#endif
