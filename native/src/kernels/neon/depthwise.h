/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: eight channels at a time, of all rows of a call, sums in registers. */
#ifndef EFM_NEON_DEPTHWISE_H
#define EFM_NEON_DEPTHWISE_H

#include "neon.h"

#if EFM_KERNEL_NEON

enum {
    EFM_NEON_STRIP = 8, /* channels */
    EFM_NEON_TAPS = 25  /* most that a strip keeps: 5x5 */
};

/* What a strip of channels is multiplied with. Packing OWN is a head, then one of these for each strip, the last of
   which begins early enough to be whole, with as many weights as there are taps. */
typedef struct efm_neon_strip_weights {
    efm_neon_channels channels;
    int32_t small;            /* all weights, less their zero point, fit into 8 bits; then 3x3 has columns */
    int32_t unused[3];
    int8_t columns[3][2][16]; /* 3x3 for SDOT: [column][four channels][channel][row] */
    int16_t w[EFM_NEON_TAPS][EFM_NEON_STRIP]; /* less their zero point */
} efm_neon_strip_weights;

/* Channels first .. first + count - 1 of a call. */
typedef struct efm_neon_strip {
    const efm_depthwise_call *call;
    uint32_t first, count;
    efm_neon_result result;
    const efm_neon_strip_weights *weights; /* of more than EFM_NEON_TAPS taps only `channels` */
} efm_neon_strip;

/* Output row `r` of the call from pixel 0 on. */
EFM_INLINE int8_t *efm_neon_out_row(const efm_neon_strip *s, uint32_t r)
{
    return (int8_t *)efm_row(s->call->out, s->call->first + r) + s->first;
}

/* Rows of a strip of eight channels with a 3x3 or 5x5 window, stride 1 or 2, no dilation, one output for an input. */
void efm_neon_strip_taps(const efm_neon_strip *s);

/* The same of 3x3 where weights are small and padding is less than the window. */
void efm_neon_strip_dot(const efm_neon_strip *s);

/* `dot`: the processor has SDOT. */
void efm_neon_depthwise(const efm_depthwise_call *call, int dot);

uint32_t efm_neon_depthwise_pack_bytes(const efm_tile *rows);
void efm_neon_depthwise_pack(const efm_tile *rows, uint8_t *to);

/* Channels first .. first + count - 1 of a tile of packing ROWS with at most EFM_NEON_TAPS taps. */
void efm_neon_read_strip(const efm_tile *tile, const efm_table *table, uint32_t first, uint32_t count,
                         efm_neon_strip_weights *to);

/* The strip that holds channel `first`, a multiple of EFM_NEON_STRIP. */
const efm_neon_strip_weights *efm_neon_packed_strip(const efm_tile *own, uint32_t first);

/* The last strip begins earlier, and has channels in common with the one before, unless there is none. */
EFM_INLINE uint32_t efm_neon_strip_begin(uint32_t first, uint32_t out)
{
    return out - first >= EFM_NEON_STRIP || out < EFM_NEON_STRIP ? first : out - EFM_NEON_STRIP;
}

/* Up to eight bytes, zeros behind them. */
EFM_INLINE EFM_NEON int8x8_t efm_neon_load(const int8_t *from, uint32_t count)
{
    return count == EFM_NEON_STRIP ? vld1_s8(from) : vget_low_s8(efm_neon_part(from, count));
}

#endif
#endif
