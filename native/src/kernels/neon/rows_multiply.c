/* SPDX-License-Identifier: Apache-2.0 */
/* Packing ROWS without SDOT: products of 8 bits take 16, pairs are added to sums of 32. */
#include "neon.h"

#if EFM_KERNEL_NEON
#define EFM_TARGET EFM_NEON
#if defined(__aarch64__)
#define EFM_PIXELS 4
#else
#define EFM_PIXELS 2
#endif
#include "rows.h"

EFM_INLINE EFM_TARGET int32x4_t add(int32x4_t sum, int8x16_t x, int8x16_t w)
{
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(x), vget_low_s8(w)));
#if defined(__aarch64__)
    return vpadalq_s16(sum, vmull_high_s8(x, w));
#else
    return vpadalq_s16(sum, vmull_s8(vget_high_s8(x), vget_high_s8(w)));
#endif
}

EFM_TARGET void efm_neon_rows_multiply(const efm_neon_job *job)
{
    make_all(job);
}

#endif
