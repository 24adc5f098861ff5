/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's MPS2 board as QEMU has it. AN386 (Cortex-M4), AN500 (Cortex-M7), AN385 (Cortex-M3) and AN505 (Cortex-M33, in
 * the secure state throughout) differ in their processor and in where things lie; board.toml gives that as MPS2_…, and
 * as MPS2_TARGET for which target packages are best compiled. The memory map is that of Arm's application notes of these
 * numbers (DAI 0386, 0400, 0385, 0505). */
#include "bare.h"
#include "cortex_m.h"
#include "emulated.h"
#include "uart_cmsdk.h"

enum { HUNDREDTHS = 5, COUNTER = 6, PRESCALER = 7 }; /* registers of FPGAIO by word */

static efm_uart_cmsdk uart = {.base = MPS2_UART, .interrupt = MPS2_UART_INTERRUPT};

/* The 32-bit counter, and how often it came round by the slow one beside it. */
static uint64_t clock(void)
{
    const volatile uint32_t *at = efm_register(MPS2_FPGAIO);
    uint64_t slow = (uint64_t)at[HUNDREDTHS] * (MPS2_HZ / 100);
    uint32_t fast = at[COUNTER];
    uint64_t rounds = (slow - fast + ((uint64_t)1 << 31)) >> 32;
    return (rounds << 32) + fast;
}

/* QEMU runs with -icount shift=7: an instruction is 128 ns, at 25 MHz 3.2 ticks, at 20 MHz 2.56. */
static efm_counter instructions = {
    .clock = clock, .per = MPS2_HZ == 25000000 ? 5 : 25, .shift = MPS2_HZ == 25000000 ? 4 : 6};

static uint64_t ticks(void *context)
{
    (void)context;
    return efm_count(&instructions);
}

static efm_board board = {
    .name = EFM_BOARD_NAME,
    .target = MPS2_TARGET,
    .context = &uart,
    .read = efm_uart_cmsdk_read,
    .write = efm_uart_cmsdk_write,
    .ticks = ticks,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_uart_cmsdk_init(&uart);
    efm_register(MPS2_FPGAIO)[PRESCALER] = 0;
    return efm_emulated_board(&board, MPS2_PSRAM, efm_count_is_exact(&instructions));
}
