/* SPDX-License-Identifier: Apache-2.0 */
/* CONV: a call is cut into groups of pixels, those into blocks of channels, and those into pieces, which one of the
 * inner loops makes of all pixels of the group. */
#ifndef EFM_NEON_CONV_H
#define EFM_NEON_CONV_H

#include "neon.h"

#if EFM_KERNEL_NEON

enum {
    EFM_NEON_GROUP = 64,        /* most pixels of a group */
    EFM_NEON_DEPTH = 8192,      /* most depth of a tile that is packed: of a pixel whose runs have to be joined */
    EFM_NEON_LANES_MOST = 4
};

/* Channels of a piece, `lanes` vectors of four, of the pixels of a group. */
typedef struct efm_neon_job {
    const int8_t *const *in;  /* [pixels][runs] */
    uint32_t pixels;
    uint32_t runs;
    uint32_t run_bytes;
    uint32_t lanes;           /* 1, 2 or 4 */
    const int8_t *w;          /* of the first channel */
    size_t w_step;            /* packing ROWS: from a channel to the next */
    const uint8_t *small;     /* what the loops packed behind weights */
    int32_t narrow;           /* of efm_neon_channels */
    uint32_t channels;        /* 4 * lanes, or fewer: no others may be read from packing ROWS */
    const int32_t *start;     /* what the sums of pixel 0 begin with */
    size_t start_step;        /* from a pixel to the next; 0: they are for all */
    int32_t *sums;            /* [pixels][EFM_NEON_BLOCK]: where sums go, may be `start`; null: bytes go to out */
    int8_t *const *out;       /* [pixels] */
    size_t out_at;            /* the first channel's byte in a pixel */
    const int32_t *multiplier, *shift;
    const efm_neon_result *result;
} efm_neon_job;

typedef void efm_neon_dots(const efm_neon_job *job);

/* Writes a piece's weights; rows past `channels` are zero. */
typedef void efm_neon_pack(const int8_t *rows, uint32_t channels, uint32_t lanes, uint32_t depth, int8_t *to);

/* Inner loops of a processor. */
typedef struct efm_neon_loops {
    efm_neon_dots *rows;      /* packing ROWS, any weights; a lane at a time */
    efm_neon_dots *own;       /* packing OWN */
    uint32_t lanes;           /* most of packing OWN */
    uint32_t run_multiple;    /* of packing OWN, unless there is one run */
    uint32_t (*pixel_bytes)(uint32_t depth); /* a pixel in packing OWN: depth, or more where that is small */
    uint32_t (*weight_bytes)(uint32_t depth); /* of four channels in packing OWN */
    uint32_t (*lane_bytes)(uint32_t depth);   /* the same with all that lies behind them */
    efm_neon_pack *pack;
} efm_neon_loops;

void efm_neon_conv(const efm_conv_call *call, const efm_neon_loops *loops);

/* -- Packing OWN: a head, then blocks of up to EFM_NEON_BLOCK channels, each with efm_neon_channels before its weights - */

/* Vectors of channels of the next piece where `channels` of a block are left. */
EFM_INLINE uint32_t efm_neon_piece(uint32_t channels, uint32_t most)
{
    uint32_t lanes = (channels + EFM_NEON_LANES - 1) / EFM_NEON_LANES;
    lanes = lanes >= 4 ? 4 : lanes >= 2 ? 2 : 1;
    return lanes < most ? lanes : most;
}

EFM_INLINE size_t efm_neon_block_bytes(uint32_t channels, uint32_t lane_bytes)
{
    return sizeof(efm_neon_channels) + (size_t)((channels + EFM_NEON_LANES - 1) / EFM_NEON_LANES) * lane_bytes;
}

uint32_t efm_neon_conv_pack_bytes(const efm_tile *rows, const efm_neon_loops *loops);
void efm_neon_conv_pack(const efm_tile *rows, const efm_neon_loops *loops, uint8_t *to);

/* The runs of pixels first .. first + n - 1 side by side, `bytes` for each pixel, zeros behind the last run. */
void efm_neon_join(const efm_conv_call *call, uint32_t first, uint32_t n, uint32_t bytes, int8_t *to,
                   const int8_t **pixels);

/* -- The inner loops ------------------------------------------------------------------------------------------ */

extern const efm_neon_loops efm_neon_loops_dot; /* for processors with SDOT */
extern const efm_neon_loops efm_neon_loops_multiply; /* for all */

efm_neon_dots efm_neon_rows_dot;
efm_neon_dots efm_neon_rows_multiply;
efm_neon_dots efm_neon_by_lanes; /* packing OWN, SDOT */
efm_neon_dots efm_neon_multiply; /* packing OWN */

#endif
#endif
