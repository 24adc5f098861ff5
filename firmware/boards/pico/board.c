/* SPDX-License-Identifier: Apache-2.0 */
/* Raspberry Pi Pico (RP2040): 264 KiB of RAM, 2 MiB of flash; UART0 on GPIO 0 (out) and 1 (in), 115200 baud. */
#include "bare.h"
#include "cortex_m.h"
#include "rp2.h"
#include "rp2_chip.h"

enum { ARENA_BYTES = 192 * 1024, RESULTS_BYTES = 32 * 1024, STORE_OFFSET = 128 * 1024, STORE_BYTES = 1920 * 1024 };
enum { TIMER_HIGH = 0x24, TIMER_LOW = 0x28 };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];

static uint64_t microseconds(void *context)
{
    uint32_t high, low;
    (void)context;
    do {
        high = *efm_register(RP2_TIMER + TIMER_HIGH);
        low = *efm_register(RP2_TIMER + TIMER_LOW);
    } while (high != *efm_register(RP2_TIMER + TIMER_HIGH));
    return (uint64_t)high << 32 | low;
}

static efm_board board = {
    .name = "pico",
    .unit = EFM_TICKS_MICROSECONDS,
    .ticks_per_second = 1000000,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .read = efm_rp2_line_read,
    .write = efm_rp2_line_write,
    .ticks = microseconds,
    .mark = efm_rp2_mark,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_rp2_clocks_start();
    efm_rp2_line_start();
    efm_rp2_mark_start();
    board.flash = efm_rp2_flash(STORE_OFFSET, STORE_BYTES);
    return &board;
}
