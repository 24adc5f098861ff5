/* SPDX-License-Identifier: Apache-2.0 */
/* A whole kernel from outside native/src, as docs/PORTING.md tells its author to write one: CONV two pixels by three
 * channels at a time, DEPTHWISE a channel of a row at a time, both from plain tiles or packings of their own. */
#include <string.h>

#include "kernels/kernel.h"
#include "kernels/table.h"

enum { PIXELS = 2, CHANNELS = 3, PIECE = 16 /* pixels of a row */ };

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int usable(void)
{
    return 1;
}

/* -- Packings --------------------------------------------------------------------------------------------- */

static uint32_t table_bytes(const efm_tile *tile)
{
    return EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * tile->out;
}

static uint32_t pack_bytes(const efm_tile *rows)
{
    return table_bytes(rows) + rows->out * rows->depth;
}

/* The tile's weights, wherever its packing has them. */
static const int8_t *weights(const efm_tile *tile)
{
    return tile->packing == EFM_PACKING_OWN ? (const int8_t *)tile->table + table_bytes(tile) : tile->weights;
}

/* To [depth][channels] for each three channels, or fewer at the end. */
static void conv_pack(const efm_tile *rows, uint8_t *to)
{
    memcpy(to, rows->table, table_bytes(rows));
    to += table_bytes(rows);
    for (uint32_t first = 0; first < rows->out; first += CHANNELS) {
        for (uint32_t i = 0; i < rows->depth; i++) {
            for (uint32_t o = first; o < least(first + CHANNELS, rows->out); o++) {
                *to++ = (uint8_t)rows->weights[o * rows->depth + i];
            }
        }
    }
}

/* To [out][depth]. */
static void depthwise_pack(const efm_tile *rows, uint8_t *to)
{
    memcpy(to, rows->table, table_bytes(rows));
    to += table_bytes(rows);
    for (uint32_t o = 0; o < rows->out; o++) {
        for (uint32_t i = 0; i < rows->depth; i++) {
            *to++ = (uint8_t)rows->weights[i * rows->out + o];
        }
    }
}

/* -- CONV ------------------------------------------------------------------------------------------------- */

/* Pixels p .. p + pixels - 1 by channels o .. o + channels - 1. */
typedef struct block {
    uint32_t p, pixels, o, channels;
    uint32_t sums[PIXELS][CHANNELS];
} block;

static void add_products(const efm_conv_call *call, int32_t weight_zero, block *b)
{
    const efm_tile *tile = &call->tile;
    const int own = tile->packing == EFM_PACKING_OWN;
    const int8_t *w = weights(tile) + b->o * tile->depth;
    for (uint32_t i = 0; i < tile->depth; i++) {
        for (uint32_t k = 0; k < b->pixels; k++) {
            int8_t x = call->in[(b->p + k) * call->runs + i / call->run_bytes][i % call->run_bytes];
            for (uint32_t c = 0; c < b->channels; c++) {
                b->sums[k][c] += (uint32_t)(x * (w[own ? i * b->channels + c : c * tile->depth + i] - weight_zero));
            }
        }
    }
}

static void finish(const efm_conv_call *call, const efm_table *table, const block *b)
{
    for (uint32_t k = 0; k < b->pixels; k++) {
        for (uint32_t c = 0, o = b->o; c < b->channels; c++, o++) {
            if (call->flags & EFM_SUMS_LEAVE) {
                call->sums[b->p + k][o] = (int32_t)b->sums[k][c];
            } else {
                efm_channel channel = efm_channel_read(table, o);
                call->out[b->p + k][o] = efm_requantize(table, &channel, (int32_t)b->sums[k][c]);
            }
        }
    }
}

static void conv(const efm_conv_call *call)
{
    const efm_table table = efm_table_read(call->tile.table);
    for (uint32_t p = 0; p < call->pixels; p += PIXELS) {
        for (uint32_t o = 0; o < call->tile.out; o += CHANNELS) {
            block b = {p, least(PIXELS, call->pixels - p), o, least(CHANNELS, call->tile.out - o), {{0}}};
            for (uint32_t k = 0; call->flags & EFM_SUMS_TAKE && k < b.pixels; k++) {
                memcpy(b.sums[k], call->sums[p + k] + o, 4 * b.channels);
            }
            add_products(call, table.weight_zero, &b);
            finish(call, &table, &b);
        }
    }
}

/* -- DEPTHWISE -------------------------------------------------------------------------------------------- */

/* Weight (i, j) of channel o for pixels x .. x + count - 1 of output row first + r. */
static void add_tap(const efm_depthwise_call *call, uint32_t r, uint32_t i, uint32_t j, uint32_t o, int32_t w,
                    uint32_t x, uint32_t count, uint32_t *sums)
{
    const int8_t *row = efm_depthwise_row(call, r, i);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t at = (x + k) * call->stride_w - call->pad_left + j * call->dilation_w;
        int inside = row != 0 && at < call->in->width; /* left of the map, `at` is huge */
        int32_t v = inside ? row[at * call->in->pixel_stride + o / call->multiplier] : call->in->zero_point;
        sums[k] += (uint32_t)(v * w);
    }
}

/* Pixels x .. x + count - 1 of channel o in output row first + r. */
static void piece(const efm_depthwise_call *call, const efm_table *table, uint32_t r, uint32_t o, uint32_t x,
                  uint32_t count)
{
    const efm_tile *tile = &call->tile;
    const int own = tile->packing == EFM_PACKING_OWN;
    const efm_channel channel = efm_channel_read(table, o);
    int8_t *out = (int8_t *)efm_row(call->out, call->first + r) + x * call->out->pixel_stride + o;
    uint32_t sums[PIECE] = {0};
    for (uint32_t tap = 0; tap < tile->depth; tap++) {
        int32_t w = weights(tile)[own ? o * tile->depth + tap : tap * tile->out + o] - table->weight_zero;
        add_tap(call, r, tap / call->kernel_w, tap % call->kernel_w, o, w, x, count, sums);
    }
    for (uint32_t k = 0; k < count; k++) {
        out[k * call->out->pixel_stride] = efm_requantize(table, &channel, (int32_t)sums[k]);
    }
}

static void depthwise(const efm_depthwise_call *call)
{
    const efm_table table = efm_table_read(call->tile.table);
    for (uint32_t r = 0; r < call->rows; r++) {
        for (uint32_t o = 0; o < call->tile.out; o++) {
            for (uint32_t x = 0; x < call->out->width; x += PIECE) {
                piece(call, &table, r, o, x, least(PIECE, call->out->width - x));
            }
        }
    }
}

const efm_kernel efm_kernel_example = {.name = "example",
                                       .usable = usable,
                                       .conv_packings = 1u << EFM_PACKING_ROWS,
                                       .depthwise_packings = 1u << EFM_PACKING_ROWS,
                                       .alignment = 1,
                                       .run_bytes = 5,
                                       .pixels = PIXELS,
                                       .conv = conv,
                                       .depthwise = depthwise,
                                       .conv_scratch = efm_portable_conv_scratch,
                                       .depthwise_scratch = efm_portable_depthwise_scratch,
                                       .conv_pack_bytes = pack_bytes,
                                       .conv_pack = conv_pack,
                                       .depthwise_pack_bytes = pack_bytes,
                                       .depthwise_pack = depthwise_pack};
