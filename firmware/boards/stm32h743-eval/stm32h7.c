/* SPDX-License-Identifier: Apache-2.0 */
#include "stm32h7.h"

#include "bare.h"

enum { RCC_CONTROL = 0x58024400, RCC_CONFIG = 0x58024410, RCC_DOMAIN_1 = 0x58024418, RCC_DOMAIN_2 = 0x5802441C };
enum { RCC_DOMAIN_3 = 0x58024420, RCC_PLL_SOURCE = 0x58024428, RCC_PLL_CONFIG = 0x5802442C, RCC_PLL_1 = 0x58024430 };
enum { RCC_AHB3 = 0x580244D4, RCC_APB2 = 0x580244F0, PWR_CONTROL_3 = 0x5802480C, PWR_STATE = 0x58024804 };
enum { PWR_DOMAIN_3 = 0x58024818, PLL_ON = 1 << 24, PLL_READY = 1 << 25, IS_PLL = 3, READY = 1 << 13 };
enum { FMC_BANK = 0x52004000, FMC_CONTROL_1 = 0x52004140, FMC_CONTROL_2 = 0x52004144, FMC_TIMING_1 = 0x52004148 };
enum { FMC_TIMING_2 = 0x5200414C, FMC_COMMAND = 0x52004150, FMC_REFRESH = 0x52004154, FMC_STATE = 0x52004158 };
enum { FMC_BUSY = 1 << 5, BANK_2 = 1 << 3, CLOCK_ON = 1, PRECHARGE = 2, REFRESH = 3, MODE = 4, SDRAM_MODE = 0x230 };
enum { LINE_BYTES = 32, SETS = 128, WAYS = 4, SDRAM_CLOCKS = 1539 };
#define MPU_CONTROL 0xE000ED94u
#define MPU_NUMBER  0xE000ED98u
#define MPU_BASE    0xE000ED9Cu
#define MPU_SIZE    0xE000EDA0u
#define CCR         0xE000ED14u
#define ICIALLU     0xE000EF50u
#define DCIMVAC     0xE000EF5Cu
#define DCISW       0xE000EF60u

void efm_h7_clocks_start(void)
{
    *efm_register(PWR_CONTROL_3) = 2;         /* LDO */
    (void)efm_becomes(efm_register(PWR_STATE), READY, READY);
    *efm_register(PWR_DOMAIN_3) |= 3u << 14;  /* VOS1 */
    (void)efm_becomes(efm_register(PWR_DOMAIN_3), READY, READY);
    *efm_register(FLASH_ACCESS) = 2 | 2 << 4; /* wait states for a bus of 200 MHz */
    *efm_register(RCC_PLL_SOURCE) = 4 << 4;   /* 64 MHz of the internal oscillator / 4 */
    *efm_register(RCC_PLL_CONFIG) = 1 << 16 | 3 << 2;
    *efm_register(RCC_PLL_1) = 49 | 1 << 9 | 1 << 16 | 1 << 24; /* * 50 / 2 */
    *efm_register(RCC_CONTROL) |= PLL_ON;
    (void)efm_becomes(efm_register(RCC_CONTROL), PLL_READY, PLL_READY);
    *efm_register(RCC_DOMAIN_1) = 4 << 4 | 8; /* buses at 200 and 100 MHz */
    *efm_register(RCC_DOMAIN_2) = 4 << 8 | 4 << 4;
    *efm_register(RCC_DOMAIN_3) = 4 << 4;
    *efm_register(RCC_CONFIG) = IS_PLL;
    (void)efm_becomes(efm_register(RCC_CONFIG), 7 << 3, IS_PLL << 3);
    *efm_register(RCC_AHB3) |= 1 << 12;
    *efm_register(RCC_APB2) |= 1 << 4;
    *efm_register(GPIO_CLOCKS) |= 0x1FF;
    (void)*efm_register(GPIO_CLOCKS);
}

/* -- pins ------------------------------------------------------------------------------------------- */

static void set(uint32_t address, uint32_t shift, uint32_t mask, uint32_t value)
{
    *efm_register(address) = (*efm_register(address) & ~(mask << shift)) | value << shift;
}

void efm_h7_pins(char port, uint32_t pins, uint32_t function)
{
    uint32_t at = efm_h7_port(port);
    for (uint32_t pin = 0; pin < 16; pin++) {
        if ((pins >> pin & 1) != 0) {
            set(at + GPIO_FUNCTIONS + pin / 8 * 4, pin % 8 * 4, 15, function);
            set(at + GPIO_SPEED, 2 * pin, 3, 3);
            set(at + GPIO_PULL, 2 * pin, 3, 1);
            set(at + GPIO_MODE, 2 * pin, 3, 2);
        }
    }
}

void efm_h7_output(char port, uint32_t pin)
{
    set(efm_h7_port(port) + GPIO_MODE, 2 * pin, 3, 1);
}

/* -- SDRAM ------------------------------------------------------------------------------------------ */

static void command(uint32_t what, uint32_t times, uint32_t mode)
{
    *efm_register(FMC_COMMAND) = what | BANK_2 | (times - 1) << 5 | mode << 9;
    (void)efm_becomes(efm_register(FMC_STATE), FMC_BUSY, 0);
}

/* At least 100 us at 400 MHz. */
static void rest(void)
{
    for (volatile uint32_t i = 0; i < 20000; i++) {
    }
}

void efm_h7_sdram_start(void)
{
    efm_h7_pins('D', 0xC703, 12);
    efm_h7_pins('E', 0xFF83, 12);
    efm_h7_pins('F', 0xF83F, 12);
    efm_h7_pins('G', 0x813F, 12);
    efm_h7_pins('H', 0xFFE0, 12);
    efm_h7_pins('I', 0x06FF, 12);
    *efm_register(FMC_CONTROL_1) = 1 << 12 | 2 << 10;                             /* bursts, half the bus's clock */
    *efm_register(FMC_CONTROL_2) = 3 << 7 | 1 << 6 | 2 << 4 | 1 << 2 | 1; /* CAS 3, 4 banks of 12 and 9 bits, words */
    *efm_register(FMC_TIMING_1) = 1 << 20 | 6 << 12; /* row cycle and precharge of both banks */
    *efm_register(FMC_TIMING_2) = 1 << 24 | 1 << 16 | 3 << 8 | 6 << 4 | 1;
    *efm_register(FMC_BANK) |= 1u << 31;
    command(CLOCK_ON, 1, 0);
    rest();
    command(PRECHARGE, 1, 0);
    command(REFRESH, 8, 0);
    command(MODE, 1, SDRAM_MODE);
    *efm_register(FMC_REFRESH) = SDRAM_CLOCKS << 1;
}

/* -- caches ----------------------------------------------------------------------------------------- */

static void settle(void)
{
    __asm volatile("dsb\n isb" ::: "memory");
}

void efm_h7_caches_start(uint32_t sdram)
{
    *efm_register(MPU_NUMBER) = 0;
    *efm_register(MPU_BASE) = sdram;
    *efm_register(MPU_SIZE) = 1u << 28 | 3u << 24 | 1u << 19 | 3u << 16 | 24u << 1 | 1; /* 32 MiB, written back */
    *efm_register(MPU_CONTROL) = 5;
    settle();
    *efm_register(ICIALLU) = 0;
    for (uint32_t line = 0; line < SETS; line++) {
        for (uint32_t way = 0; way < WAYS; way++) {
            *efm_register(DCISW) = way << 30 | line << 5;
        }
    }
    settle();
    *efm_register(CCR) |= 3u << 16;
    settle();
}

void efm_h7_forget(const uint8_t *at, uint32_t bytes)
{
    uint32_t first = (uint32_t)(uintptr_t)at;
    settle();
    for (uint32_t line = first / LINE_BYTES * LINE_BYTES; line < first + bytes; line += LINE_BYTES) {
        *efm_register(DCIMVAC) = line;
    }
    settle();
}
