/* SPDX-License-Identifier: Apache-2.0 */
/* A board for tests: it can fail at any call, and its port works as early or as late as a port may.
 *
 * A late port spoils the bytes that a read will fill, and copies at wait(). It counts a touch whenever
 * bytes that are on their way have changed by then: the runtime must keep its hands off them. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { FLIGHTS = 16, SPOILT = 0x5a, NEVER = -1 };

typedef struct flight {
    int busy, reads;
    uint32_t address, bytes;
    uint8_t *at, *before;
} flight;

typedef struct board {
    /* what the test sets */
    const uint8_t *const *inputs;
    uint8_t *const *outputs;
    int late, corrupt; /* corrupt: every byte that is read arrives changed */
    int32_t fail_begin_read, fail_begin_write, fail_wait, fail_input, fail_output; /* call number, or NEVER */
    efm_map_counters *maps; /* to be filled, or null */
    int lacks; /* 1: input, 2: output, 3: begin_read, 4: begin_write, 5: wait, 6: counters */
    uint32_t short_of, shifted; /* bytes that the lent arena is too small, or beside its alignment */
    /* what it finds */
    int32_t begin_reads, begin_writes, waits, input_rows, output_rows;
    uint32_t touched, pending, most_pending, longest, stages, out_of_order;
    efm_counters counters;
    /* its own */
    const efm_model *model;
    uint8_t *external;
    uint32_t external_bytes, next_input[8], next_output[8];
    flight flight[FLIGHTS];
} board;

static int32_t give_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    board *b = context;
    if (b->input_rows++ == b->fail_input) {
        return -7;
    }
    b->out_of_order += y != b->next_input[input]++;
    memcpy(row, b->inputs[input] + (size_t)y * bytes, bytes);
    return 0;
}

static int32_t take_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    board *b = context;
    if (b->output_rows++ == b->fail_output) {
        return -7;
    }
    b->out_of_order += y != b->next_output[output]++;
    memcpy(b->outputs[output] + (size_t)y * bytes, row, bytes);
    return 0;
}

static void begin_stage(void *context, uint32_t stage)
{
    board *b = context;
    b->out_of_order += stage != b->stages++;
}

static void move(const board *b, const flight *f)
{
    if (f->reads) {
        for (uint32_t i = 0; i < f->bytes; i++) {
            f->at[i] = b->external[f->address + i] ^ (b->corrupt ? 0x80 : 0);
        }
    } else {
        memcpy(b->external + f->address, f->at, f->bytes);
    }
}

static int32_t begin(board *b, int reads, uint32_t address, uint8_t *at, uint32_t bytes, uint32_t *ticket)
{
    uint32_t i = 0, alignment = efm_model_alignment(b->model);
    while (i < FLIGHTS && b->flight[i].busy) {
        i++;
    }
    if (i == FLIGHTS || address > b->external_bytes || bytes > b->external_bytes - address || address % alignment != 0
        || bytes % alignment != 0) {
        return -1;
    }
    flight *f = &b->flight[i];
    *f = (flight){1, reads, address, bytes, at, malloc(bytes)};
    if (!b->late) {
        move(b, f);
    } else if (reads) {
        memset(at, SPOILT, bytes);
    }
    memcpy(f->before, at, bytes);
    b->longest = bytes > b->longest ? bytes : b->longest;
    if (++b->pending > b->most_pending) {
        b->most_pending = b->pending;
    }
    *ticket = i;
    return 0;
}

static int32_t begin_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    board *b = port;
    return b->begin_reads++ == b->fail_begin_read ? -7 : begin(b, 1, address, to, bytes, ticket);
}

static int32_t begin_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    board *b = port;
    return b->begin_writes++ == b->fail_begin_write ? -7
                                                    : begin(b, 0, address, (uint8_t *)(uintptr_t)from, bytes, ticket);
}

static int32_t wait(void *port, uint32_t ticket)
{
    board *b = port;
    if (ticket >= FLIGHTS || !b->flight[ticket].busy) {
        return -1;
    }
    flight *f = &b->flight[ticket];
    b->touched += memcmp(f->at, f->before, f->bytes) != 0;
    if (b->late) {
        move(b, f);
    }
    f->busy = 0;
    free(f->before);
    b->pending--;
    return b->waits++ == b->fail_wait ? -7 : 0;
}

static efm_status run_with(board *b, uint8_t *arena, uint32_t bytes)
{
    efm_host host = {.context = b,
                     .input = give_input,
                     .repeats = 1,
                     .output = take_output,
                     .event = begin_stage,
                     .port = {begin_read, begin_write, wait, b},
                     .maps = b->maps};
    if (b->lacks == 1) {
        host.input = NULL;
    }
    if (b->lacks == 2) {
        host.output = NULL;
    }
    if (b->lacks == 3) {
        host.port.begin_read = NULL;
    }
    if (b->lacks == 4) {
        host.port.begin_write = NULL;
    }
    if (b->lacks == 5) {
        host.port.wait = NULL;
    }
    return efm_run(b->model, &host, arena, bytes, b->lacks == 6 ? NULL : &b->counters);
}

/* Opens and runs a package; the first status that is not EFM_OK. */
int board_run(board *b, const uint8_t *package, uint32_t bytes)
{
    uint64_t lent[EFM_OPEN_BYTES / 8];
    efm_model model;
    efm_status status = efm_model_open(&model, package, bytes, (uint8_t *)lent, EFM_OPEN_BYTES);
    if (status != EFM_OK) {
        return status;
    }
    b->model = &model;
    b->external_bytes = efm_model_external_bytes(&model);
    b->external = calloc(b->external_bytes + 1, 1);
    uint32_t arena_bytes = efm_model_arena_bytes(&model);
    uint8_t *arena = malloc(arena_bytes + 8);
    memset(arena, 0xa5, arena_bytes + 8);
    status = run_with(b, arena + b->shifted, arena_bytes - b->short_of);
    free(arena);
    free(b->external);
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        if (b->flight[i].busy) {
            free(b->flight[i].before);
        }
    }
    return status;
}
