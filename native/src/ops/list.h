/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator, one line each: its id in docs/FORMAT.md (never renumbered), the name behind EFM_OP_ and EFM_WITH_,
 * and the name behind efm_op_ of its class. Enum, declarations and table are made of this list. */
#ifndef EFM_OPS_LIST_H
#define EFM_OPS_LIST_H

#include "../switch.h"

/* clang-format off */
#define EFM_OPERATORS(X) \
    X(5, VIEW, map_view) \
    X(16, CONV, conv) \
    X(17, DEPTHWISE, depthwise) \
    X(18, ADD, add) \
    X(19, MUL, mul) \
    X(20, AVERAGE_POOL, average_pool) \
    X(21, MAX_POOL, max_pool) \
    X(22, MEAN, mean) \
    X(23, LUT, lut) \
    X(24, SOFTMAX, softmax) \
    X(25, RESHAPE, reshape) \
    X(26, CONCAT_CHANNELS, concat_channels) \
    X(27, CONCAT_ROWS, concat_rows) \
    X(28, PAD, pad) \
    X(29, TRANSPOSE, transpose) \
    X(30, QUANTIZE, quantize) \
    X(31, DEQUANTIZE, dequantize) \
    X(32, RESIZE_BILINEAR, resize_bilinear) \
    X(33, RESIZE_NEAREST, resize_nearest) \
    X(34, ARGMAX, argmax) \
    X(35, DETECTION, detection) \
    X(36, GATHER, gather) \
    X(37, PRELU, prelu) \
    X(38, EXTREME, extreme) \
    X(39, SQUARED_DIFFERENCE, squared_difference) \
    X(40, DIV, div) \
    X(41, ROW_MEAN, row_mean) \
    X(42, MATMUL, matmul) \
    X(43, L2_NORMALIZATION, l2_normalization) \
    X(44, LOG_SOFTMAX, log_softmax) \
    X(45, SLICED, sliced) \
    X(46, AGAIN, again) \
    X(47, COLUMNS, columns)
/* clang-format on */

enum {
#define EFM_ID(id, name, class) EFM_OP_##name = id,
    EFM_OPERATORS(EFM_ID)
#undef EFM_ID
};

#endif
