/* SPDX-License-Identifier: Apache-2.0 */
/* TFLite's fixed-point arithmetic, bit for bit. A real factor m * 2^(shift - 31) is the pair
 * (m, shift), shift in [EFM_SHIFT_MIN, EFM_SHIFT_MAX], positive = left. Nothing here can overflow in
 * a way that C leaves undefined, whatever the operands; sane ones give TFLite's numbers. */
#ifndef EFM_FIXED_H
#define EFM_FIXED_H

#include <stdint.h>

#include "config.h"

enum { EFM_SHIFT_MIN = -31, EFM_SHIFT_MAX = 30 };

static inline int32_t efm_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* x * 2^shift modulo 2^32 */
EFM_SHARED int32_t efm_shift_left(int32_t x, int32_t shift)
{
    return (int32_t)((uint32_t)x << shift);
}

/* x * 2^shift, saturating; 0 <= shift <= 31 */
EFM_SHARED int32_t efm_shift_left_saturating(int32_t x, int32_t shift)
{
    int64_t wide = (int64_t)x * ((int64_t)1 << shift);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* a * b * 2^-31, rounded half up; saturates only for INT32_MIN * INT32_MIN */
EFM_SHARED int32_t efm_multiply_high(int32_t a, int32_t b)
{
    int64_t wide = ((int64_t)a * b + ((int64_t)1 << 30)) >> 31;
    return wide > INT32_MAX ? INT32_MAX : (int32_t)wide;
}

/* x * 2^-shift, rounded half away from zero; 0 <= shift <= 31 */
EFM_SHARED int32_t efm_round_shift(int32_t x, int32_t shift)
{
    int32_t mask = (int32_t)(((uint32_t)1 << shift) - 1);
    int32_t rest = x & mask;
    int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> shift) + (rest > threshold);
}

/* TFLite's MultiplyByQuantizedMultiplier: rounds in the product, and again in the shift. */
EFM_SHARED int32_t efm_requant_twice(int32_t x, int32_t multiplier, int32_t shift)
{
    int32_t left = shift > 0 ? shift : 0;
    int32_t right = shift > 0 ? 0 : -shift;
    return efm_round_shift(efm_multiply_high(efm_shift_left(x, left), multiplier), right);
}

/* a * b * 2^-31, rounded half up, for |a| < 2^30 and b < 2^31; other operands give any number. Processors whose product
 * has 32 bits make it of halves: a = 2^16 ah + al, b alike, al and bl without sign. Then
 *     floor(a * b / 2^16) = 2^16 ah bh + mid,   mid = ah bl + al bh + floor(al bl / 2^16)
 * where mid + 2^14 + 2^30 lies in 0 .. 2^32 - 1, since ah bl >= -2^30 and ah bl < 2^30 - 2^14, al bh < 2^31 - 2^16. */
static inline int32_t efm_multiply_high_small(int32_t a, uint32_t b)
{
#if EFM_PRODUCTS_OF_32_BITS
    uint32_t ah = (uint32_t)(a >> 16), al = (uint32_t)a & 0xffff, bh = b >> 16, bl = b & 0xffff;
    uint32_t mid = ah * bl + al * bh + (al * bl >> 16);
    return (int32_t)(2 * (ah * bh) + ((mid + (1u << 14) + (1u << 30)) >> 15) - (1u << 15));
#else
    return (int32_t)(((int64_t)a * (int32_t)b + ((int64_t)1 << 30)) >> 31);
#endif
}

/* efm_requant_twice(x, multiplier, -right) for |x| < 2^30, multiplier < 2^31 and right in 1 .. 31; other operands give
 * any number. Half away from zero is half up of a number that is one less where it is negative. */
static inline int32_t efm_requant_proved(int32_t x, uint32_t multiplier, uint32_t right)
{
    int32_t high = efm_multiply_high_small(x, multiplier);
    uint32_t half = (uint32_t)1 << ((right - 1) & 31);
    return (int32_t)((uint32_t)high + half + (uint32_t)(high >> 31)) >> (right & 31);
}

/* x times a 53-bit factor (high * 2^22 + low) * 2^(shift - 53), rounded half away from zero once:
 * what TFLite's FULLY_CONNECTED computes in double. Saturates to +-2^24. */
static inline int32_t efm_requant_once(int32_t x, int32_t high, uint32_t low, int32_t shift)
{
    uint64_t size = x < 0 ? (uint64_t)-(int64_t)x : (uint64_t)x;
    uint64_t product = size * (uint32_t)high + (size * low >> 22);
    int32_t right = 31 - shift;
    uint64_t rounded = (product + ((uint64_t)1 << (right - 1))) >> right;
    int32_t result = rounded > ((uint32_t)1 << 24) ? (int32_t)1 << 24 : (int32_t)rounded;
    return x < 0 ? -result : result;
}

#endif
