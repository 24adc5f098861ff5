/* SPDX-License-Identifier: Apache-2.0 */
#include "nrf.h"

#include <string.h>

#include "bare.h"
#include "cortex_m.h"

enum { CLOCK = 0x40000000, UART = 0x40002000, TIMER0 = 0x40008000, NVMC = 0x4001E000, GPIO = 0x50000000 };
/* Registers by byte. Tasks start when 1 is written, events read 1 when they have happened. */
enum { CLOCK_START = 0x000, CLOCK_STARTED = 0x100 };
enum { RECEIVE_START = 0x000, SEND_START = 0x008, RECEIVED = 0x108, SENT = 0x11C, FAILED = 0x124, INTERRUPTS = 0x304 };
enum { ENABLE = 0x500, ERRORS = 0x480, SEND_PIN = 0x50C, RECEIVE_PIN = 0x514, RECEIVE = 0x518, SEND = 0x51C };
enum { BAUD = 0x524, BAUD_115200 = 0x01D7E000, UART_ON = 4, UART_INTERRUPT = 2, RECEIVED_BIT = 1 << 2 };
enum {
    TIMER_START = 0x000,
    TIMER_CAPTURE = 0x040,
    TIMER_BITS = 0x508,
    TIMER_PRESCALER = 0x510,
    TIMER_CC = 0x540,
    BITS_32 = 3
};
enum { NVMC_READY = 0x400, NVMC_CONFIG = 0x504, NVMC_ERASE = 0x508, MAY_READ = 0, MAY_WRITE = 1, MAY_ERASE = 2 };
enum { PIN_OUT = 0x504, PIN_SET = 0x508, PIN_IS_OUTPUT = 0x518, PIN_CONFIG = 0x700, INPUT = 0 };

static uint32_t mark_pin;

static volatile uint32_t *at(uint32_t base, uint32_t offset)
{
    return efm_register(base + offset);
}

/* -- clock ------------------------------------------------------------------------------------------ */

void efm_nrf_clock_start(void)
{
    *at(CLOCK, CLOCK_START) = 1;
    (void)efm_becomes(at(CLOCK, CLOCK_STARTED), 1, 1);
}

void efm_nrf_timer_start(void)
{
    *at(TIMER0, TIMER_BITS) = BITS_32;
    *at(TIMER0, TIMER_PRESCALER) = 0;
    *at(TIMER0, TIMER_START) = 1;
}

uint32_t efm_nrf_timer(void)
{
    *at(TIMER0, TIMER_CAPTURE) = 1;
    return *at(TIMER0, TIMER_CC);
}

/* -- line ------------------------------------------------------------------------------------------- */

void efm_nrf_line_start(uint32_t send_pin, uint32_t receive_pin)
{
    *at(GPIO, PIN_SET) = 1u << send_pin;
    *at(GPIO, PIN_IS_OUTPUT) = 1u << send_pin;
    *at(GPIO, PIN_CONFIG + 4 * receive_pin) = INPUT;
    *at(UART, SEND_PIN) = send_pin;
    *at(UART, RECEIVE_PIN) = receive_pin;
    *at(UART, BAUD) = BAUD_115200;
    *at(UART, ENABLE) = UART_ON;
    *at(UART, INTERRUPTS) = RECEIVED_BIT;
    *at(UART, RECEIVE_START) = 1;
    *at(UART, SEND_START) = 1;
    *at(UART, SENT) = 0;
    efm_wake_by(UART_INTERRUPT);
}

/* The UART holds six bytes; each raises the event again once it was taken down. */
int32_t efm_nrf_line_read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    uint32_t count = 0;
    (void)context;
    while (wait && *at(UART, RECEIVED) == 0) {
        efm_sleep(UART_INTERRUPT);
    }
    while (count < room && *at(UART, RECEIVED) != 0) {
        *at(UART, RECEIVED) = 0;
        bytes[count++] = (uint8_t)*at(UART, RECEIVE);
    }
    if (*at(UART, FAILED) != 0) { /* bytes were lost, and will be sent again */
        *at(UART, FAILED) = 0;
        *at(UART, ERRORS) = *at(UART, ERRORS);
    }
    return (int32_t)count;
}

void efm_nrf_line_write(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        *at(UART, SEND) = bytes[i];
        while (*at(UART, SENT) == 0) {
        }
        *at(UART, SENT) = 0;
    }
}

/* -- marker pin ------------------------------------------------------------------------------------- */

void efm_nrf_mark_start(uint32_t pin)
{
    mark_pin = pin;
    *at(GPIO, PIN_IS_OUTPUT) = 1u << pin;
}

void efm_nrf_mark(void *context, uint32_t stage)
{
    (void)context;
    (void)stage;
    *at(GPIO, PIN_OUT) ^= 1u << mark_pin;
}

/* -- flash ------------------------------------------------------------------------------------------ */

static int32_t may(uint32_t what)
{
    *at(NVMC, NVMC_CONFIG) = what;
    return efm_becomes(at(NVMC, NVMC_READY), 1, 1) ? 0 : -1;
}

static int32_t erase(void *context, uint32_t offset)
{
    int32_t failed = may(MAY_ERASE);
    *at(NVMC, NVMC_ERASE) = (uint32_t)(uintptr_t)context + offset;
    failed |= efm_becomes(at(NVMC, NVMC_READY), 1, 1) ? 0 : -1;
    return failed | may(MAY_READ);
}

static int32_t program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    volatile uint32_t *to = (volatile uint32_t *)(void *)((uint8_t *)context + offset);
    int32_t failed = may(MAY_WRITE);
    for (uint32_t i = 0; failed == 0 && i < bytes / 4; i++) {
        uint32_t word;
        memcpy(&word, from + 4 * i, sizeof word);
        to[i] = word;
        failed = efm_becomes(at(NVMC, NVMC_READY), 1, 1) ? 0 : -1;
    }
    return failed | may(MAY_READ);
}

efm_flash efm_nrf_flash(uint32_t begin, uint32_t bytes, uint32_t page_bytes)
{
    return (efm_flash){.at = (const uint8_t *)(uintptr_t)begin,
                       .bytes = bytes,
                       .erase_bytes = page_bytes,
                       .program_bytes = 4,
                       .erase = erase,
                       .program = program,
                       .context = (void *)(uintptr_t)begin};
}
