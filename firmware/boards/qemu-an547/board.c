/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's MPS3 with AN547 (Cortex-M55) as QEMU has it, in the secure state throughout. The memory map is that of Arm's
 * application note DAI 0547. */
#include "bare.h"
#include "cortex_m.h"
#include "emulated.h"
#include "uart_cmsdk.h"

enum { DDR = 0x60000000, COUNTER_CONTROL = 0x58100000, COUNTER_LOW = 0x58101000, COUNTER_HIGH = 0x58101004 };

static efm_uart_cmsdk uart = {.base = 0x59303000, .interrupt = 33};

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
    .context = &uart,
    .read = efm_uart_cmsdk_read,
    .write = efm_uart_cmsdk_write,
    .ticks = ticks,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_uart_cmsdk_init(&uart);
    *efm_register(COUNTER_CONTROL) = 1;
    return efm_emulated_board(&board, DDR, efm_count_is_exact(&instructions));
}
