/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F405: USART1 at 115200 baud on two pins in a row, the first is the output, and a marker pin; board.toml names
 * them. Registers are those of ST's reference manual RM0090, the order of steps its chapters 3.9 (flash), 7.2 (clocks)
 * and 30.3 (USART).
 * The same program runs in QEMU as netduinoplus2, which has neither clock tree nor cycle counter
 * nor flash controller: there TIM2 counts instructions, and RAM that the chip does not have is the model store. */
#include <string.h>

#include "bare.h"
#include "cortex_m.h"
#include "port.h"
#include "ram.h"

enum { ARENA_BYTES = 96 * 1024, RESULTS_BYTES = 12 * 1024 };
enum {
    RCC = 0x40023800,
    GPIOA = 0x40020000,
    GPIO_BYTES = 0x400,
    USART1 = 0x40011000,
    TIM2 = 0x40000000,
    FLASH = 0x40023C00
};
enum { USART1_INTERRUPT = 37, SECTOR_BYTES = 128 * 1024, FIRST_SECTOR = 5, SECTORS = 7 };
#define STORE_AT          0x08020000u
#define EMULATED_STORE_AT 0x20020000u
enum { EMULATED_STORE_BYTES = 64 * 1024 };

/* Registers by word. */
enum { RCC_CR = 0, RCC_PLLCFGR = 1, RCC_CFGR = 2, RCC_AHB1ENR = 12, RCC_APB1ENR = 16, RCC_APB2ENR = 17 };
enum { GPIO_MODER = 0, GPIO_ODR = 5, GPIO_AFRL = 8 };
enum { USART_SR = 0, USART_DR = 1, USART_BRR = 2, USART_CR1 = 3, TIM_CR1 = 0, TIM_CNT = 9 };
enum { FLASH_ACR = 0, FLASH_KEYR = 1, FLASH_SR = 3, FLASH_CR = 4 };
/* Ports count from A. */
enum { LINE_PORT = STM32_LINE_PORT - 'A', LINE_PIN = STM32_LINE_PIN };
enum { MARK_PORT = STM32_MARK_PORT - 'A', MARK_PIN = STM32_MARK_PIN };

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];

/* -- clocks ----------------------------------------------------------------------------------------- */

static volatile uint32_t *gpio(uint32_t port)
{
    return efm_register(GPIOA + port * GPIO_BYTES);
}

/* 16 MHz internal oscillator / 8 * 168 / 2 = 168 MHz; buses at 42 and 84 MHz. Returns USART1's clock. */
static uint32_t start_clocks(void)
{
    volatile uint32_t *rcc = efm_register(RCC);
    rcc[RCC_AHB1ENR] |= 1u << LINE_PORT | 1u << MARK_PORT;
    rcc[RCC_APB1ENR] |= 1u;
    rcc[RCC_APB2ENR] |= 1u << 4;
    rcc[RCC_PLLCFGR] = 8u | 168u << 6 | 7u << 24;
    rcc[RCC_CR] |= 1u << 24;
    if (!efm_becomes(&rcc[RCC_CR], 1u << 25, 1u << 25)) {
        return 16000000;
    }
    efm_register(FLASH)[FLASH_ACR] = 5u | 7u << 8; /* wait states, prefetch, caches */
    rcc[RCC_CFGR] = 5u << 10 | 4u << 13 | 2u;
    (void)efm_becomes(&rcc[RCC_CFGR], 3u << 2, 2u << 2);
    return 84000000;
}

/* -- line ------------------------------------------------------------------------------------------- */

static void start_line(uint32_t clock)
{
    volatile uint32_t *port = gpio(LINE_PORT), *usart = efm_register(USART1);
    volatile uint32_t *functions = &port[GPIO_AFRL + LINE_PIN / 8];
    port[GPIO_MODER] = (port[GPIO_MODER] & ~(15u << 2 * LINE_PIN)) | 10u << 2 * LINE_PIN;
    *functions = (*functions & ~(255u << LINE_PIN % 8 * 4)) | 0x77u << LINE_PIN % 8 * 4;
    usart[USART_BRR] = (clock + 57600) / 115200;
    usart[USART_CR1] = 1u << 13 | 1u << 5 | 1u << 3 | 1u << 2;
    efm_wake_by(USART1_INTERRUPT);
}

static int32_t read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    volatile uint32_t *usart = efm_register(USART1);
    uint32_t count = 0;
    (void)context;
    while (wait && (usart[USART_SR] & 1u << 5) == 0) {
        efm_sleep(USART1_INTERRUPT);
    }
    while (count < room && (usart[USART_SR] & 1u << 5) != 0) {
        bytes[count++] = (uint8_t)usart[USART_DR];
    }
    return (int32_t)count;
}

static void write(void *context, const uint8_t *bytes, uint32_t count)
{
    volatile uint32_t *usart = efm_register(USART1);
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        while ((usart[USART_SR] & 1u << 7) == 0)
            ;
        usart[USART_DR] = bytes[i];
    }
}

/* -- marker pin ------------------------------------------------------------------------------------- */

static void start_pin(void)
{
    volatile uint32_t *port = gpio(MARK_PORT);
    port[GPIO_MODER] = (port[GPIO_MODER] & ~(3u << 2 * MARK_PIN)) | 1u << 2 * MARK_PIN;
}

static void mark(void *context, uint32_t stage)
{
    (void)context;
    (void)stage;
    gpio(MARK_PORT)[GPIO_ODR] ^= 1u << MARK_PIN;
}

/* -- timers ----------------------------------------------------------------------------------------- */

/* QEMU runs with -icount shift=0: an instruction is 1 ns, which is a tick of its TIM2. */
static uint64_t clock(void)
{
    return efm_extend(efm_register(TIM2)[TIM_CNT]);
}

static efm_counter counter = {.clock = clock, .per = 1, .shift = 0};

static uint64_t instructions(void *context)
{
    (void)context;
    return efm_count(&counter);
}

/* -- flash ------------------------------------------------------------------------------------------ */

static int32_t finish(volatile uint32_t *flash)
{
    while ((flash[FLASH_SR] & 1u << 16) != 0)
        ;
    uint32_t errors = flash[FLASH_SR] & 0xF2u;
    flash[FLASH_SR] = errors;
    flash[FLASH_CR] = 1u << 31; /* locked */
    flash[FLASH_ACR] &= ~(1u << 10); /* the data cache may hold what was there before */
    flash[FLASH_ACR] |= 1u << 12;
    flash[FLASH_ACR] = 5u | 7u << 8;
    return errors == 0 ? 0 : -1;
}

static volatile uint32_t *unlock(void)
{
    volatile uint32_t *flash = efm_register(FLASH);
    flash[FLASH_KEYR] = 0x45670123u;
    flash[FLASH_KEYR] = 0xCDEF89ABu;
    return flash;
}

static int32_t erase(void *context, uint32_t offset)
{
    volatile uint32_t *flash = unlock();
    (void)context;
    flash[FLASH_CR] = 2u << 8 | (FIRST_SECTOR + offset / SECTOR_BYTES) << 3 | 2u;
    flash[FLASH_CR] |= 1u << 16;
    return finish(flash);
}

static int32_t program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    volatile uint32_t *flash = unlock(), *to = efm_register(STORE_AT + offset);
    (void)context;
    flash[FLASH_CR] = 2u << 8 | 1u;
    for (uint32_t i = 0; i < bytes / 4; i++) {
        uint32_t word;
        memcpy(&word, from + 4 * i, 4);
        to[i] = word;
        while ((flash[FLASH_SR] & 1u << 16) != 0)
            ;
    }
    int32_t failed = finish(flash);
    return failed != 0 ? failed : memcmp((const uint8_t *)STORE_AT + offset, from, bytes);
}

/* -- the board -------------------------------------------------------------------------------------- */

static efm_board board = {
    .name = EFM_BOARD_NAME,
    .target = "cortex-m4",
    .unit = EFM_TICKS_CYCLES,
    .ticks_per_second = 168000000,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .flash = {.at = (const uint8_t *)STORE_AT,
              .bytes = SECTORS * SECTOR_BYTES,
              .erase_bytes = SECTOR_BYTES,
              .program_bytes = 4,
              .erase = erase,
              .program = program},
    .read = read,
    .write = write,
    .ticks = efm_cycles,
    .mark = mark,
    .reset = efm_reset,
};

static void find_emulator(void)
{
    board.unit = EFM_TICKS_INSTRUCTIONS;
    board.ticks_per_second = 0;
    board.flash = efm_ram_as_flash((uint8_t *)EMULATED_STORE_AT, EMULATED_STORE_BYTES);
    efm_register(TIM2)[TIM_CR1] = 1;
    board.ticks = efm_count_is_exact(&counter) ? instructions : efm_no_ticks;
}

const efm_board *efm_board_start(void)
{
    uint32_t clock_hz = start_clocks();
    start_line(clock_hz);
    start_pin();
    if (clock_hz < 84000000) {
        board.ticks_per_second = clock_hz;
    }
    if (!efm_cycles_start()) {
        find_emulator();
    }
    return &board;
}
