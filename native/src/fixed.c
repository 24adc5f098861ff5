/* SPDX-License-Identifier: Apache-2.0 */
/* Those functions of the header that a build for size does not inline. */
#define EFM_SHARED_HERE
#include "fixed.h"

extern inline int32_t efm_shift_left(int32_t x, int32_t shift);
extern inline int32_t efm_shift_left_saturating(int32_t x, int32_t shift);
extern inline int32_t efm_multiply_high(int32_t a, int32_t b);
extern inline int32_t efm_round_shift(int32_t x, int32_t shift);
extern inline int32_t efm_requant_twice(int32_t x, int32_t multiplier, int32_t shift);
