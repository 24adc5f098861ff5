/* SPDX-License-Identifier: Apache-2.0 */
/* What the AVX2 kernel lends to those with more instructions: DEPTHWISE with weights of 16 bits. */
#ifndef EFM_X86_AVX2_H
#define EFM_X86_AVX2_H

#include "../kernel.h"

enum {
    EFM_X86_PACKINGS = 1u << EFM_PACKING_ROWS, /* in a file; EFM_PACKING_OWN never comes from outside */
    EFM_X86_RUN_BYTES = 1 /* bring() of conv.h is quicker than the operator */
};

int efm_avx2_usable(void);
void efm_avx2_depthwise(const efm_depthwise_call *call);
uint32_t efm_avx2_depthwise_pack_bytes(const efm_tile *rows);
void efm_avx2_depthwise_pack(const efm_tile *rows, uint8_t *to);

#endif
