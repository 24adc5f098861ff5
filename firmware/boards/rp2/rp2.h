/* SPDX-License-Identifier: Apache-2.0 */
/* What RP2040 and RP2350 (with its Arm cores) have alike: clocks, UART0 on GPIO 0 and 1, flash behind QSPI, marks on the
 * LED (GPIO 25). Registers are those of Raspberry Pi's RP2040 and RP2350 datasheets; rp2040.h and rp2350.h in the
 * boards' folders say where they lie. */
#ifndef EFM_RP2_H
#define EFM_RP2_H

#include "port.h"

/* Code that runs from RAM while the flash cannot be read. It must call nothing that is in flash. */
#define EFM_IN_RAM __attribute__((section(".ramcode"), noinline))

/* Crystal, PLL, peripherals, microsecond timer. */
void efm_rp2_clocks_start(void);

/* -- UART0 at 115200 baud: efm_board.read and .write ------------------------------------------------- */

void efm_rp2_line_start(void);
int32_t efm_rp2_line_read(void *context, uint8_t *bytes, uint32_t room, bool wait);
void efm_rp2_line_write(void *context, const uint8_t *bytes, uint32_t count);

/* -- the LED: efm_board.mark --------------------------------------------------------------------------- */

void efm_rp2_mark_start(void);
void efm_rp2_mark(void *context, uint32_t stage);

/* -- flash ----------------------------------------------------------------------------------------------- */

/* The part of it that begins `offset` bytes from its front. */
efm_flash efm_rp2_flash(uint32_t offset, uint32_t bytes);

/* The chip's own, all in RAM: flash takes commands instead of being memory, until the second is called. */
void efm_rp2_commands_begin(void);
void efm_rp2_commands_end(void);
void efm_rp2_select(bool on);
uint8_t efm_rp2_exchange(uint8_t byte);

#endif
