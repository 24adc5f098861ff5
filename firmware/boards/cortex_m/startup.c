/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to main(): the vector table, FPU and vectors (they are one coprocessor), .data and .bss. The linker script
 * names the places. */
#include "bare.h"
#include "cortex_m.h"

#include <string.h>

#include "edgefm.h"

enum { CPACR = 0xE000ED88u, CCR = 0xE000ED14u, AIRCR = 0xE000ED0Cu };
enum { NVIC_ISER = 0xE000E100u, NVIC_ICPR = 0xE000E280u };
enum { FPU_ON = 0xF << 20, LOOPS_CACHED = 1 << 19, KEY_AND_RESET = 0x05FA0004, PAINT = 0xA5 };

extern uint8_t efm_stack_bottom[], efm_stack_top[];
extern uint8_t efm_data_start[], efm_data_end[], efm_bss_start[], efm_bss_end[];
extern const uint8_t efm_data_load[];

int main(void);
void efm_start(void);
static void start_anew(void);

typedef void (*vector)(void);

/* Stack and 15 exceptions. A fault restarts the firmware: the host is told that its session is gone. */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)efm_stack_top,
    efm_start,
    start_anew,
    start_anew,
    start_anew,
    start_anew,
    start_anew,
    start_anew,
    0,
    0,
    0,
    start_anew,
    start_anew,
    0,
    start_anew,
    start_anew,
};

static void start_anew(void)
{
    efm_reset(0);
    for (;;) {
    }
}

/* The unused stack is painted, so that a debugger or an emulator's monitor can tell how deep it went. */
static void paint_stack(void)
{
    uint8_t *frame = __builtin_frame_address(0);
    for (uint8_t *at = efm_stack_bottom; at < frame - 64; at++) {
        *(volatile uint8_t *)at = PAINT;
    }
}

static void run(void)
{
    paint_stack();
    memcpy(efm_data_start, efm_data_load, (size_t)(efm_data_end - efm_data_start));
    memset(efm_bss_start, 0, (size_t)(efm_bss_end - efm_bss_start));
    (void)main();
    start_anew();
}

__attribute__((noreturn)) void efm_start(void)
{
    __asm volatile("cpsid i" ::: "memory");
    *efm_register(CPACR) |= FPU_ON;
#ifdef __ARM_FEATURE_MVE
    *efm_register(CCR) |= LOOPS_CACHED; /* Armv8.1-M: LE and LETP cost nothing then */
#endif
    __asm volatile("dsb\n isb" ::: "memory");
    run();
    for (;;) {
    }
}

void efm_wake_by(uint32_t interrupt)
{
    efm_register(NVIC_ISER)[interrupt / 32] = (uint32_t)1 << interrupt % 32;
}

void efm_sleep(uint32_t interrupt)
{
    __asm volatile("dsb\n wfi" ::: "memory");
    efm_register(NVIC_ICPR)[interrupt / 32] = (uint32_t)1 << interrupt % 32;
}

void efm_reset(void *context)
{
    (void)context;
    __asm volatile("dsb" ::: "memory");
    *efm_register(AIRCR) = KEY_AND_RESET;
    __asm volatile("dsb" ::: "memory");
}
