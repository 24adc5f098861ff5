/* SPDX-License-Identifier: Apache-2.0 */
/* What DETECTION computes in float64, in integers: most processors that run this have no such numbers, and their
 * compilers' functions for a product and a sum take three times the code. */
#ifndef EFM_REAL_H
#define EFM_REAL_H

#include <stdint.h>

/* x * y + z: product and sum are rounded to float64, to the nearest, halves to the even one, and the result once more to
   float32. x is a little-endian float64, y and z are float32; z may be null: nothing is added. Infinity is 2^1024 or
   2^128 here, and what is not a number counts on from there. */
float efm_multiply_add(const uint8_t *x, const uint8_t *y, const uint8_t *z);

#endif
