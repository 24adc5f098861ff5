/* SPDX-License-Identifier: Apache-2.0 */
/* STM32H743 as on ST's STM32H743I-EVAL: 400 MHz, 32 MiB of SDRAM (IS42S32800G) as external memory, USART1 through the
 * debugger's USB (PB14, PB15, 115200 baud). The program runs from flash bank 1 while bank 2, the store, is written.
 * Registers and steps are those of ST's reference manual RM0433 (4 flash, 6 power, 8 clocks, 22 FMC, 48 USART) and of Arm's
 * Armv7-M manual (MPU, caches); pins and timings of the SDRAM those of ST's support package for the board. */
#include "bare.h"
#include "cortex_m.h"
#include "port.h"
#include "ram.h"
#include "stm32h7.h"

enum { ARENA_BYTES = 384 * 1024, RESULTS_BYTES = 64 * 1024, SDRAM_BYTES = 32 * 1024 * 1024 };
enum { SECTOR_BYTES = 128 * 1024, SECTORS = 8, WORD_BYTES = 32, STORE_AT = 0x08100000 };
enum {
    USART_ON = 1 << 5 | 1 << 3 | 1 << 2 | 1,
    RECEIVED = 1 << 5,
    SEND_FREE = 1 << 7,
    OVERRUN = 1 << 3,
    BAUD = 115200
};
enum { USART1_INTERRUPT = 37, MARK_PIN = 4 };
enum {
    FLASH_BUSY = 7,
    FLASH_ERRORS = 0x6E0000,
    PROGRAM = 1 << 1,
    ERASE = 1 << 2,
    LOCK = 1,
    START = 1 << 7,
    BY_64 = 3 << 4
};
#define SDRAM_AT 0xD0000000u

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];
static efm_ram_port sdram = {.at = (uint8_t *)SDRAM_AT, .bytes = SDRAM_BYTES};

/* -- line ------------------------------------------------------------------------------------------- */

static void start_line(void)
{
    efm_h7_pins('B', 3 << 14, 4);
    *efm_register(USART1_DIVIDER) = (EFM_H7_BUS_HZ + BAUD / 2) / BAUD;
    *efm_register(USART1_CONTROL) = USART_ON;
    efm_wake_by(USART1_INTERRUPT);
}

static int32_t read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    uint32_t count = 0;
    (void)context;
    *efm_register(USART1_CLEAR) = OVERRUN; /* bytes were lost, and will be sent again */
    while (wait && (*efm_register(USART1_STATE) & RECEIVED) == 0) {
        efm_sleep(USART1_INTERRUPT);
    }
    while (count < room && (*efm_register(USART1_STATE) & RECEIVED) != 0) {
        bytes[count++] = (uint8_t)*efm_register(USART1_RECEIVE);
    }
    return (int32_t)count;
}

static void write(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        while ((*efm_register(USART1_STATE) & SEND_FREE) == 0) {
        }
        *efm_register(USART1_SEND) = bytes[i];
    }
}

static void mark(void *context, uint32_t stage)
{
    (void)context;
    (void)stage;
    *efm_register(efm_h7_port('A') + GPIO_OUT) ^= 1u << MARK_PIN;
}

/* -- flash, bank 2 ----------------------------------------------------------------------------------- */

static void unlock(void)
{
    *efm_register(FLASH_KEY_2) = 0x45670123u;
    *efm_register(FLASH_KEY_2) = 0xCDEF89ABu;
}

/* Waits, locks, and lets the cache forget what was there before. */
static int32_t finish(const uint8_t *at, uint32_t bytes)
{
    __asm volatile("dsb" ::: "memory");
    while ((*efm_register(FLASH_STATE_2) & FLASH_BUSY) != 0) {
    }
    uint32_t errors = *efm_register(FLASH_STATE_2) & FLASH_ERRORS;
    *efm_register(FLASH_CLEAR_2) = errors;
    *efm_register(FLASH_CONTROL_2) = LOCK;
    efm_h7_forget(at, bytes);
    return errors == 0 ? 0 : -1;
}

static int32_t erase(void *context, uint32_t offset)
{
    (void)context;
    unlock();
    *efm_register(FLASH_CONTROL_2) = offset / SECTOR_BYTES << 8 | BY_64 | ERASE;
    *efm_register(FLASH_CONTROL_2) = offset / SECTOR_BYTES << 8 | BY_64 | ERASE | START;
    return finish((const uint8_t *)STORE_AT + offset, SECTOR_BYTES);
}

/* Eight words in a row make one of flash. */
static int32_t program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    int32_t failed = 0;
    (void)context;
    for (uint32_t at = 0; failed == 0 && at < bytes; at += WORD_BYTES) {
        volatile uint32_t *to = efm_register(STORE_AT + offset + at);
        unlock();
        *efm_register(FLASH_CONTROL_2) = BY_64 | PROGRAM;
        for (uint32_t i = 0; i < WORD_BYTES / 4; i++) {
            const uint8_t *word = from + at + 4 * i;
            to[i] = (uint32_t)word[3] << 24 | (uint32_t)word[2] << 16 | (uint32_t)word[1] << 8 | word[0];
        }
        failed = finish((const uint8_t *)STORE_AT + offset + at, WORD_BYTES);
    }
    return failed;
}

/* -- the board -------------------------------------------------------------------------------------- */

static efm_board board = {
    .name = "stm32h743-eval",
    .target = "cortex-m4",
    .unit = EFM_TICKS_CYCLES,
    .ticks_per_second = EFM_H7_HZ,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .external_bytes = SDRAM_BYTES,
    .external_alignment = 1,
    .flash = {.at = (const uint8_t *)STORE_AT,
              .bytes = SECTORS * SECTOR_BYTES,
              .erase_bytes = SECTOR_BYTES,
              .program_bytes = WORD_BYTES,
              .erase = erase,
              .program = program},
    .read = read,
    .write = write,
    .ticks = efm_cycles,
    .mark = mark,
    .reset = efm_reset,
};

const efm_board *efm_board_start(void)
{
    efm_h7_clocks_start();
    efm_h7_sdram_start();
    efm_h7_caches_start(SDRAM_AT);
    start_line();
    efm_h7_output('A', MARK_PIN);
    board.external = efm_ram_as_port(&sdram);
    if (!efm_cycles_start()) {
        board.ticks = efm_no_ticks;
    }
    return &board;
}
