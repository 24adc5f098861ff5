/* SPDX-License-Identifier: Apache-2.0 */
/* RP2350: where things lie (RP2350 datasheet, 2.2 and the register lists of each chapter). */
#ifndef EFM_RP2_CHIP_H
#define EFM_RP2_CHIP_H

#include "bare.h"

enum {
    RP2_HZ = 150000000,
    RP2_RESETS = 0x40020000,
    RP2_CLOCKS = 0x40010000,
    RP2_XOSC = 0x40048000,
    RP2_PLL = 0x40050000,
    RP2_UART = 0x40070000,
    RP2_UART_INTERRUPT = 33,
    RP2_IO = 0x40028000,
    RP2_PADS = 0x40038000,
    RP2_RESET_PLL = 1 << 14,
    RP2_RESET_USED = 1 << 6 | 1 << 9 | 1 << 26, /* IO, pads, UART0 */
    RP2_DIVIDERS = 5 << 16 | 2 << 12,           /* 1500 MHz / 10 */
    RP2_SIO_OUTPUT_SET = 0x038,
    RP2_SIO_TOGGLE = 0x028
};
#define RP2_SIO 0xD0000000u

/* Its processor counts cycles. */
static inline void rp2_ticks_start(void)
{
}

/* Pads are cut off after a reset, and do not take input. */
static inline void rp2_pad_start(uint32_t pin)
{
    enum { CUT_OFF = 1 << 8, INPUT = 1 << 6, OUTPUT_OFF = 1 << 7 };
    volatile uint32_t *pad = efm_register(RP2_PADS + 4 + 4 * pin);
    *pad = (*pad & ~(uint32_t)(CUT_OFF | OUTPUT_OFF)) | INPUT;
}

#endif
