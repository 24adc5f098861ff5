/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and MUL with the multiplications of Cortex-M4 and others that keep the upper half; sums and the largest of
 * pixels with what adds and compares several bytes at once. */
#include "../elements.h"

#include <string.h>

#include "edgefm_bytes.h"
#include "../../fixed.h"

#if EFM_ELEMENTS_DSP

/* acc + a * b * 2^-32, rounded half up; wraps */
static inline int32_t multiply_add(int32_t a, int32_t b, int32_t acc)
{
    int32_t sum;
    __asm("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}

static inline int32_t multiply(int32_t a, int32_t b)
{
    int32_t product;
    __asm("smmulr %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
    return product;
}

/* The byte there, and one further: the compiler would add the steps up. */
static inline int32_t next(const int8_t **at)
{
    int32_t v;
    __asm volatile("ldrsb %0, [%1], #1" : "=r"(v), "+r"(*at) : : "memory");
    return v;
}

static inline void put(int8_t **at, int32_t v)
{
    __asm volatile("strb %1, [%0], #1" : "+r"(*at) : "r"(v) : "memory");
}

/* From a sum, or a product, to a byte. Twice the multiplier is more than a register holds: it is less 2^32, which
   the sum itself makes good. One taken from what is negative makes halves go away from zero. */
typedef struct result {
    int32_t twice, power, zero;
} result;

static inline int32_t byte_of(int32_t sum, const result *r)
{
    int32_t v = multiply_add(sum, r->twice, sum), byte;
    v = multiply_add(v + (v >> 31), r->power, r->zero);
    __asm("ssat %0, #8, %1" : "=r"(byte) : "r"(v));
    return byte;
}

static int result_of(const efm_elements *run, result *r)
{
    const efm_factor *f = &run->factor;
    *r = (result){(int32_t)((uint32_t)f->multiplier << 1), (int32_t)(1u << ((32 + f->shift) & 31)), run->zero};
    return f->multiplier >= 1 << 30 && f->shift <= -2;
}

/* Clamps what is not all of int8. */
static __attribute__((noinline)) uint32_t clamped(const efm_elements *run, uint32_t count)
{
    const int32_t low = run->low, high = run->high;
    int8_t *out = run->out;
    for (const int8_t *end = out + count; high - low < 255 && out != end; out++) {
        *out = (int8_t)efm_clamp(*out, low, high);
    }
    return count;
}

/* (value - zero) * 2^21 times the multiplier, a little less where negative, twice that times the power. */
typedef struct term {
    int32_t zero, multiplier, power;
} term;

/* A half, too, can be said so: -1 times nearly -1/4. */
static int term_of(const efm_operand *operand, term *t)
{
    const efm_factor *f = &operand->factor;
    *t = (term){operand->zero * (1 << 21), f->multiplier, (int32_t)(1u << ((31 + f->shift) & 31))};
    if (efm_is_half(operand)) {
        t->multiplier = INT32_MIN;
        t->power = 1 - (1 << 30);
        return 1;
    }
    return f->shift < 0;
}

static inline int32_t sum_of(int32_t a, int32_t b, int32_t half_zero, const term *t, const result *r)
{
    int32_t v = multiply((int32_t)((uint32_t)b << 21) - t->zero, t->multiplier);
    v = (int32_t)((uint32_t)(v + (v >> 31)) << 1);
    return byte_of(multiply_add(v, t->power, (int32_t)((uint32_t)a << 19) - half_zero), r);
}

uint32_t efm_add_fast(const efm_elements *run)
{
    const efm_operand *half, *other;
    term t;
    result r;
    if (!efm_is_half_sum(run, &half, &other) || !term_of(other, &t) || !result_of(run, &r)) {
        return 0;
    }
    const int32_t half_zero = half->zero * (1 << 19);
    const int8_t *a = half->at, *b = other->at;
    int8_t *out = run->out;
    for (const int8_t *end = a + (run->count & ~3u); a != end;) {
        put(&out, sum_of(next(&a), next(&b), half_zero, &t, &r));
        put(&out, sum_of(next(&a), next(&b), half_zero, &t, &r));
        put(&out, sum_of(next(&a), next(&b), half_zero, &t, &r));
        put(&out, sum_of(next(&a), next(&b), half_zero, &t, &r));
    }
    return clamped(run, run->count & ~3u);
}

uint32_t efm_mul_fast(const efm_elements *run)
{
    const int32_t a_zero = run->a.zero, b_zero = run->b.zero;
    const int8_t *a = run->a.at, *b = run->b.at;
    int8_t *out = run->out;
    result r;
    if (!result_of(run, &r)) {
        return 0;
    }
    for (const int8_t *end = a + run->count; a != end;) {
        put(&out, byte_of((next(&a) - a_zero) * (next(&b) - b_zero), &r));
    }
    return clamped(run, run->count);
}

/* Of four bytes at once: the differences' signs choose. */
static inline uint32_t larger(uint32_t a, uint32_t b)
{
    uint32_t v;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(v) : "r"(a), "r"(b) : "cc");
    return v;
}

static inline uint32_t load(const int8_t *at)
{
    uint32_t v;
    __builtin_memcpy(&v, at, 4);
    return v;
}

uint32_t efm_max_fast(int8_t *most, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels)
{
    channels &= ~3u;
    for (int8_t *end = most + channels; most != end; most += 4, at += 4) {
        const int8_t *from = at;
        uint32_t v = load(most);
        for (uint32_t left = pixels; left > 0; left--, from += stride) {
            v = larger(v, load(from));
        }
        __builtin_memcpy(most, &v, 4);
    }
    return channels;
}

/* sum + the bytes 0 and 2 of v, each to a half; and the bytes 1 and 3. */
static inline uint32_t add_even(uint32_t sum, uint32_t v)
{
    __asm("sxtab16 %0, %0, %1" : "+r"(sum) : "r"(v));
    return sum;
}

static inline uint32_t add_odd(uint32_t sum, uint32_t v)
{
    __asm("sxtab16 %0, %0, %1, ror #8" : "+r"(sum) : "r"(v));
    return sum;
}

enum { SUMS = 4, PIXELS_MOST = 255 /* whose sum is a half */ };

static void sum_of_halves(int32_t *sums, const int8_t *at, size_t stride, uint32_t pixels)
{
    uint32_t even = 0, odd = 0;
    for (; pixels > 0; pixels--, at += stride) {
        uint32_t v = load(at);
        even = add_even(even, v);
        odd = add_odd(odd, v);
    }
    sums[0] = (int32_t)((uint32_t)sums[0] + (uint32_t)(int16_t)even);
    sums[1] = (int32_t)((uint32_t)sums[1] + (uint32_t)(int16_t)odd);
    sums[2] = (int32_t)((uint32_t)sums[2] + (uint32_t)((int32_t)even >> 16));
    sums[3] = (int32_t)((uint32_t)sums[3] + (uint32_t)((int32_t)odd >> 16));
}

uint32_t efm_sum_fast(int32_t *sums, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels)
{
    for (uint32_t n; pixels > 0; pixels -= n, at += n * stride) {
        n = pixels < PIXELS_MOST ? pixels : PIXELS_MOST;
        for (uint32_t c = 0; c + SUMS <= channels; c += SUMS) {
            sum_of_halves(sums + c, at + c, stride, n);
        }
    }
    return channels & ~(SUMS - 1u);
}

uint32_t efm_scale_fast(const efm_sums *run)
{
    const efm_elements bytes = {
        .out = run->out, .factor = run->factor, .zero = run->zero, .low = run->low, .high = run->high};
    const int32_t offset = run->offset * run->pixels, least = -128 * run->pixels, most = 127 * run->pixels;
    int8_t *out = run->out;
    result r;
    if (!result_of(&bytes, &r)) {
        return 0;
    }
    for (const int32_t *at = run->at, *end = at + run->count; at != end; at++) {
        put(&out, byte_of(efm_clamp(*at, least, most) - offset, &r));
    }
    return clamped(&bytes, run->count);
}

EFM_INLINE int32_t exponential(const uint8_t *table, const int8_t **at, int32_t top)
{
    const int32_t less = top - next(at);
    return efm_load_le32s(table + 4 * (less > 0 ? less : 0));
}

uint32_t efm_exponentials_fast(const uint8_t *table, const int8_t *from, int32_t top, uint32_t count, uint32_t *sum)
{
    uint32_t added = *sum;
    for (const int8_t *end = from + count; from != end;) {
        added +=
            ((uint32_t)exponential(table, &from, top) + (1u << (EFM_EXPONENTIAL_SHIFT - 1))) >> EFM_EXPONENTIAL_SHIFT;
    }
    *sum = added;
    return count;
}

/* Twice the scale is less 2^32, as in byte_of(). */
uint32_t efm_shares_fast(const efm_shares *run)
{
    const int32_t twice = (int32_t)((uint32_t)run->scale << 1);
    const int8_t *from = run->from;
    int8_t *to = run->to;
    if (run->scale < 1 << 30) {
        return 0;
    }
    for (const int8_t *end = from + run->count; from != end;) {
        int32_t v = exponential(run->table, &from, run->top), byte;
        v = multiply_add(v, twice, v) >> (run->shift - 1);
        __asm("ssat %0, #8, %1" : "=r"(byte) : "r"(((v + 1) >> 1) - 128));
        put(&to, byte);
    }
    return run->count;
}

#endif
