/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE's inner loops. A record takes 34 instructions, two sums 14, four bytes of sums 24: per output value
 * 4.3 + 7 + 6 at stride 1 and 8.5 + 8.5 + 6 at stride 2. */
#include "assembly.h"
#include "planes.h"

#if EFM_KERNEL_DSP

_Static_assert(sizeof(efm_dsp_record) == 48 && sizeof(efm_dsp_filter) == 36, "as below");
_Static_assert(offsetof(efm_dsp_filter, channel) == 20 && offsetof(efm_dsp_channel, multiplier) == 4, "as below");
_Static_assert(offsetof(efm_dsp_lines, out) == 12 && offsetof(efm_dsp_lines, stride) == 16, "as below");
_Static_assert(offsetof(efm_dsp_lines, count) == 20 && offsetof(efm_dsp_lines, channels) == 24, "as below");
_Static_assert(offsetof(efm_dsp_lines, step) == 28 && sizeof(efm_dsp_lines) == 32, "as below");

/* One instruction a line. */
/* clang-format off */

/* r0 to    r1 r2 r3 rows    r4 stride    r5 - r10 words of both columns, then halves of them    r10 r12 lr one channel */
#define CHANNEL(a, b, c, turn) \
    "sxtb16 r10, " a turn "\n" \
    "sxtb16 r12, " b turn "\n" \
    "sxtb16 lr, " c turn "\n" \
    "stm r0!, {r10, r12, lr}\n"

EFM_DSP_ASM void efm_dsp_gather(efm_dsp_record *to, const int8_t *const rows[3], uint32_t stride, uint32_t count)
{
    __asm(
        ".syntax unified\n"
        "push {r4-r11, lr}\n"
        "mov r4, r2\n"
        "add r3, r3, r3, lsl #1\n"
        "add r3, r0, r3, lsl #4\n"
        "push {r3}\n" /* behind the last record */
        "ldm r1, {r1, r2, r3}\n"
        "1:\n"
        "ldr r5, [r1]\n"
        "ldr r6, [r1, r4]\n"
        "ldr r7, [r2]\n"
        "ldr r8, [r2, r4]\n"
        "ldr r9, [r3]\n"
        "ldr r10, [r3, r4]\n"
        "add r1, r1, r4, lsl #1\n"
        "add r2, r2, r4, lsl #1\n"
        "add r3, r3, r4, lsl #1\n"
        "pkhbt r11, r5, r7, lsl #16\n"
        "pkhtb r5, r7, r5, asr #16\n"
        "pkhbt r7, r6, r8, lsl #16\n"
        "pkhtb r6, r8, r6, asr #16\n"
        "pkhbt r8, r9, r10, lsl #16\n"
        "pkhtb r9, r10, r9, asr #16\n" /* channels 0 and 1: r11 r7 r8; 2 and 3: r5 r6 r9 */
        CHANNEL("r11", "r7", "r8", "") CHANNEL("r11", "r7", "r8", ", ror #8")
        CHANNEL("r5", "r6", "r9", "") CHANNEL("r5", "r6", "r9", ", ror #8")
        "ldr r5, [sp]\n"
        "cmp r0, r5\n"
        "bne 1b\n"
        "add sp, sp, #4\n"
        "pop {r4-r11, pc}\n"
    );
}

/* r0 records    r2 sums    r3 behind them    r4 r5 r6 weights of columns    r7 r8 below    r9 bias
   r10 r11 r12 the record    r1 lr two sums */
#define NEXT_RECORD \
    "ldr r12, [r0, #56]\n" \
    "ldrd r10, r11, [r0, #48]!\n"

#define TWO_SUMS_1 \
    "smlad r1, r10, r4, r9\n" \
    "smlad lr, r11, r4, r9\n" \
    "smlad r1, r11, r5, r1\n" \
    "smlad r1, r12, r7, r1\n" \
    "smlatb lr, r12, r7, lr\n" \
    NEXT_RECORD \
    "smlad r1, r10, r6, r1\n" \
    "smlad lr, r10, r5, lr\n" \
    "smlad lr, r11, r6, lr\n" \
    "smlabt r1, r12, r8, r1\n" \
    "smlad lr, r12, r8, lr\n" \
    "stm r2!, {r1, lr}\n"

#define SUM_2(sum) \
    "smlad " sum ", r10, r4, r9\n" \
    "smlad " sum ", r11, r5, " sum "\n" \
    "smlad " sum ", r12, r7, " sum "\n" \
    NEXT_RECORD \
    "smlad " sum ", r10, r6, " sum "\n" \
    "smlabt " sum ", r12, r8, " sum "\n"
#define TWO_SUMS_2 SUM_2("r1") SUM_2("lr") "stm r2!, {r1, lr}\n"

/* Two rounds of two sums, or one first where their number is odd. */
#define ROUNDS(two) \
    "beq 2f\n" \
    two \
    "cmp r2, r3\n" \
    "beq 3f\n" \
    "2:\n" \
    two two \
    "cmp r2, r3\n" \
    "bne 2b\n"

#define BYTE(v) EFM_DSP_FINISH(v, "r4", "r5", "r6", "r11")

/* The stack: the lines, of the channel that is next. Its bytes: r0 sums    r1 out    r2 r3 stride, once and three times
   r4 r5 r6 multiplier, rise, shift    r7 - r10 sums    r11 free    lr how many are left */
EFM_DSP_ASM void efm_dsp_make_lines(const efm_dsp_lines *lines)
{
    __asm(
        ".syntax unified\n"
        "push {r4-r11, lr}\n"
        "ldm r0, {r4-r11}\n"
        "push {r4-r11}\n"
        "1:\n"
        "ldm sp, {r0, r1, r2}\n"
        "ldr r3, [sp, #20]\n"
        "ldr r12, [sp, #28]\n"
        "add r3, r3, #1\n"
        "lsr lr, r3, #1\n"
        "add r3, r2, lr, lsl #3\n"
        "ldm r1, {r4-r9}\n"
        "cmp r12, #1\n"
        "ldm r0, {r10, r11, r12}\n"
        "bne 8f\n"
        "tst lr, #1\n"
        ROUNDS(TWO_SUMS_1)
        "3:\n"
        "10:\n"
        "ldr r1, [sp, #12]\n"
        "cmp r1, #0\n"
        "beq 9f\n"
        "ldm sp, {r7, r8}\n"
        "ldr r2, [sp, #16]\n"
        "ldr r0, [sp, #8]\n"
        "add r7, r7, #12\n"
        "add r8, r8, #24\n"
        "ldm r8!, {r4, r5, r6}\n"
        "add r9, r1, #1\n"
        "str r9, [sp, #12]\n"
        "stm sp, {r7, r8}\n"
        "ldr lr, [sp, #20]\n"
        "add r3, r2, r2, lsl #1\n"
        "subs lr, lr, #4\n"
        "bmi 5f\n"
        "4:\n"
        "ldm r0!, {r7-r10}\n"
        BYTE("r7") BYTE("r8") BYTE("r9") BYTE("r10")
        "strb r7, [r1]\n"
        "strb r8, [r1, r2]\n"
        "strb r9, [r1, r2, lsl #1]\n"
        "strb r10, [r1, r3]\n"
        "add r1, r1, r2, lsl #2\n"
        "subs lr, lr, #4\n"
        "bpl 4b\n"
        "5:\n"
        "adds lr, lr, #4\n"
        "beq 7f\n"
        "6:\n"
        "ldr r7, [r0], #4\n"
        BYTE("r7")
        "strb r7, [r1]\n"
        "add r1, r1, r2\n"
        "subs lr, lr, #1\n"
        "bne 6b\n"
        "7:\n"
        "ldr r0, [sp, #24]\n"
        "subs r0, r0, #1\n"
        "str r0, [sp, #24]\n"
        "bne 1b\n"
        "9:\n"
        "add sp, sp, #32\n"
        "pop {r4-r11, pc}\n"
        "8:\n"
        "tst lr, #1\n"
        ROUNDS(TWO_SUMS_2)
        "3:\n"
        "b 10b\n"
    );
}

/* clang-format on */

#endif
