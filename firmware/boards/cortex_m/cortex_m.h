/* SPDX-License-Identifier: Apache-2.0 */
/* What boards with a Cortex-M have in common. startup.c calls main() with .data, .bss and FPU ready and
 * with interrupts off: no board here has a handler, a pending interrupt only ends the processor's sleep. */
#ifndef EFM_CORTEX_M_H
#define EFM_CORTEX_M_H

#include <stdbool.h>
#include <stdint.h>

/* Lets an interrupt end efm_sleep(). */
void efm_wake_by(uint32_t interrupt);

/* Sleeps until that interrupt is raised; at once when it was raised since the last time. */
void efm_sleep(uint32_t interrupt);

/* Resets the chip: efm_board.reset. */
void efm_reset(void *context);

/* -- counting instructions with an emulator's clock ------------------------------------------------ */

/* A clock in virtual time, where every instruction takes the same time: 1 << shift ticks of the clock are
   `per` instructions. Exact to the instruction when a tick is shorter than half of one. A shift, since a
   division takes more or fewer instructions, and those are counted too. */
typedef struct efm_counter {
    uint64_t (*clock)(void);
    uint32_t per, shift;
    uint64_t last, instructions;
} efm_counter;

/* Instructions since the first call. */
uint64_t efm_count(efm_counter *counter);

/* Whether a loop of known length is counted exactly: false without -icount, or with another shift. */
bool efm_count_is_exact(efm_counter *counter);

/* -- the cycle counter of Cortex-M3 and above -------------------------------------------------------- */

/* Starts it; false: there is none, as in Cortex-M0+ and in QEMU. */
bool efm_cycles_start(void);

/* Cycles since it was started: efm_board.ticks. */
uint64_t efm_cycles(void *context);

#endif
