/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a client of the firmware: sealed frames, so that fuzzing does not stop at the checksum,
 * and raw bytes between them. The store holds a package; the board's memories have exactly the sizes that
 * the agent is told, so that the address sanitizer sees one byte too many.
 *
 * An input is records of u8 kind, u8 length, payload. Kinds 1 to 6 are the frame types, with the number
 * that the device expects; one that is EARLY comes while the device is at work. A package's name
 * stands for the byte 0xff, so that it need not be guessed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "edgefm_bytes.h"

enum {
    FLASH = 1 << 15,
    ERASE = 1024,
    ARENA = 1 << 14,
    EXTERNAL = 1 << 14,
    RESULTS = 2000,
    PACKAGE = 1 << 13,
    MOST_PAYLOAD = 2 * 255 + 16,
    ANY_NUMBER = 0x40,
    EARLY = 0x20
};

typedef struct world {
    efm_board board;
    efm_agent *agent;
    uint8_t *flash, *external;
    const uint8_t *data; /* the rest of the input */
    size_t left;
    uint8_t wire[2048]; /* the rest of the frame that is being sent */
    uint32_t wire_at, wire_end;
    uint64_t ticks;
    uint32_t seen; /* of everything that is said, so that all of it is read */
} world;

static uint8_t package[PACKAGE];
static uint32_t package_bytes;

/* -- the board ------------------------------------------------------------------------------------ */

static int32_t erase(void *context, uint32_t offset)
{
    memset(((world *)context)->flash + offset, 0xff, ERASE);
    return 0;
}

static int32_t program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        ((world *)context)->flash[offset + i] &= from[i];
    }
    return 0;
}

static int32_t begin_read(void *context, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    memcpy(to, ((world *)context)->external + address, bytes);
    *ticket = 1;
    return 0;
}

static int32_t begin_write(void *context, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    memcpy(((world *)context)->external + address, from, bytes);
    *ticket = 1;
    return 0;
}

static int32_t wait_for(void *context, uint32_t ticket)
{
    (void)context;
    return ticket == 1 ? 0 : -1;
}

static uint64_t ticks(void *context)
{
    return ++((world *)context)->ticks;
}

static void hear(void *context, const uint8_t *bytes, uint32_t count)
{
    world *w = context;
    for (uint32_t i = 0; i < count; i++) {
        w->seen += bytes[i];
    }
}

static void reset(void *context)
{
    ((world *)context)->left = 0;
}

/* -- the client ----------------------------------------------------------------------------------- */

static void keep(void *context, const uint8_t *bytes, uint32_t count)
{
    world *w = context;
    if (count <= sizeof w->wire - w->wire_end) {
        memcpy(w->wire + w->wire_end, bytes, count);
        w->wire_end += count;
    }
}

/* The number that the device waits for. */
static uint8_t number_for(const world *w, uint8_t kind)
{
    const efm_link *link = &w->agent->link;
    return kind == EFM_LINK_REQUEST ? (uint8_t)(link->sequence + 1) : link->transfer.id;
}

static void next_record(world *w)
{
    static const efm_link_config line = {.write = keep};
    efm_link_config config = line;
    uint8_t frame[EFM_LINK_FRAME_EXTRA + MOST_PAYLOAD];
    uint8_t kind = w->data[0], type = kind & 7;
    uint32_t length = w->left < 2 ? 0 : w->data[1], bytes = 0;
    const uint8_t *at = w->data + 2;
    if (w->left < 2 || length > w->left - 2) {
        length = w->left < 2 ? 0 : (uint32_t)(w->left - 2);
    }
    w->data += w->left < 2 ? w->left : 2 + length;
    w->left -= w->left < 2 ? w->left : 2 + length;
    config.context = w;
    w->wire_at = w->wire_end = 0;
    if (type == 0 || type == 7) {
        keep(w, at, length);
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        frame[EFM_LINK_HEAD_BYTES + bytes++] = at[i] == 0xff ? 'n' : at[i];
        if (at[i] == 0xff) {
            frame[EFM_LINK_HEAD_BYTES + bytes++] = 'n';
        }
    }
    efm_link_send(&config, (efm_link_type)type, (kind & ANY_NUMBER) != 0 ? kind : number_for(w, type), frame, bytes);
}

static int32_t say(void *context, uint8_t *bytes, uint32_t room, bool wait)
{
    world *w = context;
    while (w->wire_at == w->wire_end) {
        if (!wait && (w->left == 0 || (w->data[0] & EARLY) == 0)) {
            return 0;
        }
        if (w->left == 0) {
            return -1;
        }
        next_record(w);
    }
    uint32_t rest = w->wire_end - w->wire_at, part = rest < room ? rest : room;
    memcpy(bytes, w->wire + w->wire_at, part);
    w->wire_at += part;
    return (int32_t)part;
}

/* -- one life ------------------------------------------------------------------------------------- */

static void fill_store(world *w)
{
    static efm_store store;
    efm_store_package wanted = {(const uint8_t *)"nn", 2, package_bytes, 0};
    uint32_t start;
    wanted.crc = efm_crc32(0, package, package_bytes);
    if (efm_store_mount(&store, &w->board.flash) != EFM_OK || efm_store_begin(&store, &wanted, false, &start) != EFM_OK
        || efm_store_append(&store, package, package_bytes) != EFM_OK || efm_store_commit(&store) != EFM_OK) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *count, char ***words)
{
    (void)count;
    (void)words;
    FILE *file = fopen("tests/golden/good/external.efm", "rb");
    if (file == NULL) {
        abort(); /* to be run from the project's root */
    }
    package_bytes = (uint32_t)fread(package, 1, sizeof package, file);
    fclose(file);
    return package_bytes == sizeof package;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static efm_agent agent;
    world w = {.agent = &agent, .data = data, .left = size};
    uint8_t *arena = aligned_alloc(16, ARENA), *results = malloc(RESULTS);
    w.flash = aligned_alloc(16, FLASH);
    w.external = calloc(1, EXTERNAL);
    memset(w.flash, 0xff, FLASH);
    w.board = (efm_board){.name = "fuzz",
                          .arena = arena,
                          .arena_bytes = ARENA,
                          .results = results,
                          .results_bytes = RESULTS,
                          .external = {begin_read, begin_write, wait_for, &w},
                          .external_bytes = EXTERNAL,
                          .external_alignment = 1,
                          .flash = {w.flash, FLASH, ERASE, 16, erase, program, &w},
                          .context = &w,
                          .read = say,
                          .write = hear,
                          .ticks = ticks,
                          .reset = reset};
    fill_store(&w);
    efm_agent_serve(&agent, &w.board);
    free(arena);
    free(results);
    free(w.flash);
    free(w.external);
    return 0;
}
