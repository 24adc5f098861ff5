/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of lines: r0 line, r1 channels, r2 bias, r3 multiplier, r5 shift, r9 out, r11 out_step times four; r4, r6,
 * r8, r10 sums of four pixels (VMLADAV wants even ones), free in between. The last four pixels overlap those before
 * where there is a rest: some bytes are written twice, and no predicate is needed. */
#include "lines.h"

#if EFM_KERNEL_MVE
#include <stddef.h>

_Static_assert(offsetof(efm_mve_columns, step) == 16 && offsetof(efm_mve_columns, to) == 32
                   && offsetof(efm_mve_columns, count) == 40 && offsetof(efm_mve_columns, channels) == 44
                   && offsetof(efm_mve_line, channels) == 8 && offsetof(efm_mve_line, out) == 16
                   && offsetof(efm_mve_line, fours) == 20 && offsetof(efm_mve_line, out_step) == 28
                   && offsetof(efm_mve_line, zero_point) == 36 && offsetof(efm_mve_line, lanes) == 48
                   && offsetof(efm_mve_line, words) == 64 && sizeof(efm_mve_channel) == 16,
               "what the assembly says");

#define START_COLUMNS \
    "push {r4-r9, lr}\n" \
    "mov r12, r0\n" \
    "ldm r12, {r0-r7}\n" /* rows, steps */ \
    "ldrd r8, r9, [r12, #32]\n" \
    "ldrd lr, r12, [r12, #40]\n" \
    "vctp.8 r12\n" \
    "dls lr, lr\n"

#define STORE_COLUMNS \
    "vst40.8 {q0, q1, q2, q3}, [r8]\n" \
    "vst41.8 {q0, q1, q2, q3}, [r8]\n" \
    "vst42.8 {q0, q1, q2, q3}, [r8]\n" \
    "vst43.8 {q0, q1, q2, q3}, [r8]\n" \
    "add r8, r8, r9\n" \
    "le lr, 1b\n" \
    "pop {r4-r9, pc}\n"

__attribute__((naked)) void efm_mve_three_rows(const efm_mve_columns *columns __attribute__((unused)))
{
    __asm volatile(START_COLUMNS "1: vpsttt\n"
                                 "vldrbt.u8 q0, [r0]\n"
                                 "vldrbt.u8 q1, [r1]\n"
                                 "vldrbt.u8 q2, [r2]\n"
                                 "add r0, r0, r4\n"
                                 "add r1, r1, r5\n"
                                 "add r2, r2, r6\n" STORE_COLUMNS);
}

__attribute__((naked)) void efm_mve_four_rows(const efm_mve_columns *columns __attribute__((unused)))
{
    __asm volatile(START_COLUMNS "1: vpstttt\n"
                                 "vldrbt.u8 q0, [r0]\n"
                                 "vldrbt.u8 q1, [r1]\n"
                                 "vldrbt.u8 q2, [r2]\n"
                                 "vldrbt.u8 q3, [r3]\n"
                                 "add r0, r0, r4\n"
                                 "add r1, r1, r5\n"
                                 "add r2, r2, r6\n"
                                 "add r3, r3, r7\n" STORE_COLUMNS);
}

#define ENTER \
    "push {r4-r11, lr}\n" \
    "vpush {d8-d15}\n" \
    "ldr r1, [r0, #8]\n" \
    "ldr r11, [r0, #28]\n" \
    "lsl r11, r11, #2\n"

#define LEAVE \
    "vpop {d8-d15}\n" \
    "pop {r4-r11, pc}\n"

/* r4: the first pixel's words of a channel, r6: its weights, r9: its bytes; the line goes on to the next. */
#define START_CHANNEL \
    "1: ldm r1!, {r2, r3, r5, r8}\n" \
    "ldrd r4, r6, [r0]\n" \
    "add r4, r4, r8\n" \
    "add r8, r6, #4\n" \
    "str r8, [r0, #4]\n" \
    "ldr r9, [r0, #16]\n" \
    "add r8, r9, #1\n" \
    "str r8, [r0, #16]\n"

#define NEXT_CHANNEL \
    "3: ldr r4, [r0, #12]\n" \
    "cmp r1, r4\n" \
    "bne 1b\n"

#define SUMS_TO(q) \
    "vmov " q "[2], " q "[0], r4, r8\n" \
    "vmov " q "[3], " q "[1], r6, r10\n" \
    "vadd.i32 " q ", " q ", r2\n"

/* efm_requant_twice of `from` for shift < 0: VRSHL rounds half up, so one is taken from what is negative before. The
   product is added to that, in one instruction; of sums whose product is 0 it changes nothing. */
#define SCALE(to, from) \
    "vshr.s32 " to ", " from ", #31\n" \
    "vqrdmlah.s32 " to ", " from ", r3\n" \
    "vrshl.s32 " to ", r5\n"

/* q3 to bytes, with lanes in q1 and clamps in q4, q5. */
#define STORE \
    "vmax.s32 q3, q3, q4\n" \
    "vmin.s32 q3, q3, q5\n" \
    "vstrb.32 q3, [r9, q1]\n" \
    "add r9, r9, r11\n"

#define LANES_AND_CLAMPS \
    "ldrd r2, r3, [r0, #40]\n" \
    "vdup.32 q4, r2\n" \
    "vdup.32 q5, r3\n" \
    "vldrw.u32 q1, [r0, #48]\n"

/* r12 pixels of a rest take the line back by four less them: r9 now, and r12 is how many. No second time. */
#define GO_BACK \
    "rsb r12, r12, #4\n" \
    "ldr r6, [r0, #28]\n" \
    "mls r9, r12, r6, r9\n"

/* 36 products, and four bytes of them, in 18 instructions; q0: addresses of four columns. One gathered vector serves
   two pixels: q6 are a pixel's weights, and q7 the next one's, which are a column on. r7: zero point. */
__attribute__((naked)) void efm_mve_line_of_pairs(efm_mve_line *line __attribute__((unused)))
{
    __asm volatile(ENTER LANES_AND_CLAMPS "ldr r7, [r0, #36]\n" START_CHANNEL "vldrw.u32 q2, [r0, #64]\n"
                                          "subs r4, #128\n"
                                          "vldrw.u32 q7, [r6, q2]\n"
                                          "adds r6, #64\n"
                                          "vldrw.u32 q6, [r6, q2]\n"
                                          "vadd.i32 q0, q2, r4\n"
                                          "ldrd lr, r12, [r0, #20]\n"
                                          "dls lr, lr\n"
                                          "2: vldrw.u32 q2, [q0, #128]!\n"
                                          "vmladav.s8 r4, q2, q6\n"
                                          "vmladav.s8 r6, q2, q7\n"
                                          "vldrw.u32 q2, [q0, #128]!\n"
                                          "vmladav.s8 r8, q2, q6\n"
                                          "vmladav.s8 r10, q2, q7\n" SUMS_TO("q2")
                                              SCALE("q3", "q2") "vadd.i32 q3, q3, r7\n" STORE "le lr, 2b\n"
                                                                "cmp r12, #0\n"
                                                                "beq 3f\n" GO_BACK "lsl r6, r12, #6\n"
                                                                "vsub.i32 q0, q0, r6\n"
                                                                "mov r12, #0\n"
                                                                "mov lr, #1\n"
                                                                "b 2b\n" NEXT_CHANNEL LEAVE);
}

/* 36 products, and four bytes of them, in 20 instructions. */
__attribute__((naked)) void efm_mve_line_by_two(efm_mve_line *line __attribute__((unused)))
{
    __asm volatile(ENTER LANES_AND_CLAMPS "ldr r7, [r0, #36]\n" START_CHANNEL "vldrw.u32 q2, [r0, #80]\n"
                                          "vldrw.u32 q6, [r6, q2]\n"
                                          "vldrw.u32 q2, [r0, #64]\n"
                                          "subs r4, #128\n"
                                          "vadd.i32 q0, q2, r4\n"
                                          "ldrd lr, r12, [r0, #20]\n"
                                          "dls lr, lr\n"
                                          "2: vldrw.u32 q2, [q0, #128]!\n"
                                          "vmladav.s8 r4, q2, q6\n"
                                          "vldrw.u32 q2, [q0, #128]!\n"
                                          "vmladav.s8 r6, q2, q6\n"
                                          "vldrw.u32 q2, [q0, #128]!\n"
                                          "vmladav.s8 r8, q2, q6\n"
                                          "vldrw.u32 q2, [q0, #128]!\n"
                                          "vmladav.s8 r10, q2, q6\n" SUMS_TO("q2")
                                              SCALE("q3", "q2") "vadd.i32 q3, q3, r7\n" STORE "le lr, 2b\n"
                                                                "cmp r12, #0\n"
                                                                "beq 3f\n" GO_BACK "lsl r6, r12, #7\n"
                                                                "vsub.i32 q0, q0, r6\n"
                                                                "mov r12, #0\n"
                                                                "mov lr, #1\n"
                                                                "b 2b\n" NEXT_CHANNEL LEAVE);
}

/* Pixel `sum`: 48 products. */
#define FEW(sum) \
    "vldrw.u32 q6, [r12, q0]\n" \
    "vmladav.s8 " sum ", q6, q3\n" \
    "vldrw.u32 q6, [r12, q1]\n" \
    "vmladava.s8 " sum ", q6, q4\n" \
    "vldrw.u32 q6, [r12, q2]\n" \
    "vmladava.s8 " sum ", q6, q5\n" \
    "add r12, r12, r7\n"

/* Up to 48 products for each of four pixels in 44 instructions; r12: columns, r7: column_step. On the stack: the rest. */
__attribute__((naked)) void efm_mve_line_of_few(efm_mve_line *line __attribute__((unused)))
{
    __asm volatile(ENTER "sub sp, sp, #8\n"
                         "ldr r7, [r0, #32]\n" START_CHANNEL "mov r12, r4\n"
                         "vldrw.u32 q0, [r0, #80]\n"
                         "vldrw.u32 q1, [r0, #112]\n"
                         "vldrw.u32 q2, [r0, #144]\n"
                         "vldrw.u32 q3, [r6, q0]\n"
                         "vldrw.u32 q4, [r6, q1]\n"
                         "vldrw.u32 q5, [r6, q2]\n"
                         "vldrw.u32 q0, [r0, #64]\n"
                         "vldrw.u32 q1, [r0, #96]\n"
                         "vldrw.u32 q2, [r0, #128]\n"
                         "ldrd lr, r4, [r0, #20]\n"
                         "str r4, [sp]\n"
                         "dls lr, lr\n"
                         "2:\n" FEW("r4") FEW("r6") FEW("r8") FEW("r10") SUMS_TO("q6")
                             SCALE("q7", "q6") "ldr r4, [r0, #36]\n"
                                               "vadd.i32 q7, q7, r4\n"
                                               "ldrd r4, r6, [r0, #40]\n"
                                               "vdup.32 q6, r4\n"
                                               "vmax.s32 q7, q7, q6\n"
                                               "vdup.32 q6, r6\n"
                                               "vmin.s32 q7, q7, q6\n"
                                               "vldrw.u32 q6, [r0, #48]\n"
                                               "vstrb.32 q7, [r9, q6]\n"
                                               "add r9, r9, r11\n"
                                               "le lr, 2b\n"
                                               "ldr r8, [sp]\n"
                                               "cmp r8, #0\n"
                                               "beq 3f\n"
                                               "rsb r8, r8, #4\n"
                                               "ldr r6, [r0, #28]\n"
                                               "mls r9, r8, r6, r9\n"
                                               "mls r12, r8, r7, r12\n"
                                               "mov r8, #0\n"
                                               "str r8, [sp]\n"
                                               "mov lr, #1\n"
                                               "b 2b\n" NEXT_CHANNEL "add sp, sp, #8\n" LEAVE);
}

#endif
