/* SPDX-License-Identifier: Apache-2.0 */
/* The UART of Arm's MPS2 and MPS3 boards. */
#ifndef EFM_UART_CMSDK_H
#define EFM_UART_CMSDK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct efm_uart_cmsdk {
    uint32_t base;
    uint32_t interrupt; /* that of a received byte */
} efm_uart_cmsdk;

void efm_uart_cmsdk_init(const efm_uart_cmsdk *uart);

/* efm_board.read and .write; `uart` is the board's context. */
int32_t efm_uart_cmsdk_read(void *uart, uint8_t *bytes, uint32_t room, bool wait);
void efm_uart_cmsdk_write(void *uart, const uint8_t *bytes, uint32_t count);

#endif
