/* SPDX-License-Identifier: Apache-2.0 */
/* CONV's inner loops, in assembly: compilers run out of registers here. All of one make:
 *
 *     r0 x    r1 w    r2 - r4 x of three pixels    r5 r6 w of two words    r7 rounds of the loop
 *     r8 r9 r10 sums of the first channel          r11 r12 lr sums of the second; HALVES: 256 * second + first
 *
 * A step is four inputs: 24 products in 16 (PAIRS) or 17 instructions (HALVES), 0.67 or 0.71 a product. Bytes are made
 * of the sums where they are: 8.2 instructions each, with all that is done once for six of them. */
#include "assembly.h"
#include "dsp.h"

#if EFM_KERNEL_DSP

_Static_assert(offsetof(efm_dsp_block, w) == 32 && offsetof(efm_dsp_block, steps) == 36, "as below");
_Static_assert(offsetof(efm_dsp_block, x) == 40 && offsetof(efm_dsp_block, end) == 44, "as below");
_Static_assert(offsetof(efm_dsp_block, at) == 48 && offsetof(efm_dsp_block, out) == 56, "as below");
_Static_assert(offsetof(efm_dsp_block, sums) == 60 && sizeof(efm_dsp_block) == 64, "as below");

/* One instruction a line. */
/* clang-format off */

/* Labels have addresses that are a multiple of 4 away from where the linker puts the section.
   The block is copied to the stack: w at 32, rounds at 36, what to do with sums at 40, the end of x at 44, the bytes'
   places at 48 and 52, out or sums at 56, where to enter the loop at 60. r1 = steps without the first. */
#define ENTER \
    ".syntax unified\n" \
    ".balign 4\n" \
    "push {r4-r11, lr}\n" \
    "sub sp, sp, #8\n" \
    "add r1, r0, #32\n" \
    "ldm r1, {r4-r11}\n" \
    "push {r4-r11}\n" \
    "ldm r0, {r4-r11}\n" \
    "push {r4-r11}\n" \
    "ldr r0, [sp, #40]\n" \
    "ldr r1, [sp, #36]\n" \
    "ldr r2, [sp, #60]\n" \
    "subs r1, r1, #1\n" \
    EFM_DSP_ADDRESS("r3", "6f") \
    "cmp r2, #0\n" \
    "beq 0f\n" \
    "str r2, [sp, #56]\n" \
    EFM_DSP_ADDRESS("r3", "5f") \
    "0:\n" \
    EFM_DSP_STATE("r3") \
    "str r3, [sp, #40]\n"

/* Enters the loop at label 2, of 1 << log steps that are `bytes` long each, so that it runs r1 steps: from label 3 back. */
#define PLAN(log, mask, bytes) \
    "lsr r2, r1, #" log "\n" \
    "str r2, [sp, #36]\n" \
    "and r1, r1, #" mask "\n" \
    "mov r2, #" bytes "\n" \
    "mul r1, r2, r1\n" \
    EFM_DSP_ADDRESS("r2", "3f") \
    "sub r2, r2, r1\n" \
    EFM_DSP_STATE("r2") \
    "str r2, [sp, #60]\n"

#define LEAVE \
    "4:\n" \
    "add sp, sp, #72\n" \
    "pop {r4-r11, pc}\n"

/* -- Three pixels ----------------------------------------------------------------------------------------- */

#define X3                 "ldm r0!, {r2, r3, r4}\n"
#define W2                 "ldm r1!, {r5, r6}\n"
#define FIRST3(w, a, b, c) "smuad " a ", r2, " w "\nsmuad " b ", r3, " w "\nsmuad " c ", r4, " w "\n"
#define THREE(w, a, b, c) \
    "smlad " a ", r2, " w ", " a "\nsmlad " b ", r3, " w ", " b "\nsmlad " c ", r4, " w ", " c "\n"
#define S               "r8", "r9", "r10"
#define T               "r11", "r12", "lr"
#define APPLY(how, ...) how(__VA_ARGS__)

#define PAIRS_FIRST \
    X3 W2 APPLY(FIRST3, "r5", S) APPLY(FIRST3, "r6", T) X3 W2 APPLY(THREE, "r5", S) \
    APPLY(THREE, "r6", T)
#define PAIRS_STEP   X3 W2 APPLY(THREE, "r5", S) APPLY(THREE, "r6", T) X3 W2 APPLY(THREE, "r5", S) APPLY(THREE, "r6", T)
#define HALVES_REST  X3 APPLY(THREE, "r6", T) "sxtb16 r6, r6\n" APPLY(THREE, "r6", S)
#define HALVES_FIRST W2 X3 APPLY(FIRST3, "r5", T) "sxtb16 r5, r5\n" APPLY(FIRST3, "r5", S) HALVES_REST
#define HALVES_STEP  W2 X3 APPLY(THREE, "r5", T) "sxtb16 r5, r5\n" APPLY(THREE, "r5", S) HALVES_REST

#define FOUR(step) step step step step

/* 256 * second + first, less the first; the second is 256 times itself from here on. */
#define SPLIT3 "sub r11, r11, r8\nsub r12, r12, r9\nsub lr, lr, r10\n"
#define SHIFT3 "asr r11, r11, #8\nasr r12, r12, #8\nasr lr, lr, #8\n"

/* v = bias + 2 * sum, then a byte of it. */
#define START(v, bias, twice) "add " v ", " bias ", " v ", " twice "\n"
#define FINISH                EFM_DSP_FINISH

#define BYTES3(twice) \
    "6:\n" \
    "ldm sp, {r1-r7}\n" \
    START("r8", "r1", "lsl #1") START("r9", "r1", "lsl #1") START("r10", "r1", "lsl #1") \
    FINISH("r8", "r2", "r3", "r4", "r1") FINISH("r9", "r2", "r3", "r4", "r1") \
    FINISH("r10", "r2", "r3", "r4", "r1") \
    "ldr r4, [sp, #28]\n" \
    START("r11", "r5", twice) START("r12", "r5", twice) START("lr", "r5", twice) \
    FINISH("r11", "r6", "r7", "r4", "r1") FINISH("r12", "r6", "r7", "r4", "r1") \
    FINISH("lr", "r6", "r7", "r4", "r1") \
    "ldr r4, [sp, #56]\n" \
    "ldm r4!, {r1, r2, r3}\n" \
    "str r4, [sp, #56]\n" \
    EFM_DSP_LOAD_TWO("r4", "r5", "48", "52") \
    "strb r11, [r1, r5]\n" \
    "strb r12, [r2, r5]\n" \
    "strb lr, [r3, r5]\n" \
    "strb r8, [r1, r4]\n" \
    "strb r9, [r2, r4]\n" \
    "strb r10, [r3, r4]\n" \
    "ldr r1, [sp, #44]\n" \
    "cmp r0, r1\n" \
    "bne 1b\n"

#define SUMS3 \
    "ldr r1, [sp, #56]\n" \
    "stm r1!, {r8, r9, r10, r11, r12, lr}\n" \
    "str r1, [sp, #56]\n" \
    "ldr r1, [sp, #44]\n" \
    "cmp r0, r1\n" \
    "bne 1b\n" \
    "b 4b\n"

#define ACROSS(bytes, first, steps, split, shift, twice) \
    __asm( \
        ENTER PLAN("2", "3", bytes) \
        "1:\n" \
        EFM_DSP_LOAD_TWO("r1", "r7", "32", "36") first \
        "ldr pc, [sp, #60]\n" \
        "2:\n" \
        steps \
        "3:\n" \
        "subs r7, r7, #1\n" \
        "bpl 2b\n" \
        split \
        "ldr pc, [sp, #40]\n" \
        BYTES3(twice) LEAVE \
        "5:\n" \
        shift SUMS3 \
    )

#ifdef __thumb__
#define PAIRS_BYTES  "56"
#define HALVES_BYTES "62"
#else
#define PAIRS_BYTES  "64"
#define HALVES_BYTES "68"
#endif

EFM_DSP_ASM void efm_dsp_pairs_across(const efm_dsp_block *block)
{
    ACROSS(PAIRS_BYTES, PAIRS_FIRST, FOUR(PAIRS_STEP), "", "", "lsl #1");
}

EFM_DSP_ASM void efm_dsp_halves_across(const efm_dsp_block *block)
{
    ACROSS(HALVES_BYTES, HALVES_FIRST, FOUR(HALVES_STEP), SPLIT3, SHIFT3, "asr #7");
}

/* -- One pixel -------------------------------------------------------------------------------------------- */

/* r2 - r5 x of eight inputs    r6 - r9 w of four words    r10 r11 sums, as above    r12 rounds of the loop
 * A step is eight inputs; one of four comes first, and a second where their number is even. */
#define X2                      "ldm r0!, {r2, r3}\n"
#define X4                      "ldm r0!, {r2-r5}\n"
#define W4                      "ldm r1!, {r6-r9}\n"
#define PAIR(op, x, a, b, s, t) op " r10, " x ", " a s "\n" op " r11, " x ", " b t "\n"
#define HALF(op, x, w, s, t)    op " r11, " x ", " w t "\nsxtb16 " w ", " w "\n" op " r10, " x ", " w s "\n"
#define AGAIN                   ", r10", ", r11"

#define PAIRS_FIRST1 X2 W4 PAIR("smuad", "r2", "r6", "r7", "", "") APPLY(PAIR, "smlad", "r3", "r8", "r9", AGAIN)
#define PAIRS_EVEN   X2 W4 APPLY(PAIR, "smlad", "r2", "r6", "r7", AGAIN) APPLY(PAIR, "smlad", "r3", "r8", "r9", AGAIN)
#define PAIRS_STEP1 \
    X4 W4 APPLY(PAIR, "smlad", "r2", "r6", "r7", AGAIN) \
    APPLY(PAIR, "smlad", "r3", "r8", "r9", AGAIN) W4 \
    APPLY(PAIR, "smlad", "r4", "r6", "r7", AGAIN) \
    APPLY(PAIR, "smlad", "r5", "r8", "r9", AGAIN)
#define WH            "ldm r1!, {r6, r7}\n"
#define HALVES_FIRST1 X2 WH HALF("smuad", "r2", "r6", "", "") APPLY(HALF, "smlad", "r3", "r7", AGAIN)
#define HALVES_TWO    APPLY(HALF, "smlad", "r2", "r6", AGAIN) APPLY(HALF, "smlad", "r3", "r7", AGAIN)
#define HALVES_EVEN   X2 WH HALVES_TWO
#define HALVES_STEP1  X4 W4 HALVES_TWO APPLY(HALF, "smlad", "r4", "r8", AGAIN) APPLY(HALF, "smlad", "r5", "r9", AGAIN)

/* At 64: where to go behind the first four inputs. */
#define PLAN_EIGHTS(bytes) \
    "and r4, r1, #1\n" \
    "lsr r1, r1, #1\n" \
    PLAN("1", "1", bytes) \
    "cmp r4, #0\n" \
    "beq 0f\n" \
    EFM_DSP_ADDRESS("r2", "7f") EFM_DSP_STATE("r2") \
    "0:\n" \
    "str r2, [sp, #64]\n"

#define BYTES1(twice) \
    "6:\n" \
    "ldm sp, {r1-r8}\n" \
    START("r10", "r1", "lsl #1") FINISH("r10", "r2", "r3", "r4", "r1") \
    START("r11", "r5", twice) FINISH("r11", "r6", "r7", "r8", "r1") \
    "ldr r4, [sp, #56]\n" \
    "ldr r1, [r4], #4\n" \
    "str r4, [sp, #56]\n" \
    EFM_DSP_LOAD_TWO("r4", "r5", "48", "52") \
    "strb r11, [r1, r5]\n" \
    "strb r10, [r1, r4]\n" \
    "ldr r1, [sp, #44]\n" \
    "cmp r0, r1\n" \
    "bne 1b\n"

#define SUMS1 \
    "ldr r2, [sp, #56]\n" \
    "ldr r3, [sp, #52]\n" \
    "stm r2!, {r10, r11}\n" \
    "ldr r0, [sp, #44]\n" \
    "str r1, [sp, #32]\n" \
    "str r2, [sp, #56]\n" \
    "subs r3, r3, #1\n" \
    "str r3, [sp, #52]\n" \
    "bne 1b\n" \
    "b 4b\n"

#define SINGLE(first, even, step, bytes, split, shift, twice) \
    __asm( \
        ENTER PLAN_EIGHTS(bytes) \
        "1:\n" \
        EFM_DSP_LOAD_TWO("r1", "r12", "32", "36") first \
        "ldr pc, [sp, #64]\n" \
        "7:\n" \
        even \
        "ldr pc, [sp, #60]\n" \
        "2:\n" \
        step step \
        "3:\n" \
        "subs r12, r12, #1\n" \
        "bpl 2b\n" \
        split \
        "ldr pc, [sp, #40]\n" \
        BYTES1(twice) LEAVE \
        "5:\n" \
        shift SUMS1 \
    )

#ifdef __thumb__
#define PAIRS_BYTES1  "42"
#define HALVES_BYTES1 "54"
#else
#define PAIRS_BYTES1  "44"
#define HALVES_BYTES1 "56"
#endif

EFM_DSP_ASM void efm_dsp_pairs_single(const efm_dsp_block *block)
{
    SINGLE(PAIRS_FIRST1, PAIRS_EVEN, PAIRS_STEP1, PAIRS_BYTES1, "", "", "lsl #1");
}

EFM_DSP_ASM void efm_dsp_halves_single(const efm_dsp_block *block)
{
    SINGLE(HALVES_FIRST1, HALVES_EVEN, HALVES_STEP1, HALVES_BYTES1, "sub r11, r11, r10\n", "asr r11, r11, #8\n",
           "asr #7");
}

/* clang-format on */

#endif
