/* SPDX-License-Identifier: Apache-2.0 */
/* ESP32-C3: its USB Serial/JTAG port is the line, SYSTIMER the timer, and the flash that it runs from holds the store.
 * Registers are those of Espressif's ESP32-C3 Technical Reference Manual (chapters 3 system and memory, 9 RTC watchdog,
 * 10 SYSTIMER, 11 and 12 watchdogs, 30 USB Serial/JTAG). Flash is written by functions of the ROM, at the addresses that
 * Espressif publishes in ESP-IDF's esp32c3.rom.ld. Clocks stay as the ROM leaves them. */
#include <string.h>

#include "bare.h"
#include "port.h"
#include "riscv.h"

enum { ARENA_BYTES = 208 * 1024, RESULTS_BYTES = 32 * 1024, STORE_OFFSET = 128 * 1024, STORE_BYTES = 3968 * 1024 };
enum { SECTOR_BYTES = 4096, PAGE_BYTES = 256, FLASH = 0x3C000000, FLASH_BYTES = 4 << 20, RAMCODE_AT = 0x3FC80000 };
enum { RTC_WATCHDOG = 0x60008090, RTC_UNLOCK = 0x600080A8, SUPER_WATCHDOG = 0x600080AC, SUPER_UNLOCK = 0x600080B0 };
enum { TIMER_WATCHDOG = 0x6001F048, TIMER_UNLOCK = 0x6001F064, FEEDS_ITSELF = 31, RTC_OPTIONS = 0x60008000 };
enum {
    SYSTIMER = 0x60023004,
    SYSTIMER_HIGH = 0x60023040,
    SYSTIMER_LOW = 0x60023044,
    LATCH = 1 << 30,
    LATCHED = 1 << 29
};
enum { USB_DATA = 0x60043000, USB_STATE = 0x60043004, SEND = 1, SEND_FREE = 2, RECEIVED = 4, WAITS = 100000 };
#define UNLOCK       0x50D83AA1u
#define SUPER_KEY    0x8F1D312Au
#define RESET_SYSTEM (1u << 31)

/* Functions of the ROM. */
#define ROM_CONFIG \
    ((int (*)(uint32_t id, uint32_t chip, uint32_t block, uint32_t sector, uint32_t page, uint32_t))0x40000134)
#define ROM_UNLOCK    ((int (*)(void))0x40000140)
#define ROM_ERASE     ((int (*)(uint32_t sector))0x40000128)
#define ROM_WRITE     ((int (*)(uint32_t address, const uint32_t *words, int32_t bytes))0x4000012C)
#define CACHE_SUSPEND ((uint32_t (*)(void))0x40000524)
#define CACHE_RESUME  ((void (*)(uint32_t autoload))0x40000528)
#define CACHE_FORGETS ((int (*)(uint32_t address, uint32_t bytes))0x400004D4)

/* Code that runs while flash cannot be read; it calls nothing but the ROM. */
#define IN_RAM __attribute__((section(".ramcode"), noinline))

extern const uint8_t efm_ramcode_load[], efm_ramcode_bytes[];

static EFM_NOINIT uint8_t arena[ARENA_BYTES], results[RESULTS_BYTES];

static void stop_watchdogs(void)
{
    *efm_register(RTC_UNLOCK) = UNLOCK;
    *efm_register(RTC_WATCHDOG) = 0;
    *efm_register(SUPER_UNLOCK) = SUPER_KEY;
    *efm_register(SUPER_WATCHDOG) |= 1u << FEEDS_ITSELF;
    *efm_register(TIMER_UNLOCK) = UNLOCK;
    *efm_register(TIMER_WATCHDOG) = 0;
}

/* -- line, which cannot wake the processor here -------------------------------------------------------- */

static int32_t read(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    uint32_t count = 0;
    (void)context;
    while (wait && (*efm_register(USB_STATE) & RECEIVED) == 0) {
    }
    while (count < room && (*efm_register(USB_STATE) & RECEIVED) != 0) {
        bytes[count++] = (uint8_t)*efm_register(USB_DATA);
    }
    return (int32_t)count;
}

/* Bytes that no host fetches are dropped. */
static void write(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t waited = 0; (*efm_register(USB_STATE) & SEND_FREE) == 0; waited++) {
            if (waited == WAITS) {
                return;
            }
        }
        *efm_register(USB_DATA) = bytes[i];
    }
    *efm_register(USB_STATE) = SEND;
}

/* -- timer and reset ------------------------------------------------------------------------------------ */

/* It counts at 16 MHz. */
static uint64_t microseconds(void *context)
{
    (void)context;
    *efm_register(SYSTIMER) = LATCH;
    (void)efm_becomes(efm_register(SYSTIMER), LATCHED, LATCHED);
    uint64_t high = *efm_register(SYSTIMER_HIGH);
    return (high << 32 | *efm_register(SYSTIMER_LOW)) >> 4;
}

static void reset(void *context)
{
    (void)context;
    *efm_register(RTC_OPTIONS) |= RESET_SYSTEM;
    for (;;) {
    }
}

/* -- flash ---------------------------------------------------------------------------------------------- */

/* Programs, or where there is nothing to program erases a sector. */
static IN_RAM int change(uint32_t address, const uint32_t *words, uint32_t bytes)
{
    uint32_t autoload = CACHE_SUSPEND();
    int failed = bytes == 0 ? ROM_ERASE(address / SECTOR_BYTES) : ROM_WRITE(address, words, (int32_t)bytes);
    CACHE_RESUME(autoload);
    return failed;
}

static int32_t erase(void *context, uint32_t offset)
{
    (void)context;
    int failed = change(STORE_OFFSET + offset, NULL, 0);
    (void)CACHE_FORGETS(FLASH + STORE_OFFSET + offset, SECTOR_BYTES);
    return failed;
}

static int32_t program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    uint32_t words[PAGE_BYTES / 4]; /* `from` may be in flash */
    int failed = 0;
    (void)context;
    for (uint32_t at = 0; failed == 0 && at < bytes; at += PAGE_BYTES) {
        memcpy(words, from + at, PAGE_BYTES);
        failed = change(STORE_OFFSET + offset + at, words, PAGE_BYTES);
    }
    (void)CACHE_FORGETS(FLASH + STORE_OFFSET + offset, bytes);
    return failed;
}

static const efm_board board = {
    .name = "esp32-c3",
    .unit = EFM_TICKS_MICROSECONDS,
    .ticks_per_second = 1000000,
    .arena = arena,
    .arena_bytes = sizeof arena,
    .results = results,
    .results_bytes = sizeof results,
    .flash = {.at = (const uint8_t *)(FLASH + STORE_OFFSET),
              .bytes = STORE_BYTES,
              .erase_bytes = SECTOR_BYTES,
              .program_bytes = PAGE_BYTES,
              .erase = erase,
              .program = program},
    .read = read,
    .write = write,
    .ticks = microseconds,
    .reset = reset,
};

const efm_board *efm_board_start(void)
{
    stop_watchdogs();
    memcpy((uint8_t *)RAMCODE_AT, efm_ramcode_load, (size_t)efm_ramcode_bytes);
    (void)ROM_CONFIG(0, FLASH_BYTES, 16 * SECTOR_BYTES, SECTOR_BYTES, PAGE_BYTES, 0xFFFF);
    (void)ROM_UNLOCK();
    return &board;
}
