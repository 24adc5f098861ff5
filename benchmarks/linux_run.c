/* SPDX-License-Identifier: Apache-2.0 */
/* A Linux program that runs a package once, as a host does that has prepared it:
 *
 *     linux_run PACKAGE INPUT [marks]
 *
 * INPUT has the rows of all inputs in the order in which they are pulled; the rows of the outputs go to standard output
 * as they come, then the counters in text to standard error. With a third word `mark_stage` is called before each stage
 * and at the end, for count_plugin.c to see. Ends with the negative status of what failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgefm.h"

enum { LARGEST_FILE = 1 << 26, LARGEST_OUTPUT = 1 << 22, ALIGNED = 64 };

typedef struct file {
    uint8_t *at;
    uint32_t bytes;
} file;

typedef struct run_state {
    const uint8_t *input;
    uint8_t *output, *external;
    uint32_t written;
} run_state;

static void *room(size_t bytes)
{
    void *at = aligned_alloc(ALIGNED, (bytes + ALIGNED) / ALIGNED * ALIGNED);
    if (at == NULL) {
        exit(1);
    }
    return at;
}

static file read_file(const char *path)
{
    file read = {room(LARGEST_FILE), 0};
    FILE *from = fopen(path, "rb");
    if (from == NULL) {
        exit(1);
    }
    read.bytes = (uint32_t)fread(read.at, 1, LARGEST_FILE, from);
    fclose(from);
    return read;
}

static int32_t on_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    run_state *state = context;
    (void)input, (void)y;
    memcpy(row, state->input, bytes);
    state->input += bytes;
    return 0;
}

static int32_t on_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    run_state *state = context;
    (void)output, (void)y;
    if (bytes > LARGEST_OUTPUT - state->written) {
        return -1;
    }
    memcpy(state->output + state->written, row, bytes);
    state->written += bytes;
    return 0;
}

static int32_t on_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    memcpy(to, ((run_state *)port)->external + address, bytes);
    *ticket = 0;
    return 0;
}

static int32_t on_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    memcpy(((run_state *)port)->external + address, from, bytes);
    *ticket = 0;
    return 0;
}

static int32_t on_wait(void *port, uint32_t ticket)
{
    (void)port, (void)ticket;
    return 0;
}

/* One instruction, which returns. */
void mark_stage(void *context, uint32_t stage);
__attribute__((noinline)) void mark_stage(void *context, uint32_t stage)
{
    (void)context, (void)stage;
}

int main(int count, char **paths)
{
    if (count != 3 && count != 4) {
        return 1;
    }
    file package = read_file(paths[1]), input = read_file(paths[2]);
    efm_model model;
    efm_counters counters = {0};
    efm_status status = efm_model_open(&model, package.at, package.bytes, room(EFM_OPEN_BYTES), EFM_OPEN_BYTES);
    if (status != EFM_OK) {
        return -status;
    }
    uint32_t prepared = efm_model_prepare_bytes(&model);
    if (prepared > 0 && (status = efm_model_prepare(&model, room(prepared), prepared)) != EFM_OK) {
        return -status;
    }
    uint32_t arena_bytes = efm_model_arena_bytes(&model);
    run_state state = {.input = input.at, .output = room(LARGEST_OUTPUT)};
    state.external = room(efm_model_external_bytes(&model) + 1);
    efm_host host = {
        .context = &state, .input = on_input, .output = on_output, .port = {on_read, on_write, on_wait, &state}};
    if (count == 4) {
        host.event = mark_stage;
    }
    status = efm_run(&model, &host, room(arena_bytes), arena_bytes, &counters);
    fwrite(state.output, 1, state.written, stdout);
    fprintf(stderr, "%lu %lu\n", (unsigned long)(counters.external_read_bytes + counters.external_write_bytes),
            (unsigned long)counters.weight_read_bytes);
    return -status;
}
