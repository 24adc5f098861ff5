/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

enum { ATTEMPTS = 1000000 };

bool efm_becomes(const volatile uint32_t *at, uint32_t mask, uint32_t value)
{
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        if ((*at & mask) == value) {
            return true;
        }
    }
    return false;
}

uint64_t efm_extend(uint32_t now)
{
    static uint64_t ticks;
    ticks += (uint32_t)(now - (uint32_t)ticks);
    return ticks;
}

uint64_t efm_no_ticks(void *context)
{
    (void)context;
    return 0;
}
