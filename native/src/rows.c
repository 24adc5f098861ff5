/* SPDX-License-Identifier: Apache-2.0 */
/* Where a build for size does not inline it. */
#define EFM_SHARED_HERE
#include "rows.h"

extern inline uint8_t *efm_row(const efm_rows *rows, uint32_t y);
