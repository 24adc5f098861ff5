/* SPDX-License-Identifier: Apache-2.0 */
#include "real.h"

#include <string.h>

#include "edgefm_bytes.h"
#include "../bits.h"

enum {
    TOP = 61,        /* the first digit of all but zero: two sums fit, with a sign */
    FRACTION_64 = 52,
    FRACTION_32 = 23,
    SMALLEST = -1074, /* the exponent of the smallest float64 */
    LEAST = -4096     /* of zero, below all others */
};

/* digits * 2^exponent, or that below zero. */
typedef struct real {
    uint64_t digits;
    int32_t exponent;
    uint32_t negative;
} real;

static uint32_t zeros_of(uint64_t digits)
{
    uint32_t high = (uint32_t)(digits >> 32);
    return high != 0 ? efm_zeros(high) : 32 + efm_zeros((uint32_t)digits);
}

/* The nearest multiple of 2^drop, in units of that; halves to the even one. 1 <= drop <= 62 */
static uint64_t without(uint64_t digits, uint32_t drop)
{
    return (digits + ((uint64_t)1 << (drop - 1)) - 1 + (digits >> drop & 1)) >> drop;
}

/* Rounds digits, which are below 2^63, to those of float64. */
static real rounded(uint64_t digits, int32_t exponent, uint32_t negative)
{
    int32_t drop = 64 - (FRACTION_64 + 1) - (int32_t)zeros_of(digits);
    if (drop > 0) {
        digits = without(digits, (uint32_t)drop);
        exponent += drop;
    }
    uint32_t up = zeros_of(digits) - (63 - TOP);
    exponent -= (int32_t)up;
    if (digits == 0 || exponent + TOP < SMALLEST - 1) {
        return (real){0, LEAST, negative};
    }
    return (real){digits << up, exponent, negative};
}

/* The number whose upper word is `word`: sign, exponent, and a fraction that goes on with `more_bits` bits in `more`. */
static real unpacked(uint32_t word, uint32_t fraction, uint32_t more, uint32_t more_bits)
{
    uint32_t exponent = (word & INT32_MAX) >> fraction, one = exponent != 0;
    uint64_t digits = (uint64_t)((word & ((1u << fraction) - 1)) | one << fraction) << more_bits | more;
    int32_t middle = (int32_t)(1u << (30 - fraction)) - 1;
    return rounded(digits, (int32_t)(exponent + 1 - one) - middle - (int32_t)(fraction + more_bits), word >> 31);
}

static real read_64(const uint8_t *p)
{
    return unpacked(efm_load_le32(p + 4), FRACTION_64 - 32, efm_load_le32(p), 32);
}

static real read_32(const uint8_t *p)
{
    return unpacked(efm_load_le32(p), FRACTION_32, 0, 0);
}

/* y has no digits below the upper 32 that it may have. */
static real multiply(const real *x, const real *y)
{
    uint32_t factor = (uint32_t)(y->digits >> (TOP - 31));
    uint64_t low = (x->digits & UINT32_MAX) * factor, high = (x->digits >> 32) * factor + (low >> 32);
    return rounded(high | ((uint32_t)low != 0), x->exponent + y->exponent + TOP + 1, x->negative ^ y->negative);
}

static real add(const real *x, const real *y)
{
    const real *large = x->exponent < y->exponent ? y : x, *small = large == x ? y : x;
    uint32_t apart = (uint32_t)(large->exponent - small->exponent), negative = large->negative;
    uint64_t digits = small->digits != 0; /* what is shifted out counts as something */
    if (apart <= TOP) {
        uint64_t lost = small->digits & (((uint64_t)1 << apart) - 1);
        digits = small->digits >> apart | (lost != 0);
    }
    digits = large->negative == small->negative ? large->digits + digits : large->digits - digits;
    if (digits >> 63 != 0) {
        digits = 0 - digits;
        negative = small->negative;
    } else if (digits == 0) {
        negative &= small->negative;
    }
    return rounded(digits, large->exponent, negative);
}

static float float_of(const real *x)
{
    int32_t field = x->exponent + TOP + 126; /* less one */
    uint32_t drop = TOP - FRACTION_32, bits = 0;
    if (field < 0) {
        drop = field < -FRACTION_32 - 1 ? TOP + 1 : drop - (uint32_t)field;
        bits = field < -FRACTION_32 - 1 ? 0 : (uint32_t)without(x->digits, drop);
    } else if (field < 254) {
        bits = ((uint32_t)field << FRACTION_32) + (uint32_t)without(x->digits, drop);
    } else {
        bits = 255u << FRACTION_32;
    }
    bits |= x->negative << 31;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float efm_multiply_add(const uint8_t *x, const uint8_t *y, const uint8_t *z)
{
    real factor = read_64(x), other = read_32(y);
    real result = multiply(&factor, &other);
    if (z != 0) {
        other = read_32(z);
        result = add(&result, &other);
    }
    return float_of(&result);
}
