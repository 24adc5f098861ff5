/* SPDX-License-Identifier: Apache-2.0 */
/* BBC micro:bit (its first version): nRF51822 with 16 KiB of RAM and 256 KiB of flash; its interface chip brings UART0 to
 * USB (pins 24 and 25, 115200 baud). Marks on pad 0 (P0.03).
 * The same program runs in QEMU as microbit, with all that it uses of the chip, where TIMER0 counts instructions: they
 * are counted exactly there, and never on hardware, which takes 4 cycles for a loop of 2 instructions. */
#include "bare.h"
#include "cortex_m.h"
#include "nrf.h"

enum { ARENA_BYTES = 8 * 1024, RESULTS_BYTES = 1024, SEND = 24, RECEIVE = 25, PAD_0 = 3 };
enum { STORE_AT = 0x18000, STORE_BYTES = 160 * 1024, PAGE_BYTES = 1024, HZ = 16000000 };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];

static uint64_t clock(void)
{
    return efm_extend(efm_nrf_timer());
}

/* QEMU runs with -icount shift=8: an instruction is 256 ns, a tick 62.5. */
static efm_counter counter = {.clock = clock, .per = 125, .shift = 9};

static uint64_t instructions(void *context)
{
    (void)context;
    return efm_count(&counter);
}

/* The timer runs as fast as the processor. */
static uint64_t cycles(void *context)
{
    (void)context;
    return clock();
}

static efm_board board = {
    .name = EFM_BOARD_NAME,
    .unit = EFM_TICKS_CYCLES,
    .ticks_per_second = HZ,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .read = efm_nrf_line_read,
    .write = efm_nrf_line_write,
    .ticks = cycles,
    .mark = efm_nrf_mark,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_nrf_clock_start();
    efm_nrf_timer_start();
    efm_nrf_line_start(SEND, RECEIVE);
    efm_nrf_mark_start(PAD_0);
    board.flash = efm_nrf_flash(STORE_AT, STORE_BYTES, PAGE_BYTES);
    if (efm_count_is_exact(&counter)) {
        board.unit = EFM_TICKS_INSTRUCTIONS;
        board.ticks_per_second = 0;
        board.ticks = instructions;
    }
    return &board;
}
