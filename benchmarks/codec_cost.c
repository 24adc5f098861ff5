/* SPDX-License-Identifier: Apache-2.0 */
/* A bare image for an emulated MPS2 AN386 (Cortex-M4) that codes a map and counts what it takes.
 *
 * The emulator puts a job at JOB and, told to let one instruction take one nanosecond, runs SysTick
 * at 25 MHz, so that a tick is 40 instructions. Prints "encode ticks, decode ticks, bytes" in hex. */
#include <stdint.h>
#include <string.h>

#include "edgefm_bytes.h"
#include "codecs/codec.h"

#define JOB     ((const uint8_t *)0x21000000)
#define ROOM    ((uint8_t *)0x21800000)    /* state of either side, then stored rows */
#define SYSTICK ((volatile uint32_t *)0xE000E010)

enum { AT_CODEC = 0, AT_WIDTH = 4, AT_CHANNELS = 8, AT_ZERO = 12, AT_ROWS = 16, AT_TABLES = 20, HEAD = 24 };
enum { MOST_ROW = 1 << 16, MOST_STATE = 1 << 18, MOST_TICKS = 0xFFFFFF };

extern uint32_t stack_top;
void run(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {&stack_top, (const void *)run};

static void call_host(uint32_t what, const void *with)
{
    register uint32_t r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print_hex(uint32_t v)
{
    char text[10] = {0};

    for (uint32_t i = 0; i < 8; i++) {
        uint32_t digit = v >> (28 - 4 * i) & 15u;

        text[i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    text[8] = '\n';
    call_host(4, text);
}

static uint32_t since(uint32_t start)
{
    return (start - SYSTICK[2]) & MOST_TICKS;
}

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

    SYSTICK[1] = MOST_TICKS;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
    for (; !wrong && args.y < rows; args.y++, row += values) {
        uint32_t start = SYSTICK[2], bytes;

        args.state = ROOM;
        bytes = store(codec, &args, row, code);
        encode += since(start);
        args.state = ROOM + MOST_STATE;
        start = SYSTICK[2];
        wrong |= load(codec, &args, code, bytes, back) != EFM_OK;
        decode += since(start);
        total += bytes;
    }
    print_hex(wrong);
    print_hex(encode);
    print_hex(decode);
    print_hex(total);
    call_host(0x18, (const void *)0x20026);
    for (;;) {
    }
}
