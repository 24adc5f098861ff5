/* SPDX-License-Identifier: Apache-2.0 */
/* Every codec with any tables that it accepts: rows come back, and no code, no state, breaks decode().
 *
 * Input: codec, width, channels, zero point, mode, then tables, then rows and codes. A state lies in
 * the arena, where a forged plan can overlap it, so that it may hold anything between two rows.
 * With FUZZ_ONLY=ID it is always that codec. */
#include <stdlib.h>
#include <string.h>

#include "codecs/codec.h"
#include "codecs/lossless.h"

enum { MOST_ROWS = 8, HEAD = 12, TEMPORAL_HEAD = 2, SPOILT = 1, FORGED = 2, RECALLS = 8, REFERS = 0x40 };

typedef struct source {
    const uint8_t *at;
    size_t left;
} source;

static void must(int holds)
{
    if (!holds)
        abort();
}

static uint8_t take(source *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->at++;
}

/* Memory of exactly this size, filled from the input; zeros once that is used up. */
static uint8_t *take_bytes(source *s, size_t count)
{
    uint8_t *bytes = malloc(count > 0 ? count : 1);
    must(bytes != NULL);
    for (size_t i = 0; i < count; i++)
        bytes[i] = take(s);
    return bytes;
}

static uint32_t row_bytes(const efm_codec_args *args)
{
    return args->width * args->channels;
}

/* What comes back may differ. */
static int loses(const efm_codec_class *codec, const efm_codec_args *args)
{
    return codec->id == EFM_CODEC_DCTCM || codec->id == EFM_CODEC_GF2 ||
           (codec->id == EFM_CODEC_TEMPORAL && args->tables[1] > 0);
}

/* A row of the frame before, or none. */
static int8_t *take_reference(const efm_codec_args *args, source *s, int refers)
{
    return refers ? (int8_t *)take_bytes(s, row_bytes(args)) : NULL;
}

/* Rows as the executor writes and reads them, each side with its own state. */
static void round_trip(const efm_codec_class *codec, const efm_codec_args *args, source *s, int refers, int recalls)
{
    uint32_t bytes = row_bytes(args), state_bytes = codec->state_bytes(args);
    efm_codec_args writer = *args, reader = *args;
    int8_t *back = malloc(bytes);
    uint8_t *code = malloc(bytes);
    writer.state = take_bytes(s, state_bytes);
    reader.state = take_bytes(s, state_bytes);
    must(back != NULL && code != NULL);
    for (uint32_t y = 0; y < MOST_ROWS && s->left > 0; y++) {
        int8_t *row = (int8_t *)take_bytes(s, bytes);
        int8_t *reference = take_reference(args, s, refers);
        uint32_t length = 0;
        writer.y = reader.y = y;
        writer.reference = reader.reference = reference;
        if (y > 0 && recalls) { /* the row above, in other steps */
            codec->recall(&writer, row);
            codec->recall(&reader, row);
            row[0] = (int8_t)(row[0] ^ 0x55);
        }
        codec->encode(&writer, row, code, bytes - 1, &length);
        must(length < bytes);
        if (length == 0) {
            codec->skip(&writer, row);
            codec->skip(&reader, row);
        } else {
            uint8_t *exact = malloc(length);
            must(exact != NULL);
            memcpy(exact, code, length);
            must(codec->decode(&reader, exact, length, back) == EFM_OK);
            must(loses(codec, args) || memcmp(back, row, bytes) == 0);
            free(exact);
        }
        free(row);
        free(reference);
    }
    free(writer.state);
    free(reader.state);
    free(back);
    free(code);
}

/* Codes nobody wrote; with SPOILT the state is overwritten between the rows. */
static void decode_anything(const efm_codec_class *codec, const efm_codec_args *args, source *s, int spoilt,
                            int refers)
{
    uint32_t bytes = row_bytes(args), state_bytes = codec->state_bytes(args);
    efm_codec_args reader = *args;
    int8_t *row = malloc(bytes);
    must(row != NULL);
    reader.state = take_bytes(s, state_bytes);
    reader.y = spoilt;
    for (uint32_t rows = 0; rows < MOST_ROWS && s->left > 0; rows++, reader.y++) {
        uint32_t length = take(s) | (uint32_t)take(s) << 8;
        uint8_t *code = take_bytes(s, length = length % (bytes + 1));
        int8_t *reference = take_reference(args, s, refers);
        reader.reference = reference;
        if (spoilt) {
            free(reader.state);
            reader.state = take_bytes(s, state_bytes);
        }
        if (length == bytes) {
            memcpy(row, code, bytes);
            codec->skip(&reader, row);
        } else {
            memset(row, 0x55, bytes);
            (void)!codec->decode(&reader, code, length, row);
            codec->encode(&reader, row, code, length, &length);
        }
        free(code);
        free(reference);
    }
    free(reader.state);
    free(row);
}

/* Tables of rice and tans that are mostly good, from few bytes; null for other codecs, or bad ones. */
static uint8_t *take_static(source *s, uint32_t id, const efm_codec_args *args, uint8_t mode, size_t *size)
{
    if ((id != EFM_CODEC_RICE && id != EFM_CODEC_TANS) || mode & 0x80)
        return NULL;
    uint32_t maps = 1 + (mode >> 2) % 3, many = id == EFM_CODEC_TANS ? 1 + take(s) % 8u : 0;
    uint32_t seed = take(s), plain = id == EFM_CODEC_RICE && mode & 0x40, quick = id == EFM_CODEC_RICE && mode & 0x20;
    size_t classes = plain ? 2 * args->channels : (quick ? 90 : 81) * maps;
    *size = 4 + classes + 16 * many + (maps > 1 && !plain ? args->channels : 0);
    uint8_t *bytes = calloc(*size, 1), *counts = bytes + 4 + classes;
    must(bytes != NULL);
    for (size_t i = 4; i < 4 + classes; i++)
        bytes[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24) % (many ? 8 * many : args->zero_point == -128 ? 16 : 8);
    for (uint32_t d = 0; d < many; d++, counts += 16) {
        counts[15] = counts[mode & 0x20 && args->zero_point == -128 ? 0 : 15] = 1;
        for (uint32_t left = counts[0] ? 62 : 63; left > 0; left--)
            counts[1 + ((seed = seed * 1664525u + 1013904223u) >> 24) % (mode & 0x10 ? 15 : 3)]++;
    }
    for (size_t i = 4 + classes + 16 * many; i < *size; i++)
        bytes[i] = (uint8_t)(take(s) % maps);
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

/* Tables of dctcm that are mostly good; null for other codecs, or bad ones. */
static uint8_t *take_cosine(source *s, uint32_t id, const efm_codec_args *args, uint8_t mode, size_t *size)
{
    if (id != EFM_CODEC_DCTCM || mode & 0x80)
        return NULL;
    *size = 10 + (mode & 4 ? 2 * args->channels : 0);
    uint8_t *bytes = take_bytes(s, *size);
    bytes[0] %= 3;
    bytes[1] = (mode & 4) != 0;
    for (size_t k = 2; k < 10; k++)
        bytes[k] = bytes[0] ? (uint8_t)((bytes[k] & 0x70) | (bytes[k] & 15) % 10) : 0;
    for (size_t i = 10; i < *size; i += 2) {
        bytes[i] = (uint8_t)(bytes[i] % args->channels);
        bytes[i + 1] = 0;
    }
    return bytes;
}

/* Tables of mix that are mostly good; null for other codecs, or bad ones. */
static uint8_t *take_mix(source *s, uint32_t id, const efm_codec_args *args, uint8_t mode, size_t *size)
{
    if (id != EFM_CODEC_MIX || mode & 0x80)
        return NULL;
    size_t terms = take(s) % 9u, taps = take(s) % 9u, first = HEAD + 2 * terms * args->channels;
    *size = first + 1 + 8 * taps * args->channels;
    uint8_t *bytes = take_bytes(s, *size);
    bytes[0] &= 1;
    bytes[1] = (uint8_t)terms;
    bytes[first] = (uint8_t)taps;
    for (size_t i = 0; i < terms * args->channels; i++) {
        size_t c = i / terms;
        bytes[HEAD + 2 * i] = (uint8_t)(bytes[HEAD + 2 * i] % (c + 1));
        bytes[HEAD + 2 * i + 1] = bytes[HEAD + 2 * i] ? bytes[HEAD + 2 * i + 1] : 0;
    }
    for (size_t i = 0; i < 4 * taps * args->channels; i++) {
        size_t c = i / (4 * taps);
        bytes[first + 1 + 2 * i] = (uint8_t)(bytes[first + 1 + 2 * i] % args->channels - c);
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source s = {data, size};
    static const uint8_t ids[] = {EFM_CODEC_RLE, EFM_CODEC_ZVC, EFM_CODEC_EBPC, EFM_CODEC_CONTEXT,
                                  EFM_CODEC_GF2, EFM_CODEC_RICE, EFM_CODEC_TANS,
                                  EFM_CODEC_DCTCM, EFM_CODEC_TEMPORAL, EFM_CODEC_MIX};
    uint32_t id = ids[take(&s) % sizeof ids];
#ifdef FUZZ_ONLY
    id = FUZZ_ONLY;
#endif
    const efm_codec_class *codec = efm_codec_find(id);
    efm_codec_args args = {.width = 1u + take(&s) % 40, .channels = 1u + take(&s) % 40};
    args.zero_point = (int8_t)take(&s);
    uint8_t mode = take(&s);
    size_t tables = 0;
    if (mode & 0x80) /* of any size, most of them wrong */
        tables = take(&s);
    else if (id == EFM_CODEC_TEMPORAL)
        tables = TEMPORAL_HEAD + HEAD + (size_t)2 * (s.left > 3 ? s.at[3] % 9u : 0) * args.channels;
    else if (id == EFM_CODEC_CONTEXT)
        tables = HEAD + (size_t)2 * (s.left > 1 ? s.at[1] % 9u : 0) * args.channels;
    uint8_t *bytes = take_static(&s, id, &args, mode, &tables);
    if (bytes == NULL)
        bytes = take_mix(&s, id, &args, mode, &tables);
    if (bytes == NULL)
        bytes = take_cosine(&s, id, &args, mode, &tables);
    if (bytes == NULL)
        bytes = take_bytes(&s, tables);
    args.tables = bytes;
    args.tables_bytes = (uint32_t)tables;
    must(codec != NULL);
    if (codec->check(&args) == EFM_OK) {
        int refers = id == EFM_CODEC_TEMPORAL && mode & REFERS;
        if (mode & FORGED)
            decode_anything(codec, &args, &s, mode & SPOILT, refers);
        else
            round_trip(codec, &args, &s, refers, mode & RECALLS);
    }
    free(bytes);
    return 0;
}
