/* SPDX-License-Identifier: Apache-2.0 */
/* Every codec with any tables that it accepts: rows come back, and no code, no state, breaks decode().
 *
 * Input: codec, width, channels, zero point, mode, then tables, then rows and codes. A state lies in
 * the arena, where a forged plan can overlap it, so that it may hold anything between two rows.
 * With FUZZ_ONLY=ID it is always that codec. */
#include "tables.h"

enum { MOST_ROWS = 8, SPOILT = 1, FORGED = 2, RECALLS = 8, REFERS = 0x40 };

static uint32_t row_bytes(const efm_codec_args *args)
{
    return args->width * args->channels;
}

/* What comes back may differ. */
static int loses(const efm_codec_class *codec, const efm_codec_args *args)
{
    return codec->id == EFM_CODEC_DCTCM || codec->id == EFM_CODEC_GF2
           || (codec->id == EFM_CODEC_TEMPORAL && args->tables[1] > 0);
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

/* Codes that no encoder wrote; with SPOILT the state is overwritten between the rows. */
static void decode_anything(const efm_codec_class *codec, const efm_codec_args *args, source *s, int spoilt, int refers)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source s = {data, size};
    static const uint8_t ids[] = {EFM_CODEC_RLE,  EFM_CODEC_ZVC,  EFM_CODEC_EBPC,  EFM_CODEC_CONTEXT,  EFM_CODEC_GF2,
                                  EFM_CODEC_RICE, EFM_CODEC_TANS, EFM_CODEC_DCTCM, EFM_CODEC_TEMPORAL, EFM_CODEC_MIX};
    uint32_t id = ids[take(&s) % sizeof ids];
#ifdef FUZZ_ONLY
    id = FUZZ_ONLY;
#endif
    const efm_codec_class *codec = efm_codec_find(id);
    efm_codec_args args = {.width = 1u + take(&s) % 40, .channels = 1u + take(&s) % 40};
    args.zero_point = (int8_t)take(&s);
    uint8_t mode = take(&s);
    size_t tables = 0;
    uint8_t *bytes = take_tables(&s, id, &args, mode, &tables);
    args.tables = bytes;
    args.tables_bytes = (uint32_t)tables;
    must(codec != NULL);
    if (codec->check(&args) == EFM_OK) {
        int refers = id == EFM_CODEC_TEMPORAL && mode & REFERS;
        if (mode & FORGED) {
            decode_anything(codec, &args, &s, mode & SPOILT, refers);
        } else {
            round_trip(codec, &args, &s, refers, mode & RECALLS);
        }
    }
    free(bytes);
    return 0;
}
