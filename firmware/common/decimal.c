/* SPDX-License-Identifier: Apache-2.0 */
#include "decimal.h"

/* Bits leave the number at its top, and those of the quotient follow at its bottom. */
uint64_t efm_divide(uint64_t number, uint32_t by, uint32_t *rest)
{
    uint64_t left = 0;
    for (int bit = 0; bit < 64; bit++) {
        left = left << 1 | number >> 63;
        number <<= 1;
        if (left >= by) {
            left -= by;
            number |= 1;
        }
    }
    *rest = (uint32_t)left;
    return number;
}

uint32_t efm_decimal(uint64_t number, uint32_t least, uint8_t digits[EFM_DIGITS])
{
    uint32_t at = EFM_DIGITS, digit;
    while (at > EFM_DIGITS - least || number != 0) {
        number = efm_divide(number, 10, &digit);
        digits[--at] = (uint8_t)('0' + digit);
    }
    return at;
}
