/* SPDX-License-Identifier: Apache-2.0 */
/* The products of four pixels with a channel, in assembly: compilers move registers between the steps. Pixels take
 * turns, since an instruction that adds to the one before would wait on cores that run in order. */
#ifndef EFM_NEON_MULTIPLY_FOUR_H
#define EFM_NEON_MULTIPLY_FOUR_H

#include "neon.h"

#if EFM_KERNEL_NEON && defined(__aarch64__)

/* Sums 0 .. 3, products 4 .. 7, pixels 8 .. 11 and, sixteen further on, 14 .. 17; weights 12 and 13. */
#define MULTIPLY_LOW(x0, x1, x2, x3, w) \
    "smull %4.8h, %" #x0 ".8b, %" #w ".8b\n\tsmull %5.8h, %" #x1 ".8b, %" #w ".8b\n\t" \
    "smull %6.8h, %" #x2 ".8b, %" #w ".8b\n\tsmull %7.8h, %" #x3 ".8b, %" #w ".8b\n\t"
#define ADD_LOW(x0, x1, x2, x3, w) \
    "smlal %4.8h, %" #x0 ".8b, %" #w ".8b\n\tsmlal %5.8h, %" #x1 ".8b, %" #w ".8b\n\t" \
    "smlal %6.8h, %" #x2 ".8b, %" #w ".8b\n\tsmlal %7.8h, %" #x3 ".8b, %" #w ".8b\n\t"
#define ADD_HIGH(x0, x1, x2, x3, w) \
    "smlal2 %4.8h, %" #x0 ".16b, %" #w ".16b\n\tsmlal2 %5.8h, %" #x1 ".16b, %" #w ".16b\n\t" \
    "smlal2 %6.8h, %" #x2 ".16b, %" #w ".16b\n\tsmlal2 %7.8h, %" #x3 ".16b, %" #w ".16b\n\t"
#define TO_SUMS(op) op " %0.4s, %4.8h\n\t" op " %1.4s, %5.8h\n\t" op " %2.4s, %6.8h\n\t" op " %3.4s, %7.8h"

#define PRODUCTS     "=&w"(t0), "=&w"(t1), "=&w"(t2), "=&w"(t3)
#define PIXELS_OF(x) "w"(x[0]), "w"(x[1]), "w"(x[2]), "w"(x[3])
#define ADDED(s)     "+w"(*s[0]), "+w"(*s[1]), "+w"(*s[2]), "+w"(*s[3])
#define BEGUN(s)     "=&w"(*s[0]), "=&w"(*s[1]), "=&w"(*s[2]), "=&w"(*s[3])

/* Sixteen in depth, two products in a lane of 16 bits. `begin`: there are no sums yet. */
EFM_INLINE void efm_neon_add_two(int32x4_t *const s[4], const int8x16_t x[4], int8x16_t w, int begin)
{
    int16x8_t t0, t1, t2, t3;
    if (begin) {
        __asm__(MULTIPLY_LOW(8, 9, 10, 11, 12) ADD_HIGH(8, 9, 10, 11, 12) TO_SUMS("saddlp")
                : BEGUN(s), PRODUCTS
                : PIXELS_OF(x), "w"(w));
    } else {
        __asm__(MULTIPLY_LOW(8, 9, 10, 11, 12) ADD_HIGH(8, 9, 10, 11, 12) TO_SUMS("sadalp")
                : ADDED(s), PRODUCTS
                : PIXELS_OF(x), "w"(w));
    }
}

/* Thirty-two, four products in a lane. */
EFM_INLINE void efm_neon_add_four(int32x4_t *const s[4], const int8x16_t x[4], const int8x16_t y[4], int8x16_t w,
                                  int8x16_t v, int begin)
{
    int16x8_t t0, t1, t2, t3;
    if (begin) {
        __asm__(MULTIPLY_LOW(8, 9, 10, 11, 12) ADD_HIGH(8, 9, 10, 11, 12) ADD_LOW(14, 15, 16, 17, 13)
                    ADD_HIGH(14, 15, 16, 17, 13) TO_SUMS("saddlp")
                : BEGUN(s), PRODUCTS
                : PIXELS_OF(x), "w"(w), "w"(v), PIXELS_OF(y));
    } else {
        __asm__(MULTIPLY_LOW(8, 9, 10, 11, 12) ADD_HIGH(8, 9, 10, 11, 12) ADD_LOW(14, 15, 16, 17, 13)
                    ADD_HIGH(14, 15, 16, 17, 13) TO_SUMS("sadalp")
                : ADDED(s), PRODUCTS
                : PIXELS_OF(x), "w"(w), "w"(v), PIXELS_OF(y));
    }
}

#endif
#endif
