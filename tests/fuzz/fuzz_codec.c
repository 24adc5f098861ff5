/* SPDX-License-Identifier: Apache-2.0 */
/* Every codec with any tables that it accepts: rows come back, and no code, no state, breaks decode().
 *
 * Input: codec, width, channels, zero point, mode, then tables, then rows and codes. A state lies in
 * the arena, where a forged plan can overlap it, so that it may hold anything between two rows. */
#include <stdlib.h>
#include <string.h>

#include "codecs/codec.h"
#include "codecs/lossless.h"

enum { MOST_ROWS = 8, HEAD = 12, SPOILT = 1, FORGED = 2 };

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

/* Rows as the executor writes and reads them, each side with its own state. */
static void round_trip(const efm_codec_class *codec, const efm_codec_args *args, source *s)
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
        uint32_t length = 0;
        writer.y = reader.y = y;
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
            must(memcmp(back, row, bytes) == 0);
            free(exact);
        }
        free(row);
    }
    free(writer.state);
    free(reader.state);
    free(back);
    free(code);
}

/* Codes nobody wrote; with SPOILT the state is overwritten between the rows. */
static void decode_anything(const efm_codec_class *codec, const efm_codec_args *args, source *s, int spoilt)
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
    }
    free(reader.state);
    free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source s = {data, size};
    static const uint8_t ids[] = {EFM_CODEC_RLE, EFM_CODEC_ZVC, EFM_CODEC_EBPC, EFM_CODEC_CONTEXT, EFM_CODEC_GF2};
    uint32_t id = ids[take(&s) % sizeof ids];
    const efm_codec_class *codec = efm_codec_find(id);
    efm_codec_args args = {.width = 1u + take(&s) % 40, .channels = 1u + take(&s) % 40};
    args.zero_point = (int8_t)take(&s);
    uint8_t mode = take(&s);
    size_t tables = 0;
    if (mode & 0x80) /* of any size, most of them wrong */
        tables = take(&s);
    else if (id == EFM_CODEC_CONTEXT)
        tables = HEAD + (size_t)2 * (s.left > 1 ? s.at[1] % 9u : 0) * args.channels;
    uint8_t *bytes = take_bytes(&s, tables);
    args.tables = bytes;
    args.tables_bytes = (uint32_t)tables;
    must(codec != NULL);
    if (codec->check(&args) == EFM_OK) {
        if (mode & FORGED)
            decode_anything(codec, &args, &s, mode & SPOILT);
        else
            round_trip(codec, &args, &s);
    }
    free(bytes);
    return 0;
}
