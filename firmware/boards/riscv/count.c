/* SPDX-License-Identifier: Apache-2.0 */
#include "riscv.h"

enum { LOOPS = 1000, PER_LOOP = 2 };

uint64_t efm_instructions(void)
{
    uint32_t high, low, again;
    do {
        __asm volatile("csrr %0, minstreth\n csrr %1, minstret\n csrr %2, minstreth"
                       : "=&r"(high), "=&r"(low), "=&r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

static __attribute__((noinline)) uint64_t count_loops(uint32_t loops)
{
    uint64_t before = efm_instructions();
    __asm volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(loops));
    return efm_instructions() - before;
}

bool efm_instructions_are_exact(void)
{
    uint64_t once = count_loops(1);
    return count_loops(1 + LOOPS) - once == LOOPS * PER_LOOP;
}
