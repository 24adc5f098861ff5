/* SPDX-License-Identifier: Apache-2.0 */
/* For processors without SDOT: products of 8 bits in 16, two of them added there where they fit, pairs of those added
 * to sums of 32 bits. 256 products take 48 instructions in registers, or 64, and 5 to 8 loads. */
#include "neon.h"

#if EFM_KERNEL_NEON
#define EFM_TARGET EFM_NEON
#if defined(__aarch64__)
#define EFM_PIXELS 4
#else
#define EFM_PIXELS 2
#endif
#include "rows.h"

EFM_INLINE EFM_TARGET int16x8_t low_products(int8x16_t x, int8x16_t w)
{
    return vmull_s8(vget_low_s8(x), vget_low_s8(w));
}

EFM_INLINE EFM_TARGET int32x4_t add(int32x4_t sum, int8x16_t x, int8x16_t w, uint32_t kind)
{
#if defined(__aarch64__)
    if (kind == KIND_NARROW) {
        return vpadalq_s16(sum, vmlal_high_s8(low_products(x, w), x, w));
    }
    return vpadalq_s16(vpadalq_s16(sum, low_products(x, w)), vmull_high_s8(x, w));
#else
    if (kind == KIND_NARROW) {
        return vpadalq_s16(sum, vmlal_s8(low_products(x, w), vget_high_s8(x), vget_high_s8(w)));
    }
    return vpadalq_s16(vpadalq_s16(sum, low_products(x, w)), vmull_s8(vget_high_s8(x), vget_high_s8(w)));
#endif
}

EFM_INLINE EFM_TARGET int32x4_t add_half(int32x4_t sum, int8x8_t x, int8x8_t w)
{
    return vpadalq_s16(sum, vmull_s8(x, w));
}

static EFM_TARGET void rows(const efm_neon_job *job)
{
    make_all(job, KIND_ROWS);
}

static EFM_TARGET void own(const efm_neon_job *job)
{
    make_all(job, KIND_OWN);
}

static EFM_TARGET void own_narrow(const efm_neon_job *job)
{
    make_all(job, KIND_NARROW);
}

/* Eight bytes or sixteen, or any number above. */
static uint32_t pixel_bytes(uint32_t depth)
{
    return depth <= 8 ? 8 : depth < 16 ? 16 : depth;
}

static uint32_t lane_bytes(uint32_t depth)
{
    uint32_t bytes = pixel_bytes(depth);
    return EFM_NEON_LANES * ((bytes + 7) / 8 * 8);
}

/* [steps][4][16], the last step [4][8] where that is enough. The last step ends with the last weights, and those that
   it has in common with the one before are zero. */
static void pack(const int8_t *w, uint32_t channels, uint32_t lanes, uint32_t depth, int8_t *to)
{
    uint32_t bytes = pixel_bytes(depth);
    (void)lanes;
    for (uint32_t k = 0; k < bytes;) {
        uint32_t width = bytes - k > 8 ? 16 : 8;
        uint32_t begin = k + width > bytes ? bytes - width : k;
        for (uint32_t r = 0; r < EFM_NEON_LANES; r++) {
            for (uint32_t i = 0; i < width; i++, to++) {
                uint32_t at = begin + i;
                *to = r < channels && at >= k && at < depth ? w[(size_t)r * depth + at] : 0;
            }
        }
        k += width;
    }
}

const efm_neon_loops efm_neon_loops_multiply = {.rows = rows,
                                                .own = own_narrow,
                                                .own_safe = own,
                                                .lanes = 1,
                                                .run_multiple = 16,
                                                .pixel_bytes = pixel_bytes,
                                                .lane_bytes = lane_bytes,
                                                .pack = pack};

#endif
