/* SPDX-License-Identifier: Apache-2.0 */
#include "rp2.h"

#include "bare.h"
#include "cortex_m.h"
#include "rp2_chip.h"

enum { SET = 0x2000, CLEAR = 0x3000 }; /* added to an address: only these bits change */
enum { RESET_DONE = 8 };
enum { XOSC_STATUS = 4, XOSC_STARTUP = 0x0C, XOSC_ON = 0xFABAA0, XOSC_STABLE = 1u << 31, XOSC_DELAY = 47 };
enum { PLL_POWER = 4, PLL_FEEDBACK = 8, PLL_DIVIDERS = 0x0C, PLL_ON = 1 | 1 << 5, PLL_OUT = 1 << 3, VCO = 125 };
enum { REF_CONTROL = 0x30, REF_SELECTED = 0x38, SYS_CONTROL = 0x3C, SYS_SELECTED = 0x44, PERI_CONTROL = 0x48 };
enum { REF_IS_XOSC = 2, SYS_IS_PLL = 1, PERI_ON = 1 << 11 };
/* Arm's PL011. */
enum {
    DATA = 0,
    STATE = 0x18,
    DIVIDER = 0x24,
    FRACTION = 0x28,
    FORMAT = 0x2C,
    CONTROL = 0x30,
    MASK = 0x38,
    CLEARED = 0x44
};
enum { RECEIVE_EMPTY = 1 << 4, SEND_FULL = 1 << 5, BITS_8_AND_FIFO = 7 << 4, UART_ON = 1 | 1 << 8 | 1 << 9 };
enum { RECEIVED = 1 << 4 | 1 << 6, BAUD = 115200, LED = 25, SEND = 0, RECEIVE = 1, IS_UART = 2, IS_SIO = 5 };

static volatile uint32_t *at(uint32_t base, uint32_t offset)
{
    return efm_register(base + offset);
}

static void release(uint32_t bits)
{
    *at(RP2_RESETS, CLEAR) = bits;
    (void)efm_becomes(at(RP2_RESETS, RESET_DONE), bits, bits);
}

void efm_rp2_clocks_start(void)
{
    *at(RP2_XOSC, XOSC_STARTUP) = XOSC_DELAY;
    *at(RP2_XOSC, 0) = XOSC_ON;
    (void)efm_becomes(at(RP2_XOSC, XOSC_STATUS), XOSC_STABLE, XOSC_STABLE);
    *at(RP2_CLOCKS, REF_CONTROL) = REF_IS_XOSC;
    (void)efm_becomes(at(RP2_CLOCKS, REF_SELECTED), 1 << REF_IS_XOSC, 1 << REF_IS_XOSC);
    release(RP2_RESET_PLL);
    *at(RP2_PLL, 0) = 1; /* 12 MHz * 125 = 1500 MHz */
    *at(RP2_PLL, PLL_FEEDBACK) = VCO;
    *at(RP2_PLL, CLEAR + PLL_POWER) = PLL_ON;
    (void)efm_becomes(at(RP2_PLL, 0), 1u << 31, 1u << 31);
    *at(RP2_PLL, PLL_DIVIDERS) = RP2_DIVIDERS;
    *at(RP2_PLL, CLEAR + PLL_POWER) = PLL_OUT;
    *at(RP2_CLOCKS, SYS_CONTROL) = SYS_IS_PLL;
    (void)efm_becomes(at(RP2_CLOCKS, SYS_SELECTED), 1 << SYS_IS_PLL, 1 << SYS_IS_PLL);
    *at(RP2_CLOCKS, PERI_CONTROL) = PERI_ON;
    release(RP2_RESET_USED);
    rp2_ticks_start();
}

static void assign(uint32_t pin, uint32_t function)
{
    rp2_pad_start(pin);
    *at(RP2_IO, 8 * pin + 4) = function;
}

/* -- line ------------------------------------------------------------------------------------------- */

void efm_rp2_line_start(void)
{
    uint32_t sixty_fourths = RP2_HZ / (16 * BAUD / 64);
    *at(RP2_UART, DIVIDER) = sixty_fourths / 64;
    *at(RP2_UART, FRACTION) = sixty_fourths % 64;
    *at(RP2_UART, FORMAT) = BITS_8_AND_FIFO;
    *at(RP2_UART, CONTROL) = UART_ON;
    *at(RP2_UART, MASK) = RECEIVED;
    assign(SEND, IS_UART);
    assign(RECEIVE, IS_UART);
    efm_wake_by(RP2_UART_INTERRUPT);
}

int32_t efm_rp2_line_read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    uint32_t count = 0;
    (void)context;
    while (wait && (*at(RP2_UART, STATE) & RECEIVE_EMPTY) != 0) {
        efm_sleep(RP2_UART_INTERRUPT);
    }
    *at(RP2_UART, CLEARED) = RECEIVED;
    while (count < room && (*at(RP2_UART, STATE) & RECEIVE_EMPTY) == 0) {
        bytes[count++] = (uint8_t)*at(RP2_UART, DATA);
    }
    return (int32_t)count;
}

void efm_rp2_line_write(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        while ((*at(RP2_UART, STATE) & SEND_FULL) != 0) {
        }
        *at(RP2_UART, DATA) = bytes[i];
    }
}

/* -- marker ----------------------------------------------------------------------------------------- */

void efm_rp2_mark_start(void)
{
    *at(RP2_SIO, RP2_SIO_OUTPUT_SET) = 1u << LED;
    assign(LED, IS_SIO);
}

void efm_rp2_mark(void *context, uint32_t stage)
{
    (void)context;
    (void)stage;
    *at(RP2_SIO, RP2_SIO_TOGGLE) = 1u << LED;
}
