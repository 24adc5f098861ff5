/* SPDX-License-Identifier: Apache-2.0 */
/* Each difference is rounded by itself: an error never adds up, and where the clock stood within a tick
 * does not matter. */
#include "cortex_m.h"

enum { LOOPS = 1000, PER_LOOP = 2 };

uint64_t efm_count(efm_counter *counter)
{
    uint64_t now = counter->clock();
    uint64_t passed = (now - counter->last) * counter->per + (((uint64_t)1 << counter->shift) >> 1);
    counter->last = now;
    counter->instructions += passed >> counter->shift;
    return counter->instructions;
}

static __attribute__((noinline)) uint64_t count_loops(efm_counter *counter, uint32_t loops)
{
    uint64_t before = efm_count(counter);
    __asm volatile("1: subs %0, #1\n bne 1b" : "+r"(loops) : : "cc");
    return efm_count(counter) - before;
}

bool efm_count_is_exact(efm_counter *counter)
{
    uint64_t once = count_loops(counter, 1);
    return count_loops(counter, 1 + LOOPS) - once == LOOPS * PER_LOOP;
}
