/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the MVE kernel share. */
#ifndef EFM_MVE_H
#define EFM_MVE_H

#include "../kernel.h"
#include "../table.h"

enum { EFM_MVE_LANES = 4 /* sums in a vector register */ };

void efm_mve_conv(const efm_conv_call *call);
efm_scratch efm_mve_conv_scratch(uint32_t depth, uint32_t out);
void efm_mve_depthwise(const efm_depthwise_call *call);
efm_scratch efm_mve_depthwise_scratch(uint32_t kernel_h, uint32_t width, uint32_t in_width, uint32_t out);

#endif
