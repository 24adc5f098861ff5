/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's MPS2 board as QEMU has it. AN386 (Cortex-M4), AN500 (Cortex-M7) and AN385 differ in their
 * processor and in where PSRAM lies; board.toml gives that as MPS2_PSRAM, and as MPS2_TARGET for which target packages
 * are best compiled. The lower half of PSRAM is the external port's,
 * the upper half the model store's. */
#include "cortex_m.h"
#include "port.h"
#include "ram.h"
#include "uart_cmsdk.h"

enum { ARENA_BYTES = 2048 * 1024, RESULTS_BYTES = 1536 * 1024, HALF_PSRAM = 8 * 1024 * 1024 };
enum { FPGAIO = 0x40028000, HUNDREDTHS = 5, COUNTER = 6, PRESCALER = 7 }; /* registers by word */
enum { TICKS_PER_HUNDREDTH = 250000 }; /* the counter runs at 25 MHz of virtual time */

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];
static const efm_uart_cmsdk uart = {.base = 0x40004000, .interrupt = 0};
static efm_ram_port psram = {.at = (uint8_t *)MPS2_PSRAM, .bytes = HALF_PSRAM};

static int32_t read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    (void)context;
    return efm_uart_cmsdk_read(&uart, bytes, room, wait);
}

static void write(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    efm_uart_cmsdk_write(&uart, bytes, count);
}

/* The 32-bit counter, and how often it came round by the slow one beside it. */
static uint64_t clock(void)
{
    volatile uint32_t *at = efm_register(FPGAIO);
    uint64_t slow = (uint64_t)at[HUNDREDTHS] * TICKS_PER_HUNDREDTH;
    uint32_t fast = at[COUNTER];
    uint64_t rounds = (slow - fast + ((uint64_t)1 << 31)) >> 32;
    return (rounds << 32) + fast;
}

/* QEMU runs with -icount shift=7: an instruction is 128 ns, a tick 40. */
static efm_counter instructions = {.clock = clock, .per = 5, .shift = 4};

static uint64_t ticks(void *context)
{
    (void)context;
    return efm_count(&instructions);
}

static efm_board board = {
    .name = EFM_BOARD_NAME,
    .target = MPS2_TARGET,
    .unit = EFM_TICKS_INSTRUCTIONS,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .external_bytes = HALF_PSRAM,
    .external_alignment = 1,
    .read = read,
    .write = write,
    .ticks = ticks,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_uart_cmsdk_init(&uart);
    efm_register(FPGAIO)[PRESCALER] = 0;
    board.external = efm_ram_as_port(&psram);
    board.flash = efm_ram_as_flash((uint8_t *)MPS2_PSRAM + HALF_PSRAM, HALF_PSRAM);
    if (!efm_count_is_exact(&instructions)) {
        board.ticks = efm_no_ticks;
    }
    return &board;
}
