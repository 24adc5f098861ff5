/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for 32-bit Arm with the SIMD instructions of Cortex-M4, M7 and M33, and ARMv6 to 8-A: two
 * products of 16 bits at once. */
#include "../config.h"

#if EFM_KERNEL_DSP
#include <arm_acle.h>

#define EFM_TARGET
#include "by_taps.h"

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
    int32_t s00 = sums0[0], s01 = sums0[1], s10 = sums1[0], s11 = sums1[1];
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
        s00 = __smlabb(*x0, *w0, s00), s01 = __smlabb(*x0, *w1, s01);
        s10 = __smlabb(*x1, *w0, s10), s11 = __smlabb(*x1, *w1, s11);
    }
    sums0[0] = s00, sums0[1] = s01;
    sums1[0] = s10, sums1[1] = s11;
}

static void dots(const int8_t *const x[EFM_PAIR], const int8_t *w, size_t stride, uint32_t rows, uint32_t count,
                 int32_t sums[EFM_PAIR][EFM_BLOCK])
{
    for (uint32_t r = 0; r < rows; r += 2, w += 2 * stride) {
        dots_by_two(x[0], x[1], w, r + 1 < rows ? w + stride : w, count, sums[0] + r, sums[1] + r);
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
        efm_any_taps(x, count, w, w_zero, channels, sums);
    }
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

static void requantize(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out)
{
    const efm_table t = *table;
    if (t.flags & EFM_TABLE_ROUND_ONCE) {
        for (uint32_t i = 0; i < count; i++) {
            efm_channel c = efm_channel_read(&t, first + i);
            out[i] = efm_requantize(&t, &c, sums[i]);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        efm_channel c = efm_channel_read(&t, first + i);
        int32_t v = scale((int32_t)((uint32_t)sums[i] + (uint32_t)c.bias), c.multiplier, c.shift);
        v = to_int8((int32_t)((uint32_t)v + (uint32_t)t.zero_point));
        out[i] = (int8_t)efm_clamp(v, t.low, t.high);
    }
}

static void conv(const efm_conv_call *call)
{
    efm_conv_by_rows(call, dots, requantize);
}

static void depthwise(const efm_depthwise_call *call)
{
    efm_depthwise_by_taps(call, taps, requantize);
}

static int usable(void)
{
    return 1; /* the compiler was told that they are there */
}

const efm_kernel efm_kernel_dsp = {.usable = usable,
                                   .conv_packings = 1u << EFM_PACKING_ROWS,
                                   .depthwise_packings = 1u << EFM_PACKING_ROWS,
                                   .alignment = 4,
                                   .run_bytes = UINT32_MAX,
                                   .conv = conv,
                                   .depthwise = depthwise,
                                   .conv_scratch = efm_portable_conv_scratch,
                                   .depthwise_scratch = efm_portable_depthwise_scratch};

#endif
