/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes side by side become halves of words, in the order in which the inner loops read them: a word of three pixels in
 * 11 instructions, or of two rows of weights in 8. */
#include "assembly.h"
#include "dsp.h"

#if EFM_KERNEL_DSP

/* One instruction a line. */
/* clang-format off */

/* Two rounds of `round`, or one first where `words` is odd. */
#define ROUNDS(words, round) \
    ".syntax unified\n" \
    "push {r4-r9, lr}\n" \
    words \
    "lsrs lr, lr, #1\n" \
    "bcc 1f\n" \
    round \
    "beq 2f\n" \
    "1:\n" \
    round round \
    "subs lr, lr, #1\n" \
    "bne 1b\n" \
    "2:\n" \
    "pop {r4-r9, pc}\n"

#define TWO \
    "ldr r5, [r1], #4\n" \
    "ldr r7, [r2], #4\n" \
    "sxtb16 r4, r5\n" \
    "sxtb16 r6, r5, ror #8\n" \
    "sxtb16 r5, r7\n" \
    "sxtb16 r7, r7, ror #8\n" \
    "stm r0!, {r4-r7}\n"

#define THREE \
    "ldr r4, [r1], #4\n" \
    "ldr r5, [r2], #4\n" \
    "ldr r6, [r3], #4\n" \
    "sxtb16 r7, r4, ror #8\n" \
    "sxtb16 r8, r5, ror #8\n" \
    "sxtb16 r9, r6, ror #8\n" \
    "sxtb16 r4, r4\n" \
    "sxtb16 r5, r5\n" \
    "sxtb16 r6, r6\n" \
    "stm r0!, {r4-r9}\n"

EFM_DSP_ASM static uint32_t *widen_two(uint32_t *to, const int8_t *a, const int8_t *b, uint32_t words)
{
    __asm(ROUNDS("mov lr, r3\n", TWO));
}

EFM_DSP_ASM static uint32_t *words_of_three(uint32_t *to, const int8_t *a, const int8_t *b, const int8_t *c,
                                            uint32_t words)
{
    __asm(ROUNDS("ldr lr, [sp, #28]\n", THREE));
}

/* `words` words, an even number. */
EFM_DSP_ASM void efm_dsp_copy(uint32_t *to, const uint32_t *from, uint32_t words)
{
    __asm(
        ".syntax unified\n"
        "push {r4-r10, lr}\n"
        "subs r2, r2, #8\n"
        "bmi 2f\n"
        "1:\n"
        "ldm r1!, {r3-r10}\n"
        "stm r0!, {r3-r10}\n"
        "subs r2, r2, #8\n"
        "bpl 1b\n"
        "2:\n"
        "adds r2, r2, #8\n"
        "beq 4f\n"
        "3:\n"
        "ldm r1!, {r3, r4}\n"
        "stm r0!, {r3, r4}\n"
        "subs r2, r2, #2\n"
        "bne 3b\n"
        "4:\n"
        "pop {r4-r10, pc}\n"
    );
}

/* clang-format on */

/* Two rows of `bytes` weights become pairs. What is multiplied by a strip's zeros behind them may be anything. */
void efm_dsp_widen_weights(uint32_t *to, const int8_t *first, const int8_t *second, uint32_t bytes, int32_t weight_zero)
{
    uint32_t words = bytes / 4, rest = bytes % 4, zero = (uint16_t)weight_zero * 0x10001u, *at = to;
    if (words > 0) {
        at = widen_two(at, first, second, words);
    }
    if (rest > 0) {
        uint32_t a = efm_dsp_rest(first + 4 * words, rest), b = efm_dsp_rest(second + 4 * words, rest);
        at[0] = efm_dsp_even(a), at[1] = efm_dsp_even(b), at[2] = efm_dsp_odd(a), at[3] = efm_dsp_odd(b);
    }
    for (uint32_t i = 0; zero != 0 && i < 4 * efm_dsp_steps(bytes); i++) {
        __asm("ssub16 %0, %0, %1" : "+r"(to[i]) : "r"(zero));
    }
}

/* The bytes of a pixel as words. */
typedef struct reader {
    const int8_t *const *run;
    uint32_t run_bytes, at, left;
} reader;

static uint32_t next_word(reader *from)
{
    uint32_t v = 0;
    for (uint32_t i = 0; i < 4 && from->left > 0; i++, from->left--) {
        if (from->at == from->run_bytes) {
            from->run++, from->at = 0;
        }
        v |= (uint32_t)(uint8_t)(*from->run)[from->at++] << 8 * i;
    }
    return v;
}

/* Pixel p of any runs, as one of `across` side by side. */
static void widen_any(const efm_conv_call *call, uint32_t p, uint32_t across, uint32_t *to)
{
    reader from = {call->in + (size_t)p * call->runs, call->run_bytes, 0, call->tile.depth};
    for (uint32_t i = 0; i < efm_dsp_steps(call->tile.depth); i++, to += 2 * across) {
        uint32_t v = next_word(&from);
        to[0] = efm_dsp_even(v), to[across] = efm_dsp_odd(v);
    }
}

static uint32_t *widen_one(uint32_t *to, const int8_t *x, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes / 4; i++, x += 4, to += 2) {
        uint32_t v = efm_dsp_load(x);
        to[0] = efm_dsp_even(v), to[1] = efm_dsp_odd(v);
    }
    if (bytes % 4 > 0) {
        uint32_t v = efm_dsp_rest(x, bytes % 4);
        *to++ = efm_dsp_even(v), *to++ = efm_dsp_odd(v);
    }
    return to;
}

static uint32_t *widen_three(uint32_t *to, const int8_t *const *x, uint32_t apart, uint32_t bytes)
{
    const int8_t *a = x[0], *b = x[apart], *c = x[2 * apart];
    uint32_t words = bytes / 4, rest = bytes % 4;
    if (words > 0) {
        to = words_of_three(to, a, b, c, words);
    }
    if (rest > 0) {
        uint32_t last[EFM_DSP_ACROSS] = {efm_dsp_rest(a + 4 * words, rest), efm_dsp_rest(b + 4 * words, rest),
                                         efm_dsp_rest(c + 4 * words, rest)};
        for (uint32_t i = 0; i < EFM_DSP_ACROSS; i++, to++) {
            to[0] = efm_dsp_even(last[i]), to[EFM_DSP_ACROSS] = efm_dsp_odd(last[i]);
        }
        to += EFM_DSP_ACROSS;
    }
    return to;
}

/* Pixels p .. p + n - 1, n = 3 or 1, as a group; what lies behind. */
uint32_t *efm_dsp_widen_pixels(const efm_conv_call *call, uint32_t p, uint32_t n, uint32_t *to)
{
    const int8_t *const *in = call->in + (size_t)p * call->runs;
    if (call->runs > 1 && call->run_bytes % 4 > 0) {
        for (uint32_t i = 0; i < n; i++) {
            widen_any(call, p + i, n, to + i);
        }
        to += 2 * n * efm_dsp_steps(call->tile.depth);
    } else {
        for (uint32_t run = 0; run < call->runs; run++) {
            to = n == 1 ? widen_one(to, in[run], call->run_bytes)
                        : widen_three(to, in + run, call->runs, call->run_bytes);
        }
    }
    return to;
}

#endif
