/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 32-bit lanes for vectors.c: what the instruction sets call it.
 *
 * lanes            LANES of int32
 * bytes            BYTES of int8
 * lanes_factor     a fixed-point factor ready for scaled(), which shifts `before` bits to the left besides
 * scaled           efm_requant_twice of anything
 * scaled_right     the same where the shift is below 0, `before` is 0, and what is scaled lies within 2^30
 * lanes_limits     zero point and clamp of bytes
 * load, store      LANES bytes; store adds the zero point to what may be anything, and clamps
 * shifted          to the right, by 0 .. 31, with the sign
 * upper            the upper halves of unsigned products
 * within           clamped
 * look_up          a word of a table of words, wherever it lies, for each lane */
#ifndef EFM_LANES_H
#define EFM_LANES_H

#include "../elements.h"

#if EFM_ELEMENTS_MVE
#include "lanes_mve.h"
#elif EFM_ELEMENTS_NEON
#include "lanes_neon.h"
#else
#include "lanes_avx2.h"
#endif

/* How many of `count` elements vectors of `size` can do. */
static inline uint32_t whole(uint32_t count, uint32_t size)
{
    return usable() ? count - count % size : 0;
}

#endif
