/* SPDX-License-Identifier: Apache-2.0 */
/* The second stage of booting: RP2040's ROM copies the first 256 bytes of flash to RAM, looks whether they end with
 * their CRC-32 (the file for the boot drive gets it), and starts them (RP2040 datasheet, 2.8.1). They make flash memory
 * and go on with the vector table behind them. */
#include "ssi.h"

enum { VECTORS = 0x10000100 };
#define VTOR 0xE000ED08u

void efm_boot2(void);

__attribute__((section(".boot2"), used, noreturn)) void efm_boot2(void)
{
    efm_ssi_as_memory();
    *efm_register(VTOR) = VECTORS;
    const volatile uint32_t *vectors = efm_register(VECTORS);
    __asm volatile("msr msp, %0\n bx %1" : : "r"(vectors[0]), "r"(vectors[1]));
    __builtin_unreachable();
}
