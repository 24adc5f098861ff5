/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of packing ROWS with AVX2: what every x86 kernel does with a model that was not prepared, and with sums that
 * its quick formulas do not cover. */
#ifndef EFM_X86_ROWS_H
#define EFM_X86_ROWS_H

#include "../kernel.h"
#include "../table.h"

void efm_x86_rows_conv(const efm_conv_call *call);
void efm_x86_rows_depthwise(const efm_depthwise_call *call);

/* Channels first .. first + count - 1 of a pixel, any table; sums and out begin at channel `first`. */
void efm_x86_requantize(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out);

#endif
