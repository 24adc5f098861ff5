/* SPDX-License-Identifier: Apache-2.0 */
/* EFM_PACKING_OWN of the x86 kernels: what becomes of a tile of packing ROWS when a model is prepared.
 *
 *     efm_own_head | efm_own_block for each block of channels | constants of each vector | weights | the tile's table |
 *     DEPTHWISE: its weights
 *
 * A block is 1, 2 or 4 vectors of sums. Packing instructions work on 128-bit parts, so element e of vector j of a
 * block of V is channel e / 4 * 4 * V + 4 * j + e % 4: packing the vectors to bytes then leaves channels in order.
 * Everything begins at multiples of 64. */
#ifndef EFM_X86_OWN_H
#define EFM_X86_OWN_H

#include <stddef.h>

#include "../kernel.h"
#include "../table.h"

enum {
    EFM_OWN_ALIGNMENT = 64,
    EFM_OWN_VECTORS = 4,       /* of a block at most */
    EFM_OWN_LANES = 16,        /* of a vector at most */
    EFM_OWN_BLOCK = 64,        /* channels of a block at most */
    EFM_OWN_FLIP = 128         /* bytes of inputs become unsigned: x ^ 0x80 = x + 128 */
};

/* How the sums of a block become bytes: see finish.h. */
enum {
    EFM_OWN_ANY = 0,    /* by efm_x86_requantize */
    EFM_OWN_SIGNED = 1, /* rounded twice; no step can overflow */
    EFM_OWN_RELU = 2    /* the same, and sums below zero end at the clamp */
};

/* What a kernel wants. Weights of CONV: [block][depth / group][channel in the block's order][group], of DEPTHWISE
   [block][column][rows / group][channel in the block's order][group], a missing input or row has weight 0. */
typedef struct efm_own_shape {
    uint32_t lanes;   /* 32-bit sums of a vector */
    uint32_t group;   /* products that an instruction adds up in a sum */
    uint32_t element; /* bytes of a weight */
    uint32_t flip;    /* EFM_OWN_FLIP or 0 */
    uint32_t vectors; /* of a block at most */
    uint32_t least;   /* and at least */
    uint32_t overlap; /* whether the last block, where it is not full, begins early instead */
} efm_own_shape;

typedef struct efm_own_block {
    uint32_t first, channels, vectors, finish;
    uint32_t constants, weights; /* bytes from the head */
    uint32_t unused[2];
} efm_own_block;

typedef struct efm_own_head {
    uint32_t blocks;
    uint32_t table; /* bytes from the head */
    uint32_t wide;  /* DEPTHWISE: 16-bit weights, less their zero, whatever the kernel prefers */
    int32_t weight_zero, low, high;
    uint32_t unused[10];
    efm_own_block block[];
} efm_own_head;

/* Constants of a vector of L lanes, one after another; finish.h says what they mean. */
enum {
    EFM_OWN_START,     /* i32[L]: of sums */
    EFM_OWN_BIASED,    /* i32[L]: of sums, with the bias */
    EFM_OWN_EVEN,      /* i32[L]: multipliers */
    EFM_OWN_ODD,       /* i32[L]: multipliers of odd channels at even places */
    EFM_OWN_ADD_EVEN,  /* i64[L / 2] */
    EFM_OWN_ADD_ODD,   /* i64[L / 2] */
    EFM_OWN_SHIFT,     /* i32[L]: right */
    EFM_OWN_CONSTANTS
};

static inline const efm_own_head *efm_own(const efm_tile *tile)
{
    return (const efm_own_head *)(const void *)tile->table;
}

/* What a tile of DEPTHWISE was made of. */
static inline efm_tile efm_own_rows(const efm_tile *tile)
{
    const uint8_t *table = tile->table + efm_own(tile)->table;
    const uint8_t *weights = table + EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * (size_t)tile->out;
    return (efm_tile){table, (const int8_t *)weights, tile->out, tile->depth, EFM_PACKING_ROWS};
}

/* Bytes of a packed tile, 0 if they exceed 32 bits. */
uint32_t efm_own_conv_bytes(const efm_tile *rows, const efm_own_shape *shape);
void efm_own_conv_pack(const efm_tile *rows, const efm_own_shape *shape, uint8_t *to);

/* The same for windows of 3x3 and 5x5, as far as a tile shows it: 0 for others. */
uint32_t efm_own_depthwise_bytes(const efm_tile *rows, const efm_own_shape *shape);
void efm_own_depthwise_pack(const efm_tile *rows, const efm_own_shape *shape, uint8_t *to);

#endif
