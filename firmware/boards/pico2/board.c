/* SPDX-License-Identifier: Apache-2.0 */
/* Raspberry Pi Pico 2 (RP2350, its Arm cores): 520 KiB of RAM, 4 MiB of flash; UART0 on GPIO 0 (out) and 1 (in), 115200
 * baud. */
#include "bare.h"
#include "cortex_m.h"
#include "rp2.h"
#include "rp2_chip.h"

enum { ARENA_BYTES = 384 * 1024, RESULTS_BYTES = 64 * 1024, STORE_OFFSET = 128 * 1024, STORE_BYTES = 3968 * 1024 };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];

static efm_board board = {
    .name = "pico2",
    .target = "cortex-m4",
    .unit = EFM_TICKS_CYCLES,
    .ticks_per_second = RP2_HZ,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .read = efm_rp2_line_read,
    .write = efm_rp2_line_write,
    .ticks = efm_cycles,
    .mark = efm_rp2_mark,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_rp2_clocks_start();
    efm_rp2_line_start();
    efm_rp2_mark_start();
    board.flash = efm_rp2_flash(STORE_OFFSET, STORE_BYTES);
    if (!efm_cycles_start()) {
        board.ticks = efm_no_ticks;
    }
    return &board;
}
