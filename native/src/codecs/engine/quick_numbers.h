/* SPDX-License-Identifier: Apache-2.0 */
/* Modes and numbers of the quick tables: docs/FORMAT.md. Codes without an escape that are read from one window each. */
#ifndef EFM_QUICK_NUMBERS_H
#define EFM_QUICK_NUMBERS_H

#include "../../bits.h"
#include "stream.h"

enum { EFM_QUICK_FLAG = 8 }; /* in a mode: zero has a bit of its own; below it the parameter */

/* What a code says that begins with a zero. `stop` has the bit behind the most zeros that count. */
static inline uint32_t efm_quick_long(uint32_t window, uint32_t k, uint32_t stop, uint32_t *at)
{
    uint32_t bits = k + 2 * efm_zeros(window | stop);

    *at += bits;
    return window >> (32 - bits);
}

/* What any code says that is not of plain tables. */
static inline uint32_t efm_quick_read(uint32_t window, uint32_t k, uint32_t *at)
{
    if (window >> 31 != 0) {
        *at += k + 1;
        return (window & 0x7FFFFFFFu) >> (31 - k);
    }
    return efm_quick_long(window, k, 1u << (22 + k), at);
}

/* `ahead` bits of zero are in front of it. */
static inline void efm_quick_write(efm_bits_out *out, uint32_t u, uint32_t k, uint32_t ahead)
{
    if (u >> k == 0) {
        efm_bits_add(out, u | 1u << k, ahead + k + 1);
    } else {
        efm_bits_add(out, u, ahead + 2 - k + 2 * efm_log2(u));
    }
}

#endif
