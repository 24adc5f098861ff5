/* SPDX-License-Identifier: Apache-2.0 */
/* The contract between operators and kernels. A kernel call is a firing: one weight tile applied to pixels of all
 * rows that an operator makes at once. Operators know geometry, padding and rings, and hand over lists of pointers
 * (which are never in the arena: a forged package can make anything there change); kernels know instructions. The
 * portable kernel is the meaning: any other must give its bits, for any bytes in a tile's table. A kernel reads and
 * writes only what a call names: no byte past a pixel, a table or the weights. */
#ifndef EFM_KERNEL_H
#define EFM_KERNEL_H

#include <stdint.h>

#include "../config.h"
#include "../rows.h"

enum {
    EFM_DEPTH_MAX = 65535 /* products in one int32 sum: 65535 * 128 * 255 < 2^31 */
};

/* How the weights of a tile lie in memory, as in FORMAT.md. A kernel lists those that it reads. */
enum {
    EFM_PACKING_ROWS = 0,   /* CONV [out][depth], DEPTHWISE [depth][out] */
    EFM_PACKING_HALVES = 1, /* for Cortex-M with DSP instructions: two channels in one 16-bit half */
    EFM_PACKING_PAIRS = 2,  /* for the same: 16 bits a weight */
    EFM_PACKING_OWN = 31    /* in no file: what the kernel's own pack() made of a tile of packing ROWS */
};

/* A range of output channels with all that makes bytes of their sums. Any alignment unless the packing says more. */
typedef struct efm_tile {
    const uint8_t *table;  /* how sums become bytes: table.h */
    const int8_t *weights; /* as the packing says */
    uint32_t out;          /* output channels */
    uint32_t depth;        /* inputs of each: products in one sum */
    uint32_t packing;
} efm_tile;

/* What becomes of the sums of a call, and where they begin. */
enum {
    EFM_SUMS_TAKE = 1, /* sums begin with what `sums` holds, else with zero */
    EFM_SUMS_LEAVE = 2 /* sums go to `sums`, without bias; else bytes go to `out` */
};

/* CONV: for each pixel p and channel o of the tile
 *     sum = sum over i of x[i] * (w[o][i] - weight_zero),  x = in[p * runs] .. in[p * runs + runs - 1], one after
 *                                                          another, run_bytes of each: tile.depth in all
 *     out[p][o] = requantize(o, sum + bias[o])             of table.h */
typedef struct efm_conv_call {
    efm_tile tile;
    const int8_t *const *in; /* [pixels][runs] */
    int8_t *const *out;      /* [pixels]: the byte of the tile's first channel */
    int32_t *const *sums;    /* [pixels]: accumulators [tile.out]; may be null when no flag is set */
    uint32_t pixels;         /* as the two below, and what a tile counts, at least 1 */
    uint32_t runs;
    uint32_t run_bytes;
    uint32_t flags;
    uint8_t *scratch;        /* 8-byte aligned; at least what the kernel's conv_scratch() asks for */
    uint32_t scratch_bytes;
} efm_conv_call;

/* DEPTHWISE: for each row r, pixel x and channel o of the tile, with (i, j) over the window
 *     sum = sum of pixel(efm_depthwise_row(call, r, i), x * stride_w - pad_left + j * dilation_w)[o / multiplier]
 *                  * (w[i * kernel_w + j][o] - weight_zero)
 *     out[x][o] of row first + r = requantize(o, sum + bias[o])
 * A pixel outside 0 .. in->width - 1, and any pixel of a row that is null, is in->zero_point. */
typedef struct efm_depthwise_call {
    efm_tile tile;
    const efm_rows *in;   /* base: the tile's first input channel */
    const efm_rows *out;  /* base: the tile's first channel */
    uint32_t first;       /* output row of the map */
    uint32_t rows;
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t dilation_h, dilation_w;
    uint32_t pad_top, pad_left;
    uint32_t multiplier;  /* output channels of an input channel; divides tile.out */
    uint8_t *scratch;     /* 8-byte aligned; at least what the kernel's depthwise_scratch() asks for */
    uint32_t scratch_bytes;
} efm_depthwise_call;

/* Input row i of the window of output row first + r, or null above and below the map. */
EFM_SHARED const int8_t *efm_depthwise_row(const efm_depthwise_call *call, uint32_t r, uint32_t i)
{
    uint32_t y = (call->first + r) * call->stride_h - call->pad_top + i * call->dilation_h;
    return y < call->in->height ? (const int8_t *)efm_row(call->in, y) : 0;
}

/* Least scratch of a call: bytes whatever it does, and bytes more for each pixel of the call. A kernel may
   use more where a call has it. */
typedef struct efm_scratch {
    uint32_t fixed;
    uint32_t each;
} efm_scratch;

typedef struct efm_kernel {
    /* The instruction set, at most eight characters, as boards tell it. */
    const char *name;
    /* Whether the processor has what the other functions use. */
    int (*usable)(void);
    /* Bit 1 << packing for each packing of CONV, and of DEPTHWISE, that it reads from packages: not EFM_PACKING_OWN. */
    uint32_t conv_packings, depthwise_packings;
    /* What tile.table is a multiple of in packings other than ROWS, which may lie anywhere. */
    uint32_t alignment;
    /* CONV with a window larger than a pixel: fewest bytes of a run that the kernel would rather have in place, one
       for each pixel of the window, than gathered into one run by the operator. */
    uint32_t run_bytes;
    /* The same: pixels of a call from which the kernel would rather have such windows gathered nevertheless, where
       there is scratch for that; 0: never. */
    uint32_t gathered;
    /* CONV: pixels that fill the registers, of which calls should have a multiple; 0: any number will do. */
    uint32_t pixels;
    void (*conv)(const efm_conv_call *call);
    void (*depthwise)(const efm_depthwise_call *call);
    efm_scratch (*conv_scratch)(const efm_tile *tile);
    uint32_t (*depthwise_scratch)(const efm_depthwise_call *call); /* rows and scratch are not set yet */
    /* For machines with memory to spare; null where the kernel is at its best with the packings above. Bytes that a
       tile of packing ROWS takes as EFM_PACKING_OWN, table and weights together, and making them: `to` begins at a
       multiple of 64 and becomes the table of the new tile, whose weights are null. 0 bytes: it stays as it is. */
    uint32_t (*conv_pack_bytes)(const efm_tile *rows);
    void (*conv_pack)(const efm_tile *rows, uint8_t *to);
    uint32_t (*depthwise_pack_bytes)(const efm_tile *rows);
    void (*depthwise_pack)(const efm_tile *rows, uint8_t *to);
} efm_kernel;

/* Functions of the portable kernel by name: one that calls some of them does not bring the others along. */
void efm_portable_conv(const efm_conv_call *call);
void efm_portable_depthwise(const efm_depthwise_call *call);
efm_scratch efm_portable_conv_scratch(const efm_tile *tile);
uint32_t efm_portable_depthwise_scratch(const efm_depthwise_call *call);

extern const efm_kernel efm_kernel_portable;
#define EFM_KERNEL_ROW(name) extern const efm_kernel name;
#include "list.h"
#undef EFM_KERNEL_ROW

/* The best kernel of this build for the processor that runs it. */
const efm_kernel *efm_kernel_choose(void);

#endif
