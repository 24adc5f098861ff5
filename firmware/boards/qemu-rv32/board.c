/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's virt with a RISC-V of 32 bits, the kind of an ESP32-C3. Of the upper half of its RAM one half is the external
 * port's, the other the model store's. */
#include "port.h"
#include "ram.h"
#include "riscv.h"

enum { ARENA_BYTES = 2048 * 1024, RESULTS_BYTES = 1536 * 1024, HALF = 8 * 1024 * 1024 };
enum { MEMORY = 0x81000000, FINISHER = 0x00100000, RESTART = 0x7777 };
/* A 16550 UART, registers by byte, and the interrupt controller, by word. */
enum { UART = 0x10000000, DATA = 0, INTERRUPTS = 1, FIFO = 2, STATE = 5, FIFO_ON = 1, RECEIVED = 1, SEND_FREE = 0x20 };
enum { PLIC = 0x0c000000, PLIC_ENABLED = PLIC + 0x2000, PLIC_CLAIM = PLIC + 0x200004, UART_LINE = 10 };
enum { MIE_EXTERNAL = 1 << 11 };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];
static volatile uint8_t *const uart = (volatile uint8_t *)UART;
static efm_ram_port external = {.at = (uint8_t *)MEMORY, .bytes = HALF};

static void uart_init(void)
{
    uart[FIFO] = FIFO_ON;
    uart[INTERRUPTS] = RECEIVED;
    *efm_register(PLIC + 4 * UART_LINE) = 1; /* its priority */
    *efm_register(PLIC_ENABLED) = 1u << UART_LINE;
    __asm volatile("csrs mie, %0" : : "r"(MIE_EXTERNAL));
}

/* Until the UART's interrupt is pending; taking it from the controller lets the next one come. */
static void sleep(void)
{
    __asm volatile("wfi" ::: "memory");
    *efm_register(PLIC_CLAIM) = *efm_register(PLIC_CLAIM);
}

static int32_t read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    uint32_t count = 0;
    (void)context;
    while (wait && (uart[STATE] & RECEIVED) == 0) {
        sleep();
    }
    while (count < room && (uart[STATE] & RECEIVED) != 0) {
        bytes[count++] = uart[DATA];
    }
    return (int32_t)count;
}

static void write(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        while ((uart[STATE] & SEND_FREE) == 0) {
        }
        uart[DATA] = bytes[i];
    }
}

static uint64_t ticks(void *context)
{
    (void)context;
    return efm_instructions();
}

/* A timer that stands still, which the firmware reports. */
static uint64_t no_ticks(void *context)
{
    (void)context;
    return 0;
}

static void reset(void *context)
{
    (void)context;
    *efm_register(FINISHER) = RESTART;
}

static efm_board board = {
    .name = "qemu-rv32",
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
    .reset = reset,
};

const efm_board *efm_board_start(void)
{
    uart_init();
    board.external = efm_ram_as_port(&external);
    board.flash = efm_ram_as_flash((uint8_t *)MEMORY + HALF, HALF);
    if (!efm_instructions_are_exact()) {
        board.ticks = no_ticks;
    }
    return &board;
}
