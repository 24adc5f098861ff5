/* SPDX-License-Identifier: Apache-2.0 */
#include "uart_cmsdk.h"

#include "bare.h"
#include "cortex_m.h"

/* Word offsets and bits of Arm's CMSDK APB UART. */
enum { DATA = 0, STATE = 1, CTRL = 2, INTERRUPTS = 3, DIVIDER = 4 };
enum { SEND_FULL = 1, RECEIVE_FULL = 2, RECEIVED = 2 };
enum { SEND_ON = 1, RECEIVE_ON = 2, RECEIVE_INTERRUPTS = 8, SMALLEST_DIVIDER = 16 };

void efm_uart_cmsdk_init(const efm_uart_cmsdk *uart)
{
    volatile uint32_t *at = efm_register(uart->base);
    at[DIVIDER] = SMALLEST_DIVIDER;
    at[CTRL] = SEND_ON | RECEIVE_ON | RECEIVE_INTERRUPTS;
    efm_wake_by(uart->interrupt);
}

int32_t efm_uart_cmsdk_read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    const efm_uart_cmsdk *uart = context;
    volatile uint32_t *at = efm_register(uart->base);
    uint32_t count = 0;
    while (wait && (at[STATE] & RECEIVE_FULL) == 0) {
        efm_sleep(uart->interrupt);
    }
    while (count < room && (at[STATE] & RECEIVE_FULL) != 0) {
        at[INTERRUPTS] = RECEIVED; /* before the byte is taken, else the next one's is lost */
        bytes[count++] = (uint8_t)at[DATA];
    }
    return (int32_t)count;
}

void efm_uart_cmsdk_write(void *context, const uint8_t *bytes, uint32_t count)
{
    const efm_uart_cmsdk *uart = context;
    volatile uint32_t *at = efm_register(uart->base);
    for (uint32_t i = 0; i < count; i++) {
        while ((at[STATE] & SEND_FULL) != 0)
            ;
        at[DATA] = bytes[i];
    }
}
