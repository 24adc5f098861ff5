/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of this build. INPUT, OUTPUT, LOAD and STORE belong to the executor. */
#include "../config.h"
#include "op.h"

extern const efm_op_class efm_op_view, efm_op_conv, efm_op_depthwise, efm_op_add, efm_op_mul, efm_op_average_pool,
    efm_op_max_pool, efm_op_mean, efm_op_lut, efm_op_softmax, efm_op_reshape, efm_op_concat_channels,
    efm_op_concat_rows, efm_op_pad, efm_op_transpose, efm_op_quantize, efm_op_dequantize, efm_op_resize_bilinear,
    efm_op_resize_nearest, efm_op_argmax, efm_op_detection;

static const efm_op_class *const classes[] = {
#if EFM_WITH_VIEW
    &efm_op_view,
#endif
#if EFM_WITH_CONV
    &efm_op_conv,
#endif
#if EFM_WITH_DEPTHWISE
    &efm_op_depthwise,
#endif
#if EFM_WITH_ADD
    &efm_op_add,
#endif
#if EFM_WITH_MUL
    &efm_op_mul,
#endif
#if EFM_WITH_AVERAGE_POOL
    &efm_op_average_pool,
#endif
#if EFM_WITH_MAX_POOL
    &efm_op_max_pool,
#endif
#if EFM_WITH_MEAN
    &efm_op_mean,
#endif
#if EFM_WITH_LUT
    &efm_op_lut,
#endif
#if EFM_WITH_SOFTMAX
    &efm_op_softmax,
#endif
#if EFM_WITH_RESHAPE
    &efm_op_reshape,
#endif
#if EFM_WITH_CONCAT_CHANNELS
    &efm_op_concat_channels,
#endif
#if EFM_WITH_CONCAT_ROWS
    &efm_op_concat_rows,
#endif
#if EFM_WITH_PAD
    &efm_op_pad,
#endif
#if EFM_WITH_TRANSPOSE
    &efm_op_transpose,
#endif
#if EFM_WITH_QUANTIZE
    &efm_op_quantize,
#endif
#if EFM_WITH_DEQUANTIZE
    &efm_op_dequantize,
#endif
#if EFM_WITH_RESIZE_BILINEAR
    &efm_op_resize_bilinear,
#endif
#if EFM_WITH_RESIZE_NEAREST
    &efm_op_resize_nearest,
#endif
#if EFM_WITH_ARGMAX
    &efm_op_argmax,
#endif
#if EFM_WITH_DETECTION
    &efm_op_detection,
#endif
    0,
};

const efm_op_class *efm_op_find(uint32_t id)
{
    uint32_t i = 0;
    while (classes[i] != 0 && classes[i]->id != id)
        i++;
    return classes[i];
}
