/* SPDX-License-Identifier: Apache-2.0 */
/* What boards without an operating system have in common. */
#ifndef EFM_BARE_H
#define EFM_BARE_H

#include <stdbool.h>
#include <stdint.h>

/* A device register. */
static inline volatile uint32_t *efm_register(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

/* Memory that startup leaves alone: large, and its first contents do not matter. */
#define EFM_NOINIT __attribute__((section(".noinit"), aligned(16)))

/* Looks at a register until these bits of it have a value; false: they did not get it in a long time. */
bool efm_becomes(const volatile uint32_t *at, uint32_t mask, uint32_t value);

/* A counter of 32 bits as one of 64; call it more often than the counter comes round: at every stage. One per board. */
uint64_t efm_extend(uint32_t now);

/* The timer of a board whose timer is of no use: one that stands still, which the firmware reports. */
uint64_t efm_no_ticks(void *context);

#endif
