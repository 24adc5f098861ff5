/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel that this machine would choose against the portable one, on random and on extreme values.
 * Prints how many cases differ; 0 is well. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fixed.h"
#include "kernels/kernel.h"

enum { ROUNDS = 3000, MOST = 80 };

static uint32_t state = 1;

static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static int8_t byte(void)
{
    static const int8_t extreme[] = {-128, 127, -1, 0};
    uint32_t v = draw();
    return v & 0x300 ? (int8_t)v : extreme[v & 3];
}

static int32_t word(void)
{
    static const int32_t extreme[] = {INT32_MIN, INT32_MAX, -1, 0, 1, INT32_MIN + 1, 1 << 30, -(1 << 30)};
    uint32_t v = draw();
    return (v & 7) == 0 ? extreme[v >> 8 & 7] : (int32_t)draw() >> (v >> 8 & 31);
}

static int dots_differ(const efm_kernel *kernel)
{
    int8_t x[2 * MOST + 8], w[16 * MOST + 8];
    int32_t a[EFM_DOT_PATCHES][EFM_DOT_ROWS] = {{0}}, b[EFM_DOT_PATCHES][EFM_DOT_ROWS] = {{0}};
    uint32_t depth = draw() % MOST, patches = 1 + draw() % 2, rows = 1 + draw() % 16, at = draw() % 4, wrong = 0;
    for (uint32_t i = 0; i < sizeof x; i++) {
        x[i] = byte();
    }
    for (uint32_t i = 0; i < sizeof w; i++) {
        w[i] = byte();
    }
    kernel->dots(x + at, depth, patches, w + at, depth, rows, depth, a);
    efm_kernel_portable.dots(x + at, depth, patches, w + at, depth, rows, depth, b);
    for (uint32_t p = 0; p < patches; p++) {
        for (uint32_t r = 0; r < rows; r++) {
            wrong += a[p][r] != b[p][r];
        }
    }
    return wrong != 0;
}

static int taps_differ(const efm_kernel *kernel)
{
    int8_t x[EFM_TAPS][MOST], w[EFM_TAPS * MOST];
    const int8_t *rows[EFM_TAPS];
    int32_t a[MOST], b[MOST], zero = draw() % 3 == 0 ? byte() : 0;
    uint32_t taps = 1 + draw() % EFM_TAPS, channels = 1 + draw() % (MOST - 4);
    if (draw() % 2) {
        channels = (channels + 3) & ~3u;
    }
    for (uint32_t t = 0; t < EFM_TAPS; t++) {
        rows[t] = x[t] + draw() % 4;
        for (uint32_t i = 0; i < MOST; i++) {
            x[t][i] = byte(), w[t * MOST + i] = byte();
        }
    }
    for (uint32_t i = 0; i < MOST; i++) {
        a[i] = b[i] = (int32_t)draw() >> 8;
    }
    kernel->taps(rows, taps, w, zero, channels, a);
    efm_kernel_portable.taps(rows, taps, w, zero, channels, b);
    return memcmp(a, b, sizeof a) != 0;
}

static int requantize_differs(const efm_kernel *kernel)
{
    int32_t sums[MOST], bias[MOST], multiplier[MOST];
    uint32_t low[MOST];
    int8_t shift[MOST], a[MOST] = {0}, b[MOST] = {0};
    for (uint32_t i = 0; i < MOST; i++) {
        sums[i] = word();
        bias[i] = word();
        multiplier[i] = word() & INT32_MAX;
        low[i] = draw() & 0x3fffff;
        shift[i] = (int8_t)(EFM_SHIFT_MIN + (int32_t)(draw() % (EFM_SHIFT_MAX - EFM_SHIFT_MIN + 1)));
    }
    int32_t whole = draw() % 2, from = byte(), to = byte();
    efm_requant how = {(uint8_t *)bias,
                       (uint8_t *)multiplier,
                       (uint8_t *)shift,
                       (uint8_t *)low,
                       draw() % 4 == 0,
                       byte(),
                       whole || from > to ? -128 : from,
                       whole || from > to ? 127 : to};
    uint32_t first = draw() % 8, count = draw() % (MOST - 8);
    kernel->requantize(&how, sums, first, count, a);
    efm_kernel_portable.requantize(&how, sums, first, count, b);
    return memcmp(a, b, sizeof a) != 0;
}

int main(void)
{
    const efm_kernel *kernel = efm_kernel_choose();
    int dots = 0, taps = 0, requantize = 0;
    for (int i = 0; i < ROUNDS; i++) {
        dots += dots_differ(kernel);
        taps += taps_differ(kernel);
        requantize += requantize_differs(kernel);
    }
    printf("%s: dots %d, taps %d, requantize %d\n", kernel == &efm_kernel_portable ? "portable" : "another", dots, taps,
           requantize);
    return dots + taps + requantize != 0;
}
