/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to main() on a RISC-V without an operating system: stack, .data and .bss. Interrupts are never taken; a
 * pending one ends the processor's sleep. A trap stops the firmware: the host gets no answer. */
#include <string.h>

#include "riscv.h"

extern uint8_t efm_bss_start[], efm_bss_end[], efm_data_start[], efm_data_end[];
extern const uint8_t efm_data_load[];

int main(void);
void efm_start(void);

static __attribute__((aligned(256), noreturn)) void stop(void)
{
    for (;;) {
        __asm volatile("wfi");
    }
}

static __attribute__((used, noreturn)) void run(void)
{
    __asm volatile("csrw mtvec, %0" : : "r"(stop));
    if (&efm_data_load[0] != &efm_data_start[0]) { /* else an emulator has loaded it */
        memcpy(efm_data_start, efm_data_load, (size_t)(efm_data_end - efm_data_start));
    }
    memset(efm_bss_start, 0, (size_t)(efm_bss_end - efm_bss_start));
    (void)main();
    stop();
}

__attribute__((naked, section(".start"))) void efm_start(void)
{
    __asm volatile(".option push\n"
                   ".option norelax\n"
                   "la gp, __global_pointer$\n"
                   ".option pop\n"
                   "la sp, efm_stack_top\n"
                   "j run");
}
