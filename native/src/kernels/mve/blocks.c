/* SPDX-License-Identifier: Apache-2.0 */
/* Registers: r0, r2, r4 sums of a row with three pixels, r6, r8, r10 of the other row (VMLADAVA wants even ones);
 * r1, r3, r5 pixels; r7, r9 rows; r11 list; r12 block; lr bytes left in a run. q4 .. q6: four channels of a pixel. */
#include "blocks.h"

#if EFM_KERNEL_MVE
#include <stddef.h>

_Static_assert(offsetof(efm_mve_block, zero_point) == 64 && offsetof(efm_mve_block, multiplier) == 76
                   && offsetof(efm_mve_block, shift) == 92 && offsetof(efm_mve_block, low) == 108
                   && offsetof(efm_mve_block, high) == 124 && offsetof(efm_mve_block, sums) == 140,
               "what the assembly says");

#define ENTER \
    "push {r4-r11, lr}\n" \
    "vpush {d8-d15}\n" \
    "mov r12, r0\n" \
    "mov r11, r1\n"

#define LEAVE \
    "vpop {d8-d15}\n" \
    "pop {r4-r11, pc}\n"

/* 96 products in 12 instructions. */
#define TWO_ROWS_OF_THREE \
    "2: vldrb.8 q0, [r7], #16\n" \
    "vldrb.8 q1, [r1], #16\n" \
    "vmladava.s8 r0, q0, q1\n" \
    "vldrb.8 q2, [r3], #16\n" \
    "vmladava.s8 r2, q0, q2\n" \
    "vldrb.8 q3, [r5], #16\n" \
    "vmladava.s8 r4, q0, q3\n" \
    "vldrb.8 q0, [r9], #16\n" \
    "vmladava.s8 r6, q0, q1\n" \
    "vmladava.s8 r8, q0, q2\n" \
    "vmladava.s8 r10, q0, q3\n" \
    "letp lr, 2b\n"

#define START_PAIR "ldm r12!, {r0, r2, r4, r6, r7, r8, r9, r10}\n"

/* The sums of channels 0 and 2, or 1 and 3, as lanes. */
#define TO_LANES(even, odd) \
    "vmov q4[" #odd "], q4[" #even "], r0, r6\n" \
    "vmov q5[" #odd "], q5[" #even "], r2, r8\n" \
    "vmov q6[" #odd "], q6[" #even "], r4, r10\n"

/* A pair where each pixel is one run: `list` is r11 or r11!. */
#define PAIR_OF_ONE_RUN(list) \
    START_PAIR \
    "ldm " list ", {r1, r3, r5, lr}\n" \
    "dlstp.8 lr, lr\n" TWO_ROWS_OF_THREE

/* A pair for any number of runs: at their end r1 is where they began. */
#define PAIR_OF_RUNS \
    START_PAIR \
    "3: ldm r11!, {r1, r3, r5, lr}\n" \
    "wlstp.8 lr, lr, 4f\n" TWO_ROWS_OF_THREE "ldr lr, [r11], #4\n" \
    "sub r7, r7, lr\n" \
    "sub r9, r9, lr\n" \
    "b 3b\n" \
    "4:\n"

/* efm_requant_twice for shift < 0: VRSHL rounds half up, so one is taken from what is negative before. */
#define REQUANTIZE_THREE \
    "ldm r12!, {r6, r7, r8}\n" /* zero point, how, end */ \
    "cbz r7, 7f\n" \
    "tst r7, #2\n" \
    "beq 6f\n" \
    "ldm r11!, {r0, r2, r4}\n" \
    "vadd.i32 q4, q4, r0\n" \
    "vadd.i32 q5, q5, r2\n" \
    "vadd.i32 q6, q6, r4\n" \
    "6: tst r7, #1\n" \
    "beq 7f\n" \
    "ldr r1, [r12, #64]\n" /* sums */ \
    "ldm r11, {r0, r2, r4}\n" \
    "vstrw.32 q4, [r1], #16\n" \
    "vstrw.32 q5, [r1], #16\n" \
    "vstrw.32 q6, [r1], #16\n" \
    "str r1, [r12, #64]\n" \
    "adds r0, #4\n" \
    "adds r2, #4\n" \
    "adds r4, #4\n" \
    "b 8f\n" \
    "7: vldrw.u32 q7, [r12]\n" \
    "vqrdmulh.s32 q4, q4, q7\n" \
    "vqrdmulh.s32 q5, q5, q7\n" \
    "vqrdmulh.s32 q6, q6, q7\n" \
    "vldrw.u32 q7, [r12, #16]\n" \
    "vshr.s32 q0, q4, #31\n" \
    "vshr.s32 q1, q5, #31\n" \
    "vshr.s32 q2, q6, #31\n" \
    "vadd.i32 q4, q4, q0\n" \
    "vadd.i32 q5, q5, q1\n" \
    "vadd.i32 q6, q6, q2\n" \
    "vrshl.s32 q4, q4, q7\n" \
    "vrshl.s32 q5, q5, q7\n" \
    "vrshl.s32 q6, q6, q7\n" \
    "vldrw.u32 q0, [r12, #32]\n" \
    "vadd.i32 q4, q4, r6\n" \
    "vadd.i32 q5, q5, r6\n" \
    "vadd.i32 q6, q6, r6\n" \
    "vldrw.u32 q1, [r12, #48]\n" \
    "vmax.s32 q4, q4, q0\n" \
    "vmax.s32 q5, q5, q0\n" \
    "vmax.s32 q6, q6, q0\n" \
    "ldm r11, {r0, r2, r4}\n" \
    "vmin.s32 q4, q4, q1\n" \
    "vmin.s32 q5, q5, q1\n" \
    "vmin.s32 q6, q6, q1\n" \
    "vstrb.32 q4, [r0], #4\n" \
    "vstrb.32 q5, [r2], #4\n" \
    "vstrb.32 q6, [r4], #4\n" \
    "8: stm r11!, {r0, r2, r4}\n" \
    "sub r12, r12, #76\n" \
    "cmp r11, r8\n" \
    "bne 1b\n"

__attribute__((naked)) void efm_mve_three_of_one_run(efm_mve_block *block __attribute__((unused)),
                                                     uint32_t *list __attribute__((unused)))
{
    __asm volatile(ENTER "1:\n" PAIR_OF_ONE_RUN("r11") TO_LANES(0, 2) PAIR_OF_ONE_RUN("r11!") TO_LANES(1, 3)
                       REQUANTIZE_THREE LEAVE);
}

__attribute__((naked)) void efm_mve_three_of_runs(efm_mve_block *block __attribute__((unused)),
                                                  uint32_t *list __attribute__((unused)))
{
    __asm volatile(ENTER "1:\n" PAIR_OF_RUNS TO_LANES(0, 2) "mov r11, r1\n" PAIR_OF_RUNS TO_LANES(1, 3)
                       REQUANTIZE_THREE LEAVE);
}

/* Four rows with one pixel, 64 products in 10 instructions: both pairs at once, each in its registers. Rows are r7,
   r5, r9 and r10, their sums r0, r2, r6 and r4. */
__attribute__((naked)) void efm_mve_one_of_runs(efm_mve_block *block __attribute__((unused)),
                                                uint32_t *list __attribute__((unused)))
{
    __asm volatile(ENTER "1:\n" START_PAIR "ldm r12!, {r1, r2, r3, r4, r5, r8, r10, lr}\n"
                         "3: ldrd r1, lr, [r11], #8\n"
                         "wlstp.8 lr, lr, 4f\n"
                         "2: vldrb.8 q0, [r7], #16\n"
                         "vldrb.8 q1, [r1], #16\n"
                         "vmladava.s8 r0, q0, q1\n"
                         "vldrb.8 q2, [r5], #16\n"
                         "vmladava.s8 r2, q2, q1\n"
                         "vldrb.8 q3, [r9], #16\n"
                         "vmladava.s8 r6, q3, q1\n"
                         "vldrb.8 q0, [r10], #16\n"
                         "vmladava.s8 r4, q0, q1\n"
                         "letp lr, 2b\n"
                         "ldr lr, [r11], #4\n"
                         "sub r7, r7, lr\n"
                         "sub r5, r5, lr\n"
                         "sub r9, r9, lr\n"
                         "sub r10, r10, lr\n"
                         "b 3b\n"
                         "4: vmov q4[2], q4[0], r0, r6\n"
                         "vmov q4[3], q4[1], r2, r4\n"
                         "ldm r12!, {r6, r7, r8}\n"
                         "cbz r7, 7f\n"
                         "tst r7, #2\n"
                         "beq 6f\n"
                         "ldr r0, [r11], #4\n"
                         "vadd.i32 q4, q4, r0\n"
                         "6: tst r7, #1\n"
                         "beq 7f\n"
                         "ldr r1, [r12, #64]\n"
                         "ldr r0, [r11]\n"
                         "adds r0, #4\n"
                         "vstrw.32 q4, [r1], #16\n"
                         "str r1, [r12, #64]\n"
                         "b 8f\n"
                         "7: vldrw.u32 q7, [r12]\n"
                         "vqrdmulh.s32 q4, q4, q7\n"
                         "vshr.s32 q0, q4, #31\n"
                         "vldrw.u32 q7, [r12, #16]\n"
                         "vadd.i32 q4, q4, q0\n"
                         "vrshl.s32 q4, q4, q7\n"
                         "vldrw.u32 q0, [r12, #32]\n"
                         "vadd.i32 q4, q4, r6\n"
                         "vldrw.u32 q1, [r12, #48]\n"
                         "vmax.s32 q4, q4, q0\n"
                         "ldr r0, [r11]\n"
                         "vmin.s32 q4, q4, q1\n"
                         "vstrb.32 q4, [r0], #4\n"
                         "8: str r0, [r11], #4\n"
                         "sub r12, r12, #76\n"
                         "cmp r11, r8\n"
                         "bne 1b\n" LEAVE);
}

#endif
