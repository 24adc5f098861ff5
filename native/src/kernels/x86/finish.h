/* SPDX-License-Identifier: Apache-2.0 */
/* efm_requant_twice of a vector of sums, for blocks whose constants own.c has proved: every v = sum + bias is within
 * 2^30 and every shift s is at least 1 to the right.
 *
 *     h = (v * m + 2^30) >> 31                    what the product rounds to
 *     result = zero_point + ((h + 2^(s-1) - (v < 0)) >> s)
 *            = (h - (v < 0) + a) >> s             with a = 2^(s-1) + zero_point * 2^s
 *
 * SIGNED makes h + a as the upper half of 2v * m + 2^31 + a * 2^32. RELU ignores v < 0, where the clamp gives its low
 * end with or without the 1, needs no 2v, and shifts the upper half of v * m + 2^30 + a * 2^31 by s - 1. */
#ifndef EFM_X86_FINISH_H
#define EFM_X86_FINISH_H

#include "own.h"

typedef struct scale {
    vec even, odd, add_even, add_odd, shift;
} scale;

EFM_VECTOR const int32_t *constants_of(const efm_own_head *own, const efm_own_block *block, int vector)
{
    const int32_t *all = (const int32_t *)(const void *)((const uint8_t *)own + block->constants);
    return all + vector * EFM_OWN_CONSTANTS * LANES;
}

EFM_VECTOR scale scale_of(const int32_t *constants)
{
    scale s = {load(constants + EFM_OWN_EVEN * LANES), load(constants + EFM_OWN_ODD * LANES),
               load(constants + EFM_OWN_ADD_EVEN * LANES), load(constants + EFM_OWN_ADD_ODD * LANES),
               load(constants + EFM_OWN_SHIFT * LANES)};
    return s;
}

EFM_VECTOR vec product(vec v, const scale *s)
{
    return join(add64(multiply(v, s->even), s->add_even), add64(multiply(odd(v), s->odd), s->add_odd));
}

EFM_VECTOR vec finish_relu(vec v, const scale *s)
{
    return right(product(v, s), s->shift);
}

EFM_VECTOR vec finish_signed(vec v, const scale *s)
{
    return right(add32(product(add32(v, v), s), signs(v)), s->shift);
}

#endif
