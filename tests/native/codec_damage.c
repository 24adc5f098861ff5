/* SPDX-License-Identifier: Apache-2.0 */
/* Codes random rows with every codec, damages the codes, and decodes them from buffers of exactly
 * their size, so that the sanitizers see any step outside. Prints how many codes were refused and
 * how many were still read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs/codec.h"

#define TRIALS 1500

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void fill_row(int8_t *row, uint32_t values, int32_t zero_point)
{
    uint32_t spread = 1 + any(120);
    uint32_t zeros = any(100);

    for (uint32_t i = 0; i < values; i++) {
        int32_t v = zero_point + (int32_t)any(2 * spread) - (int32_t)spread;

        row[i] = (int8_t)(any(100) < zeros ? zero_point : v < -128 ? -128 : v > 127 ? 127 : v);
    }
}

static void fill_tables(uint8_t *t, uint32_t channels, uint32_t terms)
{
    for (uint32_t i = 0; i < 12; i++) {
        t[i] = (uint8_t)any(256);
    }
    t[0] &= 1;
    t[1] = (uint8_t)terms;
    for (uint32_t i = 0; i < channels * terms; i++) {
        uint32_t c = i / terms;

        t[12 + 2 * i] = (uint8_t)(c == 0 ? 0 : 1 + any(c < 255 ? c : 255));
        t[12 + 2 * i + 1] = (uint8_t)(c == 0 ? 0 : any(256));
    }
}

/* Further taps of mix, behind what context has too. */
static void fill_taps(uint8_t *t, uint32_t channels, uint32_t taps)
{
    t[0] = (uint8_t)taps;
    for (uint32_t i = 0; i < 4 * taps * channels; i++) {
        t[1 + 2 * i] = (uint8_t)(any(channels) - i / (4 * taps));
        t[2 + 2 * i] = (uint8_t)any(256);
    }
}

/* context, temporal and mix, whose tables are alike in part. */
static int predicts(const efm_codec_class *codec)
{
    return codec->id == 4 || codec->id == 9 || codec->id == 10;
}

static int try(const efm_codec_class *codec)
{
    uint32_t width = 1 + any(12), channels = 1 + any(20), values = width * channels;
    uint32_t front = codec->id == 9 ? 2 : 0, terms = predicts(codec) ? any(9) : 0;
    uint32_t taps = codec->id == 10 ? any(9) : 0, first = front + 12 + 2 * channels * terms;
    efm_codec_args args = {width, channels, (int32_t)any(256) - 128, 0, 0, 0, 0, 0};
    uint8_t *tables = malloc(first + 1 + 8 * channels * taps);
    int8_t *reference = malloc(values);
    uint8_t *code = malloc(4 * values + 16);
    int8_t *row = malloc(values), *out = malloc(values);
    uint8_t *damaged;
    uint32_t bytes;
    efm_status status;

    fill_tables(tables + front, channels, terms);
    if (codec->id == 9) {
        tables[0] = (uint8_t)(1 + any(6));
        tables[1] = (uint8_t)any(30);
        fill_row(reference, values, args.zero_point);
        args.reference = any(3) ? reference : 0;
    }
    args.tables = tables;
    fill_taps(tables + first, channels, taps);
    args.tables_bytes = !predicts(codec) ? 0 : codec->id == 10 ? first + 1 + 8 * channels * taps : first;
    if (codec->check(&args) != EFM_OK) {
        abort();
    }
    args.state = malloc(codec->state_bytes(&args) + 1);
    args.y = any(2);
    if (args.y > 0) { /* a row before, so that the state is a state */
        args.y = 0;
        fill_row(row, values, args.zero_point);
        codec->encode(&args, row, code, 4 * values + 16, &bytes);
        args.y = 1;
    }
    fill_row(row, values, args.zero_point);
    codec->encode(&args, row, code, 4 * values + 16, &bytes);
    bytes = any(4) == 0 ? any(bytes + 1) : bytes;
    damaged = malloc(bytes + 1 - (bytes > 0));
    memcpy(damaged, code, bytes);
    for (uint32_t i = any(4); i > 0 && bytes > 0; i--) {
        damaged[any(bytes)] ^= (uint8_t)(1 + any(255));
    }
    status = codec->decode(&args, damaged, bytes, out);
    if (status != EFM_OK && status != EFM_BAD_CODEC) {
        abort();
    }
    for (uint32_t i = 0; i < values; i++) { /* the whole row can be read */
        seed += (uint8_t)out[i];
    }
    free(args.state);
    free(damaged);
    free(tables);
    free(reference);
    free(code);
    free(row);
    free(out);
    return status == EFM_OK;
}

int main(void)
{
    static const uint8_t ids[] = {1, 2, 3, 4, 9, 10};
    uint32_t read = 0;

    for (uint32_t i = 0; i < TRIALS; i++) {
        for (uint32_t each = 0; each < sizeof ids; each++) {
            read += (uint32_t)try(efm_codec_find(ids[each]));
        }
    }
    printf("%u %u\n", (uint32_t)sizeof ids * TRIALS - read, read);
    return 0;
}
