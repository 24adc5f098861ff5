/* SPDX-License-Identifier: Apache-2.0 */
/* Runs packages on made-up inputs and prints what came out: equal on every machine, or a bug.
 *
 *     selfcheck a.efm b.efm ...   ->   one line "<status> <output hash> <counters>" per package
 *
 * Arena and external memory stand between canaries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/ports/pc/canary.h"
#include "edgefm.h"

enum { LARGEST_PACKAGE = 1 << 26 };

typedef struct run_state {
    uint32_t random;
    uint32_t hash; /* FNV-1a over every output row */
    uint32_t float_inputs; /* one bit per input */
    uint8_t *external;
    uint32_t external_bytes;
} run_state;

static uint32_t next_random(run_state *state)
{
    state->random = state->random * 1664525u + 1013904223u;
    return state->random >> 16;
}

static int32_t on_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    run_state *state = context;
    (void)y;
    if (input < 32 && (state->float_inputs >> input & 1)) {
        for (uint32_t i = 0; i + 4 <= bytes; i += 4) {
            float value = (float)(int32_t)(next_random(state) & 255) / 128.0f - 1.0f;
            memcpy(row + i, &value, 4);
        }
        return 0;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)next_random(state);
    }
    return 0;
}

static int32_t on_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    run_state *state = context;
    state->hash = (state->hash ^ output) * 16777619u;
    state->hash = (state->hash ^ y) * 16777619u;
    for (uint32_t i = 0; i < bytes; i++) {
        state->hash = (state->hash ^ row[i]) * 16777619u;
    }
    return 0;
}

static int32_t on_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    const run_state *state = port;
    if (address > state->external_bytes || bytes > state->external_bytes - address) {
        return -1;
    }
    memcpy(to, state->external + address, bytes);
    *ticket = 0;
    return 0;
}

static int32_t on_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    const run_state *state = port;
    if (address > state->external_bytes || bytes > state->external_bytes - address) {
        return -1;
    }
    memcpy(state->external + address, from, bytes);
    *ticket = 0;
    return 0;
}

static int32_t on_wait(void *port, uint32_t ticket)
{
    (void)port;
    (void)ticket;
    return 0;
}

static uint32_t float_inputs(const efm_model *model)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < efm_model_inputs(model) && i < 32; i++) {
        efm_tensor tensor;
        if (efm_model_input(model, i, &tensor) == EFM_OK && tensor.type == EFM_TYPE_FLOAT32) {
            bits |= 1u << i;
        }
    }
    return bits;
}

static int canary_broken(const uint8_t *canary)
{
    for (int i = 0; i < EFM_CANARY_BYTES; i++) {
        if (canary[i] != EFM_CANARY) {
            return 1;
        }
    }
    return 0;
}

/* Prints the result of one package; 0 unless memory was overrun or could not be had. */
static int check_package(const uint8_t *package, uint32_t bytes)
{
    efm_model model;
    efm_counters counters = {0};
    run_state state = {.random = 1, .hash = 2166136261u};
    uint64_t lent[EFM_OPEN_BYTES / 8];
    efm_status status = efm_model_open(&model, package, bytes, (uint8_t *)lent, sizeof lent);
    if (status != EFM_OK) {
        printf("%s\n", efm_status_name(status));
        return 0;
    }
    state.external_bytes = efm_model_external_bytes(&model);
    state.float_inputs = float_inputs(&model);
    size_t arena_bytes = efm_model_arena_bytes(&model);
    uint8_t *arena = malloc(arena_bytes + 2 * EFM_CANARY_BYTES);
    state.external = malloc((size_t)state.external_bytes + 1);
    if (!arena || !state.external) {
        return 1;
    }
    memset(arena, EFM_CANARY, arena_bytes + 2 * EFM_CANARY_BYTES);
    memset(state.external, 0, (size_t)state.external_bytes + 1);
    efm_host host = {.context = &state,
                     .input = on_input,
                     .repeats = 1,
                     .output = on_output,
                     .port = {on_read, on_write, on_wait, &state}};
    status = efm_run(&model, &host, arena + EFM_CANARY_BYTES, (uint32_t)arena_bytes, &counters);
    printf("%s %08lx read %lu written %lu weights %lu in %lu out %lu\n", efm_status_name(status),
           (unsigned long)state.hash, (unsigned long)counters.external_read_bytes,
           (unsigned long)counters.external_write_bytes, (unsigned long)counters.weight_read_bytes,
           (unsigned long)counters.input_read_bytes, (unsigned long)counters.output_write_bytes);
    int broken = canary_broken(arena) || canary_broken(arena + EFM_CANARY_BYTES + arena_bytes);
    free(arena);
    free(state.external);
    return broken;
}

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        uint8_t *package = malloc(LARGEST_PACKAGE);
        if (!file || !package) {
            return 1;
        }
        size_t bytes = fread(package, 1, LARGEST_PACKAGE, file);
        fclose(file);
        /* An exact copy, so that a sanitizer sees every read past the end. */
        uint8_t *exact = malloc(bytes + 1);
        if (!exact) {
            return 1;
        }
        memcpy(exact + 1, package, bytes); /* and at an odd address */
        free(package);
        int broken = check_package(exact + 1, (uint32_t)bytes);
        free(exact);
        if (broken) {
            fprintf(stderr, "%s: memory outside the arena was written\n", paths[i]);
            return 1;
        }
    }
    return 0;
}
