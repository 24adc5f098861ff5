/* SPDX-License-Identifier: Apache-2.0 */
/* nRF52840 as on Nordic's nRF52840-DK: 256 KiB of RAM, 1 MiB of flash; its debugger brings UART0 to USB (P0.06 and P0.08,
 * 115200 baud). Marks on P0.03. */
#include "bare.h"
#include "cortex_m.h"
#include "nrf.h"

enum { ARENA_BYTES = 192 * 1024, RESULTS_BYTES = 32 * 1024, SEND = 6, RECEIVE = 8, MARK = 3 };
enum { STORE_AT = 0x20000, STORE_BYTES = 896 * 1024, PAGE_BYTES = 4096, HZ = 64000000 };
enum { CACHE = 0x4001E540, CACHE_ON = 1 };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];

static efm_board board = {
    .name = "nrf52840-dk",
    .target = "cortex-m4",
    .unit = EFM_TICKS_CYCLES,
    .ticks_per_second = HZ,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .read = efm_nrf_line_read,
    .write = efm_nrf_line_write,
    .ticks = efm_cycles,
    .mark = efm_nrf_mark,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_nrf_clock_start();
    *efm_register(CACHE) = CACHE_ON; /* of instructions, which flash gives too slowly */
    efm_nrf_line_start(SEND, RECEIVE);
    efm_nrf_mark_start(MARK);
    board.flash = efm_nrf_flash(STORE_AT, STORE_BYTES, PAGE_BYTES);
    if (!efm_cycles_start()) {
        board.ticks = efm_no_ticks;
    }
    return &board;
}
