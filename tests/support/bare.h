/* SPDX-License-Identifier: Apache-2.0 */
/* What a bare image for an emulated MPS2 AN386 (Cortex-M4) has in common with others: it begins with run(), prints
 * numbers, and counts what it takes.
 *
 * The emulator puts a job at BARE_JOB and, told to let one instruction take one nanosecond, runs SysTick at 25 MHz,
 * so that a tick is 40 instructions. */
#ifndef BARE_H
#define BARE_H

#include <stdint.h>

#define BARE_JOB     ((const uint8_t *)0x21000000)
#define BARE_SYSTICK ((volatile uint32_t *)0xE000E010)
#define BARE_MOST    0xFFFFFFu /* ticks, of 24 bits */

extern uint32_t stack_top;
void run(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {&stack_top, (const void *)run};

static void call_host(uint32_t what, const void *with)
{
    register uint32_t r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print_hex(uint32_t v)
{
    char text[10] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t digit = v >> (28 - 4 * i) & 15u;
        text[i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    text[8] = '\n';
    call_host(4, text);
}

static void start_ticks(void)
{
    BARE_SYSTICK[1] = BARE_MOST;
    BARE_SYSTICK[2] = 0;
    BARE_SYSTICK[0] = 5;
}

static uint32_t ticks_now(void)
{
    return BARE_SYSTICK[2];
}

static uint32_t ticks_since(uint32_t start)
{
    return (start - BARE_SYSTICK[2]) & BARE_MOST;
}

static void end_run(void)
{
    call_host(0x18, (const void *)0x20026);
    for (;;) {
    }
}

#endif
