/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's virt with a RISC-V of 32 bits, the kind of an ESP32-C3. Of the upper half of its RAM one half is the external
 * port's, the other the model store's. */
#include "bare.h"
#include "emulated.h"
#include "riscv.h"

enum { MEMORY = 0x81000000, FINISHER = 0x00100000, RESTART = 0x7777 };
/* A 16550 UART, registers by byte, and the interrupt controller, by word. */
enum { UART = 0x10000000, DATA = 0, INTERRUPTS = 1, FIFO = 2, STATE = 5, FIFO_ON = 1, RECEIVED = 1, SEND_FREE = 0x20 };
enum { PLIC = 0x0c000000, PLIC_ENABLED = PLIC + 0x2000, PLIC_CLAIM = PLIC + 0x200004, UART_LINE = 10 };
enum { MIE_EXTERNAL = 1 << 11 };

static volatile uint8_t *const uart = (volatile uint8_t *)UART;

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

static void reset(void *context)
{
    (void)context;
    *efm_register(FINISHER) = RESTART;
}

static efm_board board = {.name = "qemu-rv32", .read = read, .write = write, .ticks = ticks, .reset = reset};

const efm_board *efm_board_start(void)
{
    uart_init();
    return efm_emulated_board(&board, MEMORY, efm_instructions_are_exact());
}
