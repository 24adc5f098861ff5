/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that multiply by VPDPBUSD: unsigned inputs, x + 128, and signed weights. The file that includes this defines
 * efm_mac(), flip(), which makes bytes unsigned, bring(), which copies inputs so, and column_of() of depthwise.h. */
#ifndef EFM_X86_BYTES_H
#define EFM_X86_BYTES_H

#include "avx2.h"
#include "own.h"

enum {
    EFM_GROUP = 4,
    EFM_ELEMENT = 1,
    EFM_WEIGHTS = 4 * LANES, /* bytes of a vector */
    EFM_ONES = 0x01010101,   /* weights of a dword of inputs */
    EFM_RAISED = EFM_OWN_FLIP /* by what inputs in a strip are larger */
};

EFM_VECTOR vec load_weights(const uint8_t *w)
{
    return load(w);
}

/* Zero inputs: with weight 0, and without an effect on sum_of(). */
EFM_VECTOR void bring_nothing(uint32_t n, uint8_t *to)
{
    for (uint32_t i = 0; i < n; i++) {
        to[i] = EFM_OWN_FLIP;
    }
}

EFM_VECTOR vec padding_of(int32_t padding)
{
    return flip(all32((int32_t)(0x01010101u * (uint8_t)padding)));
}

#include "conv.h"
#include "depthwise.h"

static const efm_own_shape conv_shape = {
    .lanes = LANES, .group = EFM_GROUP, .element = EFM_ELEMENT, .flip = EFM_OWN_FLIP, .vectors = VECTORS, .least = 1};
static const efm_own_shape depthwise_shape = {.lanes = LANES,
                                              .group = EFM_GROUP,
                                              .element = EFM_ELEMENT,
                                              .flip = EFM_OWN_FLIP,
                                              .vectors = VECTORS,
                                              .least = 2,
                                              .overlap = LANES == 8};

static uint32_t conv_pack_bytes(const efm_tile *rows)
{
    return efm_own_conv_bytes(rows, &conv_shape);
}

static void conv_pack(const efm_tile *rows, uint8_t *to)
{
    efm_own_conv_pack(rows, &conv_shape, to);
}

/* Weights less their zero need more than a byte. */
static int is_wide(const efm_tile *rows)
{
    return efm_table_read(rows->table).weight_zero != 0;
}

static uint32_t depthwise_pack_bytes(const efm_tile *rows)
{
    return is_wide(rows) ? efm_avx2_depthwise_pack_bytes(rows) : efm_own_depthwise_bytes(rows, &depthwise_shape);
}

static void depthwise_pack(const efm_tile *rows, uint8_t *to)
{
    if (is_wide(rows)) {
        efm_avx2_depthwise_pack(rows, to);
    } else {
        efm_own_depthwise_pack(rows, &depthwise_shape, to);
    }
}

static void depthwise(const efm_depthwise_call *call)
{
    if (!is_quick(call)) {
        depthwise_slowly(call);
    } else if (efm_own(&call->tile)->wide) {
        efm_avx2_depthwise(call);
    } else {
        depthwise_quickly(call);
    }
}

#define EFM_BYTES_KERNEL(isa) \
    {.name = isa, \
     .usable = usable, \
     .conv_packings = EFM_X86_PACKINGS, \
     .depthwise_packings = EFM_X86_PACKINGS, \
     .alignment = EFM_OWN_ALIGNMENT, \
     .run_bytes = EFM_X86_RUN_BYTES, \
     .conv = conv, \
     .depthwise = depthwise, \
     .conv_scratch = efm_portable_conv_scratch, \
     .depthwise_scratch = depthwise_scratch, \
     .conv_pack_bytes = conv_pack_bytes, \
     .conv_pack = conv_pack, \
     .depthwise_pack_bytes = depthwise_pack_bytes, \
     .depthwise_pack = depthwise_pack}

#endif
