/* SPDX-License-Identifier: Apache-2.0 */
/* The products of two pixels with a channel on ARMv7, in assembly: with sixteen registers, eight of them sums, none
 * can be moved. */
#ifndef EFM_NEON_MULTIPLY_TWO_H
#define EFM_NEON_MULTIPLY_TWO_H

#include "neon.h"

#if EFM_KERNEL_NEON && !defined(__aarch64__)

/* to[p] = products of the low halves + products of the high halves, in lanes of 16 bits */
EFM_INLINE EFM_NEON void efm_neon_products(int16x8_t to[2], const int8x16_t x[2], int8x16_t w)
{
    __asm__("vmull.s8 %q0, %e2, %e4\n\tvmull.s8 %q1, %e3, %e4\n\t"
            "vmlal.s8 %q0, %f2, %f4\n\tvmlal.s8 %q1, %f3, %f4"
            : "=&w"(to[0]), "=&w"(to[1])
            : "w"(x[0]), "w"(x[1]), "w"(w));
}

EFM_INLINE EFM_NEON void efm_neon_add_products(int16x8_t to[2], const int8x16_t x[2], int8x16_t w)
{
    __asm__("vmlal.s8 %q0, %e2, %e4\n\tvmlal.s8 %q1, %e3, %e4\n\t"
            "vmlal.s8 %q0, %f2, %f4\n\tvmlal.s8 %q1, %f3, %f4"
            : "+w"(to[0]), "+w"(to[1])
            : "w"(x[0]), "w"(x[1]), "w"(w));
}

#endif
#endif
