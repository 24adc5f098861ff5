/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for 32-bit Arm with the SIMD instructions of Cortex-M4, M7 and M33, and ARMv6 to 8-A: two
 * products of 16 bits at once. */
#include "kernel.h"

#if EFM_KERNEL_DSP
#include <arm_acle.h>
#include <string.h>

#include "../fixed.h"

static inline uint32_t load4(const int8_t *p)
{
    uint32_t v; /* words may lie anywhere: those processors read them so */
    memcpy(&v, p, 4);
    return v;
}

/* Bytes 0 and 2, or 1 and 3, as two signed halves. */
static inline int32_t even(uint32_t v)
{
    return __sxtb16((int32_t)v);
}

static inline int32_t odd(uint32_t v)
{
    int32_t halves;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(v));
    return halves;
}

/* Two weight rows against two patches: as many sums as there are registers for. */
static inline void dots_by_two(const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1, uint32_t depth,
                               int32_t *sums0, int32_t *sums1)
{
    int32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
    for (const int8_t *end = x0 + (depth & ~3u); x0 != end; x0 += 4, x1 += 4, w0 += 4, w1 += 4) {
        uint32_t x = load4(x0), y = load4(x1), w = load4(w0);
        int32_t xe = even(x), xo = odd(x), ye = even(y), yo = odd(y), e = even(w), o = odd(w);
        s00 = __smlad(xe, e, s00), s00 = __smlad(xo, o, s00);
        s10 = __smlad(ye, e, s10), s10 = __smlad(yo, o, s10);
        w = load4(w1), e = even(w), o = odd(w);
        s01 = __smlad(xe, e, s01), s01 = __smlad(xo, o, s01);
        s11 = __smlad(ye, e, s11), s11 = __smlad(yo, o, s11);
    }
    for (depth &= 3u; depth > 0; depth--, x0++, x1++, w0++, w1++) {
        s00 += *x0 * *w0, s01 += *x0 * *w1;
        s10 += *x1 * *w0, s11 += *x1 * *w1;
    }
    sums0[0] = s00, sums0[1] = s01;
    sums1[0] = s10, sums1[1] = s11;
}

static void dots(const int8_t *x, uint32_t x_stride, uint32_t patches, const int8_t *w, uint32_t w_stride,
                 uint32_t rows, uint32_t depth, int32_t sums[EFM_DOT_PATCHES][EFM_DOT_ROWS])
{
    const int8_t *x1 = patches > 1 ? x + x_stride : x;
    for (uint32_t r = 0; r < rows; r += 2, w += 2 * w_stride) {
        dots_by_two(x, x1, w, r + 1 < rows ? w + w_stride : w, depth, sums[0] + r, sums[1] + r);
    }
}

/* Four channels of one tap. */
static inline void add_tap(const int8_t *x, const int8_t *w, int32_t s[4])
{
    uint32_t a = load4(x), b = load4(w);
    int32_t ae = even(a), ao = odd(a), be = even(b), bo = odd(b);
    s[0] = __smlabb(ae, be, s[0]), s[2] = __smlatt(ae, be, s[2]);
    s[1] = __smlabb(ao, bo, s[1]), s[3] = __smlatt(ao, bo, s[3]);
}

static void taps_by_three(const int8_t *const x[3], const int8_t *w, uint32_t channels, int32_t *sums)
{
    const int8_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *w1 = w + channels, *w2 = w1 + channels;
    for (uint32_t c = 0; c < channels; c += 4, sums += 4) {
        int32_t s[4] = {sums[0], sums[1], sums[2], sums[3]};
        add_tap(x0 + c, w + c, s);
        add_tap(x1 + c, w1 + c, s);
        add_tap(x2 + c, w2 + c, s);
        sums[0] = s[0], sums[1] = s[1], sums[2] = s[2], sums[3] = s[3];
    }
}

static void taps(const int8_t *const *x, uint32_t count, const int8_t *w, int32_t w_zero, uint32_t channels,
                 int32_t *sums)
{
    if (w_zero == 0 && channels % 4 == 0) {
        for (; count >= 3; count -= 3, x += 3, w += 3 * channels) {
            taps_by_three(x, w, channels, sums);
        }
    }
    if (count > 0) {
        efm_portable_taps(x, count, w, w_zero, channels, sums);
    }
}

static inline int32_t field(const uint8_t *fields, size_t i)
{
    int32_t v;
    memcpy(&v, fields + 4 * i, 4);
    return v;
}

/* efm_requant_twice for multiplier >= 0. The product is more than INT32_MIN, so that one can be taken
   from it when it is negative: then halves go away from zero. Below 2 the sum could overflow. */
static inline int32_t scale(int32_t v, int32_t multiplier, int32_t shift)
{
    if (shift > -2) {
        return efm_requant_twice(v, multiplier, shift);
    }
    int32_t high = (int32_t)(((int64_t)v * multiplier + (1 << 30)) >> 31);
    return (((high + (high >> 31)) >> (-1 - shift)) + 1) >> 1;
}

static inline int32_t to_int8(int32_t v)
{
    int32_t near;
    __asm("ssat %0, #8, %1" : "=r"(near) : "r"(v));
    return near;
}

static inline void requantize_to(const efm_requant *how, const int32_t *sums, size_t first, size_t count, int32_t whole,
                                 int8_t *out)
{
    const uint8_t *bias = how->bias + 4 * first, *multiplier = how->multiplier + 4 * first;
    const int8_t *shift = (const int8_t *)how->shift + first;
    const int32_t zero_point = how->zero_point, least = how->act_min, most = how->act_max;
    for (size_t i = 0; i < count; i++) {
        int32_t v = (int32_t)((uint32_t)sums[i] + (uint32_t)field(bias, i));
        v = (int32_t)((uint32_t)scale(v, field(multiplier, i), shift[i]) + (uint32_t)zero_point);
        out[i] = (int8_t)(whole ? to_int8(v) : efm_clamp(v, least, most));
    }
}

static void requantize(const efm_requant *how, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out)
{
    if (__builtin_expect(how->rounding != 0, 1)) { /* so that the other, which matters, takes a jump fewer */
        efm_portable_requantize(how, sums, first, count, out);
    } else if (how->act_min == INT8_MIN && how->act_max == INT8_MAX) {
        requantize_to(how, sums, first, count, 1, out);
    } else {
        requantize_to(how, sums, first, count, 0, out);
    }
}

static int usable(void)
{
    return 1; /* the compiler was told that they are there */
}

const efm_kernel efm_kernel_dsp = {usable, dots, taps, requantize};

#endif
