/* SPDX-License-Identifier: Apache-2.0 */
/* Packing ROWS with SDOT. */
#include "neon.h"

#if EFM_KERNEL_NEON_DOT
#define EFM_TARGET EFM_DOT
#define EFM_PIXELS 4
#include "rows.h"

EFM_INLINE EFM_TARGET int32x4_t add(int32x4_t sum, int8x16_t x, int8x16_t w)
{
    return vdotq_s32(sum, x, w);
}

EFM_TARGET void efm_neon_rows_dot(const efm_neon_job *job)
{
    make_all(job);
}

#endif
