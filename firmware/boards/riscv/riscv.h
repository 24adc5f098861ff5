/* SPDX-License-Identifier: Apache-2.0 */
/* What boards with a RISC-V of 32 bits have in common. start.c calls main() with interrupts off: no board here has a
 * handler, a pending interrupt only ends the processor's sleep. */
#ifndef EFM_RISCV_H
#define EFM_RISCV_H

#include <stdbool.h>
#include <stdint.h>

/* Instructions that were executed since reset. */
uint64_t efm_instructions(void);

/* Whether a loop of known length is counted exactly: false under QEMU without -icount. */
bool efm_instructions_are_exact(void);

#endif
