/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor does of elements against its meaning: random calls of any size, for factors of real layers and for
 * any at all, with guard bytes around everything. Prints what is used and how many calls differ; 0 is well. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgefm_bytes.h"
#include "fixed.h"
#include "kernels/elements.h"

enum { ROUNDS = 4000, MOST = 70, GUARD = 16 };

static uint32_t state = 1;

static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint32_t below(uint32_t n)
{
    return (draw() >> 8) % n;
}

static int8_t byte(void)
{
    static const int8_t extreme[] = {-128, 127, -1, 0};
    uint32_t v = draw();
    return v & 0x300 ? (int8_t)v : extreme[v & 3];
}

static void fill(int8_t *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = byte();
    }
}

/* A factor below 1 as TFLite writes it, shifted right `least` times or more; or anything, unnormalized too. */
static efm_factor factor(int wild, int least, uint32_t span)
{
    efm_factor f = {(int32_t)(1u << 30 | draw() >> 2), -least - (int32_t)below(span)};
    if (wild) {
        f.multiplier = (int32_t)(draw() >> 1 >> below(31));
        f.shift = EFM_SHIFT_MIN + (int32_t)below(62);
    }
    switch (below(wild ? 6 : 60)) {
    case 0:
        f.multiplier = INT32_MAX;
        break;
    case 1:
        f.multiplier = 1 << 30;
        break;
    default:
        break;
    }
    return f;
}

static void limits(efm_elements *run)
{
    int32_t low = below(2) ? -128 : byte(), high = below(2) ? 127 : byte();
    run->low = low < high ? low : high;
    run->high = low < high ? high : low;
    run->zero = byte();
}

static efm_elements any_run(int wild, int product)
{
    efm_elements run = {.a = {.zero = byte(), .factor = {1 << 30, 0}, .sign = 1},
                        .b = {.zero = byte(), .factor = factor(wild, 0, 12), .sign = 1},
                        .count = below(MOST),
                        .factor = product ? factor(wild, 0, 18) : factor(wild, 14, 10)};
    limits(&run);
    if (below(8) == 0) {
        run.b.factor = run.a.factor;
    }
    if (wild) {
        run.a.factor = below(3) ? factor(1, 0, 1) : run.a.factor;
        run.a.sign = below(2) ? 1 : -1;
        run.b.sign = below(2) ? 1 : -1;
    }
    if (below(2)) {
        efm_operand a = run.a;
        run.a = run.b;
        run.b = a;
    }
    return run;
}

static int32_t fine(const efm_operand *o, uint32_t i)
{
    int32_t v = (o->at[i] - o->zero) * (1 << EFM_LEFT_SHIFT);
    return efm_requant_twice(v, o->factor.multiplier, o->factor.shift);
}

static int8_t meant(const efm_elements *r, uint32_t i, int product)
{
    int32_t v = (r->a.at[i] - r->a.zero) * (r->b.at[i] - r->b.zero);
    if (!product) {
        v = (int32_t)((uint32_t)fine(&r->a, i) * (uint32_t)r->a.sign + (uint32_t)fine(&r->b, i) * (uint32_t)r->b.sign);
    }
    v = efm_requant_twice(v, r->factor.multiplier, r->factor.shift);
    return (int8_t)(efm_clamp(v, r->low - r->zero, r->high - r->zero) + r->zero);
}

/* Whether all the elements that were done, and nothing else, are as meant. */
static int run_is_well(int wild, int product, uint32_t *done)
{
    efm_elements run = any_run(wild, product);
    int8_t *a = malloc(run.count + 1), *b = malloc(run.count + 1), out[MOST + 2 * GUARD], before[sizeof out];
    fill(a, run.count);
    fill(b, run.count);
    fill(before, sizeof before);
    memcpy(out, before, sizeof out);
    run.a.at = a;
    run.b.at = b;
    run.out = out + GUARD;
    *done = product ? efm_mul_fast(&run) : efm_add_fast(&run);
    int well = *done <= run.count;
    for (uint32_t i = 0; i < run.count; i++) {
        before[GUARD + i] = i < *done ? meant(&run, i, product) : before[GUARD + i];
    }
    well = well && memcmp(out, before, sizeof out) == 0;
    free(a);
    free(b);
    return well;
}

static int pixels_are_well(void)
{
    enum { CHANNELS = 40, PIXELS = 9, MANY = 600 };
    const uint32_t channels = below(CHANNELS), pixels = 1 + below(below(20) ? PIXELS : MANY),
                   stride = channels + below(3);
    const size_t bytes = (size_t)stride * (pixels - 1) + channels;
    int8_t *at = malloc(bytes + 1), most[CHANNELS], largest[CHANNELS];
    int32_t sums[CHANNELS], expected[CHANNELS];
    fill(at, (uint32_t)bytes);
    if (below(8) == 0) {
        memset(at, -128, bytes);
    }
    fill(most, CHANNELS);
    memcpy(largest, most, sizeof most);
    for (uint32_t c = 0; c < CHANNELS; c++) {
        sums[c] = expected[c] = (int32_t)draw();
    }
    const uint32_t summed = efm_sum_fast(sums, at, stride, pixels, channels);
    const uint32_t compared = efm_max_fast(most, at, stride, pixels, channels);
    for (uint32_t i = 0; i < pixels * channels; i++) {
        const uint32_t c = i % channels;
        const int8_t v = at[i / channels * stride + c];
        expected[c] = (int32_t)((uint32_t)expected[c] + (c < summed ? (uint32_t)v : 0));
        largest[c] = c < compared && v > largest[c] ? v : largest[c];
    }
    free(at);
    return summed <= channels && compared <= channels && memcmp(sums, expected, sizeof sums) == 0
           && memcmp(most, largest, sizeof most) == 0;
}

/* As ops/sums.h has it; 64 bits hold every sum. */
static int32_t average(int64_t sum, int32_t count, int up)
{
    int64_t half = count / 2;
    return (int32_t)(up ? (sum + 128 * (int64_t)count + half) / count - 128
                        : (sum > 0 ? sum + half : sum - half) / count);
}

static int means_are_well(void)
{
    enum { CHANNELS = 40 };
    const int how = (int)below(3);
    const uint32_t count = below(CHANNELS);
    int32_t sums[CHANNELS];
    int8_t out[CHANNELS], before[CHANNELS];
    efm_elements limited;
    limits(&limited);
    efm_sums run = {.at = sums,
                    .out = out,
                    .count = count,
                    .pixels = below(2) ? 1 + (int32_t)below(60) : 1 + (int32_t)below(1u << below(23)),
                    .offset = byte(),
                    .factor = factor(below(3) == 0, 0, 18),
                    .zero = limited.zero,
                    .low = limited.low,
                    .high = limited.high};
    fill(before, CHANNELS);
    memcpy(out, before, sizeof out);
    for (uint32_t c = 0; c < CHANNELS; c++) {
        sums[c] = below(8) ? (int32_t)(draw() % (256 * (uint32_t)run.pixels)) - 128 * run.pixels : (int32_t)draw();
        if (below(2)) { /* where quotients change */
            sums[c] = run.pixels * ((int32_t)below(256) - 128) + run.pixels / 2 + (int32_t)below(3) - 1;
        }
    }
    const uint32_t done = how == 2 ? efm_scale_fast(&run) : efm_divide_fast(&run, how);
    for (uint32_t c = 0; c < done && done <= count; c++) {
        int32_t sum = efm_clamp(sums[c], -128 * run.pixels, 127 * run.pixels), zero = how == 2 ? run.zero : 0;
        int32_t v = how == 2 ? efm_requant_twice(sum - run.offset * run.pixels, run.factor.multiplier, run.factor.shift)
                             : average(sum, run.pixels, how);
        before[c] = (int8_t)(efm_clamp(v, run.low - zero, run.high - zero) + zero);
    }
    return done <= count && memcmp(out, before, sizeof out) == 0;
}

static int shares_are_well(void)
{
    enum { CHANNELS = 40, TABLE = 1024 };
    const uint32_t count = below(CHANNELS), at = below(4);
    uint8_t table[TABLE + 3];
    int8_t from[CHANNELS], to[CHANNELS], before[CHANNELS];
    fill((int8_t *)table, sizeof table);
    for (uint32_t i = 0; i < TABLE; i += 4) {
        table[at + i + 3] &= 127;
    }
    fill(from, CHANNELS);
    fill(before, CHANNELS);
    memcpy(to, before, sizeof to);
    const efm_shares run = {.table = table + at,
                            .from = from,
                            .to = to,
                            .count = count,
                            .top = below(2) ? 127 : byte(),
                            .scale = (int32_t)(draw() >> 1 | (below(4) ? 1u << 30 : 0)),
                            .shift = 1 + (int32_t)below(32)};
    uint32_t sum = draw(), expected = sum;
    const uint32_t added = efm_exponentials_fast(run.table, from, run.top, count, &sum), done = efm_shares_fast(&run);
    for (uint32_t c = 0; c < count; c++) {
        const uint8_t *word = run.table + 4 * (run.top > from[c] ? run.top - from[c] : 0);
        const int32_t v = efm_load_le32s(word);
        const int64_t share = efm_multiply_high(run.scale, v), half = (int64_t)1 << (run.shift - 1);
        expected += c < added ? (uint32_t)efm_round_shift(v, EFM_EXPONENTIAL_SHIFT) : 0;
        before[c] = c < done ? (int8_t)efm_clamp((int32_t)((share + half) >> run.shift) - 128, -128, 127) : before[c];
    }
    return added <= count && done <= count && sum == expected && memcmp(to, before, sizeof to) == 0;
}

/* All that was copied, and nothing else, has what it was copied from. */
static int copies_are_well(void)
{
    enum { BYTES = 40, COUNT = 5 };
    const uint32_t bytes = 1 + below(BYTES), count = below(COUNT + 1);
    const size_t to_step = bytes + below(4), from_step = below(2) ? bytes : below(20);
    int8_t from[20 * COUNT + BYTES * COUNT], to[(BYTES + 4) * COUNT + 2 * GUARD], before[sizeof to];
    fill(from, sizeof from);
    fill(before, sizeof before);
    memcpy(to, before, sizeof to);
    const uint32_t done = efm_copy_fast(to + GUARD, to_step, from, from_step, count, bytes);
    for (uint32_t i = 0; i < done && done <= count; i++) {
        memcpy(before + GUARD + i * to_step, from + i * from_step, bytes);
    }
    return done <= count && memcmp(to, before, sizeof to) == 0;
}

int main(void)
{
    uint32_t wrong = 0, done, of_real = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (int product = 0; product < 2; product++) {
            wrong += !run_is_well(0, product, &done);
            of_real += done;
            wrong += !run_is_well(1, product, &done);
        }
        wrong += !pixels_are_well();
        wrong += !copies_are_well();
        wrong += !means_are_well();
        wrong += !shares_are_well();
    }
    printf("%s: %lu elements of real layers, %lu calls differ\n",
           EFM_ELEMENTS_VECTORS ? "vectors"
           : EFM_ELEMENTS_DSP   ? "dsp"
                                : "portable",
           (unsigned long)of_real, (unsigned long)wrong);
    return wrong > 0;
}
