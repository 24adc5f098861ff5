/* SPDX-License-Identifier: Apache-2.0 */
/* What CONV and DEPTHWISE have in common: the window, which is parameters 0 .. 7, and the tile. */
#ifndef EFM_CONVOLUTION_H
#define EFM_CONVOLUTION_H

#include "../kernels/kernel.h"
#include "op.h"

enum {
    EFM_WINDOW_PARAMS = 8,
    EFM_WINDOW_MAX = 65535,         /* kernel, (kernel - 1) * dilation, and padding */
    EFM_MAP_MAX = (int32_t)1 << 20, /* rows, pixels and channels of a map */
    EFM_START_MAX = (int32_t)1 << 21, /* (outputs - 1) * stride */
    EFM_LIST = sizeof(void *) > 4                 ? 512
               : EFM_KERNEL_MVE || EFM_KERNEL_DSP ? 96
                                                  : 64 /* pointers of a call, on the stack: 16 threes */
};

/* Parameters 0 .. 7 as they are: a negative one is huge until check() has refused it. */
typedef struct efm_window {
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t dilation_h, dilation_w;
    uint32_t pad_top, pad_left;
} efm_window;

void efm_window_read(const efm_op_args *args, efm_window *w);

/* The operator's tile, which has weights for sums of `depth` products each. */
void efm_tile_read(const efm_op_args *args, uint32_t depth, efm_tile *tile);

/* Bytes that the operator's tile takes in the chosen kernel's own packing, 0 if it has none; where `to` is not null,
   which is 64-byte aligned, the tile goes there. */
uint32_t efm_own_tile(const efm_op_args *args, int depthwise, uint8_t *to);

/* Refuses all that the two operators refuse alike: operands and window. */
EFM_MUST_CHECK efm_status efm_convolution_check(const efm_op_args *args, uint32_t n_params);

/* Refuses a tile of another size than its table and weights have, a packing that `packings` lacks, and a package that
   lies where the tile is not aligned as its packing needs. */
EFM_MUST_CHECK efm_status efm_tile_check(const efm_op_args *args, const efm_tile *tile, uint32_t packings,
                                         uint32_t alignment);

/* The operators' need(). */
void efm_convolution_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high);

/* Bytes rounded up to what parts of scratch are aligned to. */
static inline uint32_t efm_scratch_part(uint32_t bytes)
{
    return (bytes + 7u) & ~7u;
}

#endif
