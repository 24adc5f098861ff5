/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of 64 bits without the compiler's division of them, which takes 700 bytes on a Cortex-M. */
#ifndef EFM_DECIMAL_H
#define EFM_DECIMAL_H

#include <stdint.h>

enum { EFM_DIGITS = 20 };

/* number / by, and the remainder; by > 0. */
uint64_t efm_divide(uint64_t number, uint32_t by, uint32_t *rest);

/* Writes the number's digits, `least` of them or more, up to the end of `digits`; the place of the first. */
uint32_t efm_decimal(uint64_t number, uint32_t least, uint8_t digits[EFM_DIGITS]);

#endif
