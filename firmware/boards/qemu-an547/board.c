/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's MPS3 with AN547 (Cortex-M55) as QEMU has it, in the secure state throughout. DDR holds the external
 * port's memory and, behind it, the model store. */
#include "cortex_m.h"
#include "port.h"
#include "ram.h"
#include "uart_cmsdk.h"

enum { ARENA_BYTES = 2048 * 1024, RESULTS_BYTES = 1536 * 1024, HALF = 8 * 1024 * 1024 };
enum { DDR = 0x60000000, COUNTER_CONTROL = 0x58100000, COUNTER_LOW = 0x58101000, COUNTER_HIGH = 0x58101004 };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];
static const efm_uart_cmsdk uart = {.base = 0x59303000, .interrupt = 33};
static efm_ram_port ddr = {.at = (uint8_t *)DDR, .bytes = HALF};

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

/* The system counter: 64 bits at 32 MHz of virtual time. */
static uint64_t clock(void)
{
    uint32_t high, low;
    do {
        high = *efm_register(COUNTER_HIGH);
        low = *efm_register(COUNTER_LOW);
    } while (high != *efm_register(COUNTER_HIGH));
    return (uint64_t)high << 32 | low;
}

/* QEMU runs with -icount shift=7: an instruction is 128 ns, a tick 31.25. */
static efm_counter instructions = {.clock = clock, .per = 125, .shift = 9};

static uint64_t ticks(void *context)
{
    (void)context;
    return efm_count(&instructions);
}

static efm_board board = {
    .name = "qemu-an547",
    .target = "cortex-m55",
    .unit = EFM_TICKS_INSTRUCTIONS,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .external_bytes = HALF,
    .external_alignment = 1,
    .read = read,
    .write = write,
    .ticks = ticks,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_uart_cmsdk_init(&uart);
    *efm_register(COUNTER_CONTROL) = 1;
    board.external = efm_ram_as_port(&ddr);
    board.flash = efm_ram_as_flash((uint8_t *)DDR + HALF, HALF);
    if (!efm_count_is_exact(&instructions)) {
        board.ticks = efm_no_ticks;
    }
    return &board;
}
