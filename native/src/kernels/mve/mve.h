/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the MVE kernel share. */
#ifndef EFM_MVE_H
#define EFM_MVE_H

#include "../kernel.h"
#include "../table.h"

enum { EFM_MVE_LANES = 4 /* sums in a vector register */ };

void efm_mve_conv(const efm_conv_call *call);
void efm_mve_depthwise(const efm_depthwise_call *call);
uint32_t efm_mve_depthwise_scratch(const efm_depthwise_call *call);

#endif
