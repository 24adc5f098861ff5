/* SPDX-License-Identifier: Apache-2.0 */
/* What Nordic's nRF51 and nRF52 have alike. Addresses and registers are those of the nRF51 Series Reference Manual 3.0
 * and of the nRF52840 Product Specification 1.1. */
#ifndef EFM_NRF_H
#define EFM_NRF_H

#include "port.h"

/* -- UART0 at 115200 baud: efm_board.read and .write ------------------------------------------------- */

void efm_nrf_line_start(uint32_t send_pin, uint32_t receive_pin);
int32_t efm_nrf_line_read(void *context, uint8_t *bytes, uint32_t room, bool wait);
void efm_nrf_line_write(void *context, const uint8_t *bytes, uint32_t count);

/* -- flash, in pages of `page_bytes`; the processor stands still while it is written ------------------ */

efm_flash efm_nrf_flash(uint32_t at, uint32_t bytes, uint32_t page_bytes);

/* -- a pin of port 0 that toggles: efm_board.mark ----------------------------------------------------- */

void efm_nrf_mark_start(uint32_t pin);
void efm_nrf_mark(void *context, uint32_t stage);

/* -- TIMER0: 32 bits at 16 MHz ------------------------------------------------------------------------ */

void efm_nrf_timer_start(void);
uint32_t efm_nrf_timer(void);

/* The crystal: without it the UART is a few percent off. */
void efm_nrf_clock_start(void);

#endif
