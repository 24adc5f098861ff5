/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzzer's input is read with, and tables made from few bytes of it that codecs mostly accept. */
#ifndef FUZZ_TABLES_H
#define FUZZ_TABLES_H

#include <stdlib.h>
#include <string.h>

#include "codecs/codec.h"
#include "codecs/shared.h"

enum { CONTEXT_FRONT = 12, TEMPORAL_FRONT = 2, LEARNED_FRONT = 8, CURVE = 512 };

typedef struct source {
    const uint8_t *at;
    size_t left;
} source;

static void must(int holds)
{
    if (!holds) {
        abort();
    }
}

static uint8_t take(source *s)
{
    if (s->left == 0) {
        return 0;
    }
    s->left--;
    return *s->at++;
}

/* Memory of exactly this size, filled from the input; zeros once that is used up. */
static uint8_t *take_bytes(source *s, size_t count)
{
    uint8_t *bytes = malloc(count > 0 ? count : 1);
    must(bytes != NULL);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = take(s);
    }
    return bytes;
}

/* Numbers of 8 bits, for what need not be chosen byte by byte. */
static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 24;
}

/* Tables of rice and tans. */
static uint8_t *take_static(source *s, uint32_t id, const efm_codec_args *args, uint8_t mode, size_t *size)
{
    uint32_t maps = 1 + (mode >> 2) % 3, many = id == EFM_CODEC_TANS ? 1 + take(s) % 8u : 0;
    uint32_t seed = take(s), plain = id == EFM_CODEC_RICE && mode & 0x40, quick = id == EFM_CODEC_RICE && mode & 0x20;
    size_t classes = plain ? 2 * args->channels : (quick ? 90 : 81) * maps;
    *size = 4 + classes + 16 * many + (maps > 1 && !plain ? args->channels : 0);
    uint8_t *bytes = calloc(*size, 1), *counts = bytes + 4 + classes;
    must(bytes != NULL);
    for (size_t i = 4; i < 4 + classes; i++) {
        bytes[i] = (uint8_t)(draw(&seed) % (many ? 8 * many : args->zero_point == -128 ? 16 : 8));
    }
    for (uint32_t d = 0; d < many; d++, counts += 16) {
        counts[15] = counts[mode & 0x20 && args->zero_point == -128 ? 0 : 15] = 1;
        for (uint32_t left = counts[0] ? 62 : 63; left > 0; left--) {
            counts[1 + draw(&seed) % (mode & 0x10 ? 15 : 3)]++;
        }
    }
    for (size_t i = 4 + classes + 16 * many; i < *size; i++) {
        bytes[i] = (uint8_t)(take(s) % maps);
    }
    if (!plain) {
        bytes[0] = (uint8_t)(maps | (many ? many - 1 : 0) << 4);
        bytes[1] = take(s) % 65;
        bytes[2] = (uint8_t)(64 - bytes[1]);
        bytes[3] = take(s);
    }
    if (quick) {
        bytes[0] = (uint8_t)(16 + bytes[0]);
        bytes[1] = plain ? 0 : (uint8_t)(8 + take(s) % 9);
        bytes[2] = plain ? 0 : take(s);
    }
    return bytes;
}

/* Tables of dctcm. */
static uint8_t *take_cosine(source *s, const efm_codec_args *args, uint8_t mode, size_t *size)
{
    *size = 10 + (mode & 4 ? 2 * args->channels : 0);
    uint8_t *bytes = take_bytes(s, *size);
    bytes[0] %= 3;
    bytes[1] = (mode & 4) != 0;
    for (size_t k = 2; k < 10; k++) {
        bytes[k] = bytes[0] ? (uint8_t)((bytes[k] & 0x70) | (bytes[k] & 15) % 10) : 0;
    }
    for (size_t i = 10; i < *size; i += 2) {
        bytes[i] = (uint8_t)(bytes[i] % args->channels);
        bytes[i + 1] = 0;
    }
    return bytes;
}

/* Tables of context, of temporal, which has two bytes before them, and of mix, which has taps behind them. */
static uint8_t *take_context(source *s, uint32_t id, const efm_codec_args *args, size_t *size)
{
    size_t terms = take(s) % 9u, taps = id == EFM_CODEC_MIX ? take(s) % 9u : 0;
    size_t front = id == EFM_CODEC_TEMPORAL ? TEMPORAL_FRONT : 0;
    size_t first = front + CONTEXT_FRONT, behind = first + 2 * terms * args->channels;
    *size = behind + (id == EFM_CODEC_MIX ? 1 + 8 * taps * args->channels : 0);
    uint8_t *bytes = take_bytes(s, *size);
    bytes[front] &= 1;
    bytes[front + 1] = (uint8_t)terms;
    for (size_t i = 0; i < terms * args->channels; i++) {
        uint8_t *term = bytes + first + 2 * i;
        term[0] = (uint8_t)(term[0] % (i / terms + 1));
        term[1] = term[0] ? term[1] : 0;
    }
    if (id == EFM_CODEC_MIX) {
        bytes[behind] = (uint8_t)taps;
    }
    for (size_t i = 0; i < 4 * taps * args->channels; i++) {
        uint8_t *tap = bytes + behind + 1 + 2 * i;
        *tap = (uint8_t)(*tap % args->channels - i / (4 * taps));
    }
    return bytes;
}

/* Units of gf2 with up to three terms each, below `limit`; null bytes count them only. */
static size_t draw_units(uint8_t *bytes, uint32_t seed, size_t count, size_t head, uint32_t mask, uint32_t limit)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t terms = draw(&seed) % 4, low = draw(&seed), high = draw(&seed);
        if (bytes != NULL) {
            memset(bytes + at, 0, head);
            bytes[at] = (uint8_t)(head == 2 ? low % 7 - 3 : low);
            bytes[at + 1] = (uint8_t)(head == 2 ? terms : high % 3 - 1);
            bytes[at + head - 2] = (uint8_t)(head == 2 ? bytes[at] : terms);
        }
        at += head;
        for (; terms > 0; terms--, at += 2) {
            uint32_t word = draw(&seed) | draw(&seed) << 8;
            word = (word & ~mask) | (word & mask) % limit;
            if (bytes != NULL) {
                bytes[at] = (uint8_t)word;
                bytes[at + 1] = (uint8_t)(word >> 8);
            }
        }
    }
    return at;
}

/* Tables of gf2. */
static uint8_t *take_learned(source *s, const efm_codec_args *args, uint8_t mode, size_t *size)
{
    uint32_t block = 1 + take(s) % 5u, outputs = block * args->channels, planes = 8 * outputs;
    uint32_t stored = 1 + (take(s) | (uint32_t)take(s) << 8) % (planes < 2048 ? planes : 2048);
    uint32_t seed = take(s), other = take(s);
    size_t curve = mode & 0x10 ? CURVE + outputs : 0;
    *size = LEARNED_FRONT + curve + draw_units(NULL, seed, stored, 2, 0x7FFF, planes)
            + draw_units(NULL, other, outputs, 4, 0x7FF, stored);
    uint8_t *bytes = calloc(*size, 1), *at = bytes + LEARNED_FRONT;
    must(bytes != NULL);
    bytes[0] = (uint8_t)block;
    bytes[1] = take(s);
    bytes[2] = (uint8_t)stored;
    bytes[3] = (uint8_t)(stored >> 8);
    bytes[4] = curve > 0;
    uint32_t bends = other;
    for (size_t i = 0; i < curve; i++) {
        *at++ = (uint8_t)draw(&bends);
    }
    at += draw_units(at, seed, stored, 2, 0x7FFF, planes);
    draw_units(at, other, outputs, 4, 0x7FF, stored);
    return bytes;
}

/* Tables for a codec: with the mode's top bit anything, else mostly good ones. */
static uint8_t *take_tables(source *s, uint32_t id, const efm_codec_args *args, uint8_t mode, size_t *size)
{
    int made = !(mode & 0x80);
    *size = made ? 0 : take(s);
    if (made && (id == EFM_CODEC_RICE || id == EFM_CODEC_TANS)) {
        return take_static(s, id, args, mode, size);
    }
    if (made && id == EFM_CODEC_DCTCM) {
        return take_cosine(s, args, mode, size);
    }
    if (made && id == EFM_CODEC_GF2) {
        return take_learned(s, args, mode, size);
    }
    if (made && (id == EFM_CODEC_CONTEXT || id == EFM_CODEC_TEMPORAL || id == EFM_CODEC_MIX)) {
        return take_context(s, id, args, size);
    }
    return take_bytes(s, *size);
}

#endif
