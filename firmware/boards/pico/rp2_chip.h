/* SPDX-License-Identifier: Apache-2.0 */
/* RP2040: where things lie (RP2040 datasheet, 2.2 and the register lists of each chapter). */
#ifndef EFM_RP2_CHIP_H
#define EFM_RP2_CHIP_H

#include "bare.h"

enum {
    RP2_HZ = 125000000,
    RP2_RESETS = 0x4000C000,
    RP2_CLOCKS = 0x40008000,
    RP2_XOSC = 0x40024000,
    RP2_PLL = 0x40028000,
    RP2_UART = 0x40034000,
    RP2_UART_INTERRUPT = 20,
    RP2_IO = 0x40014000,
    RP2_WATCHDOG_TICK = 0x4005802C,
    RP2_TIMER = 0x40054000,
    RP2_RESET_PLL = 1 << 12,
    RP2_RESET_USED = 1 << 5 | 1 << 8 | 1 << 21 | 1 << 22, /* IO, pads, timer, UART0 */
    RP2_DIVIDERS = 6 << 16 | 2 << 12,                     /* 1500 MHz / 12 */
    RP2_SIO_OUTPUT_SET = 0x024,
    RP2_SIO_TOGGLE = 0x01C
};
#define RP2_SIO 0xD0000000u

/* The crystal's 12 MHz / 12: microseconds. */
static inline void rp2_ticks_start(void)
{
    *efm_register(RP2_WATCHDOG_TICK) = 12 | 1 << 9;
}

/* Pads are ready after a reset. */
static inline void rp2_pad_start(uint32_t pin)
{
    (void)pin;
}

#endif
