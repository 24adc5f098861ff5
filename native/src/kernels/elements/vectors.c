/* SPDX-License-Identifier: Apache-2.0 */
/* ADD, MUL, sums and the largest of pixels with vectors, for any parameters. */
#include "../elements.h"

#if EFM_ELEMENTS_VECTORS
#include "lanes.h"

/* An operand of ADD, scaled; all bits flipped, or none, for the sign. */
static inline EFM_TARGET lanes term(const efm_operand *o, uint32_t i, const lanes_factor *f, lanes sign)
{
    return flipped(scaled(minus_all(load(o->at + i), o->zero), f), sign);
}

static EFM_TARGET uint32_t add(const efm_elements *run, uint32_t count)
{
    const efm_operand a = run->a, b = run->b;
    const lanes_factor of_a = factor_of(&a.factor, EFM_LEFT_SHIFT), of_b = factor_of(&b.factor, EFM_LEFT_SHIFT),
                       of_sum = factor_of(&run->factor, 0);
    const lanes_limits limits = limits_of(run->zero, run->low, run->high);
    const lanes a_sign = all(a.sign >> 1), b_sign = all(b.sign >> 1), ones = all((a.sign >> 1) + (b.sign >> 1));
    int8_t *out = run->out;
    for (uint32_t i = 0; i < count; i += LANES) {
        lanes sum = plus(term(&a, i, &of_a, a_sign), term(&b, i, &of_b, b_sign));
        store(out + i, scaled(minus(sum, ones), &of_sum), &limits);
    }
    return count;
}

/* Both terms are below 2^28. */
static EFM_TARGET uint32_t add_to_half(const efm_elements *run, const efm_operand *half, const efm_operand *other,
                                       uint32_t count)
{
    const int8_t *a = half->at, *b = other->at, *const end = a + count;
    const int32_t a_zero = half->zero, b_zero = other->zero;
    const lanes_factor factor = factor_of(&other->factor, 0), of_sum = factor_of(&run->factor, 0);
    const lanes_limits limits = limits_of(run->zero, run->low, run->high);
    for (int8_t *out = run->out; a != end; a += LANES, b += LANES, out += LANES) {
        lanes fine = scaled_right(left(minus_all(load(b), b_zero), EFM_LEFT_SHIFT), &factor);
        lanes sum = plus(fine, left(minus_all(load(a), a_zero), EFM_LEFT_SHIFT - 1));
        store(out, scaled_right(sum, &of_sum), &limits);
    }
    return count;
}

static EFM_TARGET uint32_t multiply(const efm_elements *run, uint32_t count)
{
    const int8_t *a = run->a.at, *b = run->b.at;
    const int32_t a_zero = run->a.zero, b_zero = run->b.zero;
    const lanes_factor factor = factor_of(&run->factor, 0);
    const lanes_limits limits = limits_of(run->zero, run->low, run->high);
    int8_t *out = run->out;
    for (uint32_t i = 0; i < count; i += LANES) {
        lanes product = times(minus_all(load(a + i), a_zero), minus_all(load(b + i), b_zero));
        store(out + i, scaled(product, &factor), &limits);
    }
    return count;
}

static EFM_TARGET uint32_t sum(int32_t *sums, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c += LANES) {
        const int8_t *from = at + c;
        lanes v = load_sums(sums + c);
        for (uint32_t p = 0; p < pixels; p++, from += stride) {
            v = plus(v, load(from));
        }
        store_sums(sums + c, v);
    }
    return channels;
}

static EFM_TARGET uint32_t most_of(int8_t *most, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c += BYTES) {
        const int8_t *from = at + c;
        bytes v = load_bytes(most + c);
        for (uint32_t p = 0; p < pixels; p++, from += stride) {
            v = larger(v, load_bytes(from));
        }
        store_bytes(most + c, v);
    }
    return channels;
}

uint32_t efm_add_fast(const efm_elements *run)
{
    const efm_operand *half, *other;
    uint32_t count = whole(run->count, LANES);
    if (count == 0) {
        return 0;
    }
    if (efm_is_half_sum(run, &half, &other) && other->factor.shift < 0 && run->factor.shift < 0) {
        return add_to_half(run, half, other, count);
    }
    return add(run, count);
}

uint32_t efm_mul_fast(const efm_elements *run)
{
    uint32_t count = whole(run->count, LANES);
    return count > 0 ? multiply(run, count) : 0;
}

uint32_t efm_sum_fast(int32_t *sums, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels)
{
    channels = whole(channels, LANES);
    return channels > 0 ? sum(sums, at, stride, pixels, channels) : 0;
}

uint32_t efm_max_fast(int8_t *most, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels)
{
    channels = whole(channels, BYTES);
    return channels > 0 ? most_of(most, at, stride, pixels, channels) : 0;
}

#if EFM_ELEMENTS_MVE
uint32_t efm_copy_fast(int8_t *to, size_t to_step, const int8_t *from, size_t from_step, uint32_t count, size_t size)
{
    copy(to, to_step, from, from_step, count, size);
    return count;
}
#endif

#endif
