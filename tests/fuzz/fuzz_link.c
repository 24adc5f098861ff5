/* SPDX-License-Identifier: Apache-2.0 */
/* The whole firmware in conversations that get far: files that are committed and taken away, runs whose input
 * comes over the line, text, and noise between them. fuzz_agent.c asks with any bytes instead.
 *
 * The input is a script of pieces: raw bytes, frames around any payload with a right CRC, and
 * the opening and chunks of writes that can be committed. A package and an input for it are stored before.
 * Nothing overruns, nothing hangs, and every file that is stored afterwards is whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "edgefm_bytes.h"
#include "nor_flash.h"

enum {
    ERASE = 512,
    FLASH = 64 * ERASE,
    ARENA = 1 << 15,
    EXTERNAL = 1 << 14,
    RESULTS = 4096,
    PATTERN = 4096,
    LINE = 1200,
    INPUT = 1536,
    MOST_WRITTEN = 1 << 26
};

static uint8_t stocked[FLASH], pattern[PATTERN];

typedef struct bench {
    const uint8_t *script;
    size_t left;
    uint8_t line[LINE]; /* of the piece that is on the line */
    uint32_t at, end;
    uint64_t time, written;
    nor_flash nor;
    uint8_t *external;
    efm_board board;
    efm_agent agent;
} bench;

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint32_t next(bench *b, uint32_t bytes)
{
    uint32_t value = 0;
    for (; bytes != 0; bytes--) {
        value = value << 8 | (b->left != 0 ? *b->script : 0);
        b->script += b->left != 0;
        b->left -= b->left != 0;
    }
    return value;
}

static uint32_t take(bench *b, uint8_t *to, uint32_t most)
{
    uint32_t count = next(b, 1);
    count = count > most ? most : count;
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (uint8_t)next(b, 1);
    }
    return count;
}

/* -- pieces of the script ----------------------------------------------------------------------- */

static void put_line(void *context, const uint8_t *bytes, uint32_t count)
{
    bench *b = context;
    check(count <= LINE - b->end);
    memcpy(b->line + b->end, bytes, count);
    b->end += count;
}

static void put_frame(bench *b, uint32_t type, uint32_t number, uint8_t *frame, uint32_t bytes)
{
    efm_link_config config = {.context = b, .write = put_line};
    efm_link_send(&config, (efm_link_type)type, (uint8_t)number, frame, bytes);
}

static uint8_t following(const bench *b)
{
    return (uint8_t)(b->agent.link.sequence + 1);
}

static void any_frame(bench *b)
{
    uint8_t frame[300];
    uint32_t type = next(b, 1), choice = next(b, 1);
    uint32_t bytes = take(b, frame + EFM_LINK_HEAD_BYTES, 255);
    bool bulk = type == EFM_LINK_CHUNK || type == EFM_LINK_WANT;
    put_frame(b, type, choice > 99 ? choice : bulk ? b->agent.link.transfer.id : following(b), frame, bytes);
}

static void hello(bench *b)
{
    uint8_t frame[32], *args = frame + EFM_LINK_HEAD_BYTES;
    args[0] = EFM_LINK_HELLO;
    args[1] = EFM_LINK_MAJOR;
    memset(args + 2, 7, 5);
    efm_store_le16(args + 7, (uint16_t)(EFM_LINK_FRAME_MIN + next(b, 2) % 1024));
    put_frame(b, EFM_LINK_REQUEST, next(b, 1), frame, 9);
}

/* An opening of the pattern's first bytes, so that it can be committed. */
static void open_write(bench *b)
{
    uint8_t frame[80], *args = frame + EFM_LINK_HEAD_BYTES;
    uint32_t total = next(b, 2) % (PATTERN + 1);
    args[0] = EFM_LINK_OPEN_WRITE;
    efm_store_le32(args + 1, total);
    efm_store_le32(args + 5, efm_crc32(0, pattern, total));
    efm_store_le16(args + 9, (uint16_t)(1 + next(b, 1)));
    put_frame(b, EFM_LINK_REQUEST, following(b), frame, 11 + take(b, args + 11, 60));
}

/* The chunks from the first missing one on, some left out. */
static void chunks(bench *b)
{
    uint8_t frame[280], *payload = frame + EFM_LINK_HEAD_BYTES;
    const efm_link_transfer *transfer = &b->agent.link.transfer;
    uint32_t number = transfer->next, mask = next(b, 1);
    for (; mask != 0 && transfer->id != 0 && b->end < LINE / 2; mask >>= 1, number++) {
        uint32_t at = transfer->start + number * transfer->chunk;
        if (at >= transfer->total || transfer->total > PATTERN || transfer->chunk > 256) {
            break;
        }
        uint32_t rest = transfer->total - at, count = rest < transfer->chunk ? rest : transfer->chunk;
        efm_store_le32(payload, number);
        memcpy(payload + EFM_LINK_CHUNK_HEAD, pattern + at, count);
        if ((mask & 1u) != 0) {
            put_frame(b, EFM_LINK_CHUNK, transfer->id, frame, EFM_LINK_CHUNK_HEAD + count);
        }
    }
}

/* Runs what is stored, on what is stored or on an open write of ":input". */
static void run(bench *b)
{
    uint8_t frame[40], *args = frame + EFM_LINK_HEAD_BYTES;
    uint32_t choice = next(b, 1);
    args[0] = EFM_COMMAND_RUN;
    args[1] = choice & (EFM_RUN_TELL_STAGES | EFM_RUN_TELL_MAPS);
    efm_store_le16(args + 2, (uint16_t)(1 + choice / 16));
    args[4] = 3;
    memcpy(args + 5, "netin", 5);
    put_frame(b, EFM_LINK_REQUEST, following(b), frame, (choice & 2u) != 0 ? 10 : 8);
}

static void fill_line(bench *b)
{
    b->at = b->end = 0;
    switch (next(b, 1) % 8) {
    case 0:
        hello(b);
        break;
    case 1:
        open_write(b);
        break;
    case 2:
    case 3:
        chunks(b);
        break;
    case 4:
        run(b);
        break;
    case 5:
        b->end = take(b, b->line, 255);
        break;
    default:
        any_frame(b);
        break;
    }
}

/* -- the board ---------------------------------------------------------------------------------- */

static int32_t read_line(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    bench *b = context;
    while (b->at == b->end) {
        if (b->left == 0) {
            return -1;
        }
        fill_line(b);
        if (!wait) {
            break;
        }
    }
    uint32_t count = b->end - b->at < room ? b->end - b->at : room;
    memcpy(bytes, b->line + b->at, count);
    b->at += count;
    return (int32_t)count;
}

static void write_line(void *context, const uint8_t *bytes, uint32_t count)
{
    bench *b = context;
    for (uint32_t i = 0; i < count; i++) {
        b->written += 1 + bytes[i] / 256;
    }
    check(b->written < MOST_WRITTEN);
}

static uint64_t ticks(void *context)
{
    return ++((bench *)context)->time;
}

static void reset(void *context)
{
    (void)context;
}

static int32_t begin_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    *ticket = 0;
    if (address > EXTERNAL || bytes > EXTERNAL - address) {
        return -1;
    }
    memcpy(to, ((bench *)port)->external + address, bytes);
    return 0;
}

static int32_t begin_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    *ticket = 0;
    if (address > EXTERNAL || bytes > EXTERNAL - address) {
        return -1;
    }
    memcpy(((bench *)port)->external + address, from, bytes);
    return 0;
}

static int32_t wait_for(void *port, uint32_t ticket)
{
    (void)port;
    return (int32_t)ticket;
}

static void *memory(uint32_t bytes)
{
    void *at = aligned_alloc(16, bytes);
    check(at != NULL);
    return memset(at, 0, bytes);
}

static void make(bench *b)
{
    b->nor = (nor_flash){.bytes = memory(FLASH),
                         .written = memory(FLASH),
                         .size = FLASH,
                         .erase_bytes = ERASE,
                         .program_bytes = 4,
                         .left = UINT64_MAX,
                         .seed = 1};
    b->external = memory(EXTERNAL);
    b->board = (efm_board){.name = "fuzz",
                           .unit = EFM_TICKS_CYCLES,
                           .ticks_per_second = 1000,
                           .arena = memory(ARENA),
                           .arena_bytes = ARENA,
                           .results = memory(RESULTS),
                           .results_bytes = RESULTS,
                           .external = {begin_read, begin_write, wait_for, b},
                           .external_bytes = EXTERNAL,
                           .external_alignment = 1,
                           .flash = nor_as_flash(&b->nor),
                           .context = b,
                           .read = read_line,
                           .write = write_line,
                           .ticks = ticks,
                           .reset = reset};
}

static void unmake(bench *b)
{
    free(b->nor.bytes);
    free(b->nor.written);
    free(b->external);
    free(b->board.arena);
    free(b->board.results);
    free(b);
}

static void stock(efm_store *store, const char *name, const uint8_t *bytes, uint32_t count)
{
    uint32_t start;
    efm_store_package package = {(const uint8_t *)name, (uint32_t)strlen(name), count, efm_crc32(0, bytes, count)};
    check(efm_store_begin(store, &package, false, &start) == EFM_OK);
    check(efm_store_append(store, bytes, count) == EFM_OK && efm_store_commit(store) == EFM_OK);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t package[FLASH / 2];
    bench *b = calloc(1, sizeof *b);
    FILE *file = fopen("tests/golden/good/example.efm", "rb"); /* run.py runs us where the tree begins */
    (void)argc;
    (void)argv;
    check(b != NULL && file != NULL);
    for (uint32_t i = 0; i < PATTERN; i++) {
        pattern[i] = (uint8_t)(i * 37 >> 2);
    }
    make(b);
    memset(b->nor.bytes, 0xff, FLASH);
    check(efm_store_mount(&b->agent.store, &b->board.flash) == EFM_OK);
    stock(&b->agent.store, "net", package, (uint32_t)fread(package, 1, sizeof package, file));
    stock(&b->agent.store, "in", pattern, INPUT);
    memcpy(stocked, b->nor.bytes, FLASH);
    unmake(b);
    return fclose(file);
}

/* Every file is whole: no command writes past the store. */
static void look(bench *b)
{
    efm_store_entry entry;
    check(b->nor.forbidden == 0 && efm_store_mount(&b->agent.store, &b->board.flash) == EFM_OK);
    for (uint32_t cursor = 0; efm_store_next(&b->agent.store, &cursor, &entry);) {
        check(efm_crc32(0, entry.at, entry.bytes) == entry.crc);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bench *b = calloc(1, sizeof *b);
    check(b != NULL);
    make(b);
    memcpy(b->nor.bytes, stocked, FLASH);
    nor_note(&b->nor, 0, FLASH, false);
    b->script = data;
    b->left = size;
    efm_agent_serve(&b->agent, &b->board);
    look(b);
    unmake(b);
    return 0;
}
