/* SPDX-License-Identifier: Apache-2.0 */
/* What CONV and DEPTHWISE have in common: the window, parameters 0 .. 11, and the head of the
 * weight section. */
#ifndef EFM_CONVOLUTION_H
#define EFM_CONVOLUTION_H

#include "../kernels/kernel.h"
#include "op.h"

enum {
    EFM_CONVOLUTION_PARAMS = 12,
    EFM_WINDOW_MAX = 65535,         /* kernel, (kernel - 1) * dilation, and padding */
    EFM_MAP_MAX = (int32_t)1 << 20, /* rows, pixels and channels of a map */
    EFM_START_MAX = (int32_t)1 << 21 /* (outputs - 1) * stride */
};

/* Parameters 0 .. 7 as they are: a negative one is huge until check() has refused it. */
typedef struct efm_window {
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t dilation_h, dilation_w;
    uint32_t pad_top, pad_left;
} efm_window;

typedef struct efm_convolution {
    efm_window window;
    int32_t weight_zero;
    efm_requant requant;
    const int8_t *weights;  /* behind the head of the weight section */
    uint32_t head_bytes;
} efm_convolution;

/* Needs args with one output. Reads parameters, touches nothing of the weight section. */
void efm_convolution_read(const efm_op_args *args, efm_convolution *c);

/* Refuses all that the two operators refuse alike: operands, window, ranges, the section's head. */
EFM_MUST_CHECK efm_status efm_convolution_check(const efm_op_args *args, uint32_t n_params);

/* The operators' need(). */
void efm_convolution_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high);

#endif
