/* SPDX-License-Identifier: Apache-2.0 */
/* A bare image that codes a map and counts what it takes: prints "wrong, encode ticks, decode ticks, bytes" in hex. */
#include <stdint.h>
#include <string.h>

#include "bare.h"
#include "edgefm_bytes.h"
#include "codecs/codec.h"

#define JOB  BARE_JOB
#define ROOM ((uint8_t *)0x21800000) /* state of either side, then stored rows */

enum { AT_CODEC = 0, AT_WIDTH = 4, AT_CHANNELS = 8, AT_ZERO = 12, AT_ROWS = 16, AT_TABLES = 20, HEAD = 24 };
enum { MOST_ROW = 1 << 16, MOST_STATE = 1 << 18 };

/* The stored length of a row: its code's, or the row's own when that is not longer. */
static uint32_t store(const efm_codec_class *codec, const efm_codec_args *args, const int8_t *row, uint8_t *code)
{
    uint32_t bytes = 0, values = args->width * args->channels;

    codec->encode(args, row, code, values - 1, &bytes);
    if (bytes == 0) {
        bytes = values;
        memcpy(code, row, bytes);
        codec->skip(args, row);
    }
    return bytes;
}

static efm_status load(const efm_codec_class *codec, const efm_codec_args *args, const uint8_t *code, uint32_t bytes,
                       int8_t *row)
{
    if (bytes < args->width * args->channels) {
        return codec->decode(args, code, bytes, row);
    }
    memcpy(row, code, bytes);
    codec->skip(args, row);
    return EFM_OK;
}

void run(void)
{
    efm_codec_args args = {efm_load_le32(JOB + AT_WIDTH),
                           efm_load_le32(JOB + AT_CHANNELS),
                           efm_load_le32s(JOB + AT_ZERO),
                           JOB + HEAD,
                           efm_load_le32(JOB + AT_TABLES),
                           ROOM,
                           0};
    uint32_t values = args.width * args.channels, rows = efm_load_le32(JOB + AT_ROWS);
    const efm_codec_class *codec = efm_codec_find(efm_load_le32(JOB + AT_CODEC));
    const int8_t *row = (const int8_t *)JOB + HEAD + args.tables_bytes;
    uint8_t *code = ROOM + 2 * MOST_STATE + MOST_ROW;
    int8_t *back = (int8_t *)ROOM + 2 * MOST_STATE;
    uint32_t encode = 0, decode = 0, total = 0, wrong = codec == 0 || codec->check(&args) != EFM_OK;

    start_ticks();
    for (; !wrong && args.y < rows; args.y++, row += values) {
        uint32_t start = ticks_now(), bytes;

        args.state = ROOM;
        bytes = store(codec, &args, row, code);
        encode += ticks_since(start);
        args.state = ROOM + MOST_STATE;
        start = ticks_now();
        wrong |= load(codec, &args, code, bytes, back) != EFM_OK;
        decode += ticks_since(start);
        total += bytes;
    }
    print_hex(wrong);
    print_hex(encode);
    print_hex(decode);
    print_hex(total);
    end_run();
}
