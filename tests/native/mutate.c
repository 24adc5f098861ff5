/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and runs every damaged version of packages, each in memory of exactly its size.
 *
 *     mutate STEP a.efm b.efm ...   ->   one line "<refused> <stopped> <ran>" per package
 *     mutate 0 a.efm b.efm ...      ->   one line per package as it is: the status of opening it and,
 *                                        when that is well, of verifying and of running it
 *
 * Damaged is: cut short anywhere; each byte set to each other value (every STEP-th of those); each buffer
 * and each scratch moved to each other place of the arena, onto whatever is there. Package size and
 * checksum are mended; every second one is run with workers. Meant for a build with sanitizers; a version that runs for more than SECONDS ends
 * the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backwards.h"
#include "behind_port.h"
#include "edgefm_bytes.h"
#include "model.h"
#include "seal.h"

enum { SECONDS = 20 };
enum { BUFFER_OFFSET = 0, OPERATOR_SCRATCH = 24 };
enum { LARGEST_MEMORY = 1 << 20, FILL = 0xA5 };

typedef struct board {
    efm_late_port external;
    uint32_t sum; /* of all outputs, so that every byte is looked at */
} board;

typedef struct tally {
    unsigned long refused, stopped, ran;
} tally;

static int32_t on_input(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    (void)context;
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)(31 * i + 7 * y + input);
    }
    return 0;
}

static int32_t on_output(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    board *b = context;
    for (uint32_t i = 0; i < bytes; i++) {
        b->sum += row[i] * (y + output);
    }
    return 0;
}

static void *filled(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) {
        exit(2);
    }
    return memset(memory, FILL, bytes);
}

static efm_status run(const efm_model *model)
{
    static unsigned long runs;
    efm_counters counters;
    board b = {.external = {.bytes = efm_model_external_bytes(model)}};
    uint32_t arena_bytes = efm_model_arena_bytes(model);
    if (arena_bytes > LARGEST_MEMORY || b.external.bytes > LARGEST_MEMORY) {
        return EFM_BAD_ARGUMENT;
    }
    uint8_t *arena = filled(arena_bytes);
    b.external.memory = filled(b.external.bytes);
    efm_late_port weights = weights_behind(model);
    efm_host host = {.context = &b,
                     .input = on_input,
                     .repeats = 1,
                     .output = on_output,
                     .weights = weight_port(&weights),
                     .port = {efm_late_read, efm_late_write, efm_late_wait, &b.external}};
    efm_status status = ++runs % 2 == 0 ? backwards_run(model, &host, arena, arena_bytes, &counters)
                                        : efm_run(model, &host, arena, arena_bytes, &counters);
    free(b.external.memory);
    free(arena);
    return status;
}

/* Asks about everything a host may ask; names lie in the package. */
static void describe(const efm_model *model)
{
    efm_tensor tensor;
    volatile uint8_t seen = 0;
    for (uint32_t i = 0; efm_model_input(model, i, &tensor) == EFM_OK; i++) {
        for (uint32_t k = 0; k < tensor.name_bytes; k++) {
            seen = tensor.name[k];
        }
    }
    for (uint32_t i = 0; efm_model_output(model, i, &tensor) == EFM_OK; i++) {
        for (uint32_t k = 0; k < tensor.name_bytes; k++) {
            seen = tensor.name[k];
        }
    }
    (void)seen;
}

/* Mends the package, opens it at an odd address, runs it. */
static void try(uint8_t *package, uint32_t bytes, tally *t)
{
    static uint64_t lent[EFM_OPEN_BYTES / 8];
    efm_model model;
    seal(package, bytes);
    alarm(SECONDS);
    if (efm_model_open(&model, package, bytes, (uint8_t *)lent, sizeof lent) != EFM_OK) {
        t->refused++;
        return;
    }
    describe(&model);
    mend_tiles(&model, package);
    if (run(&model) == EFM_OK) {
        t->ran++;
    } else {
        t->stopped++;
    }
}

/* The first `cut` bytes, in memory of their own. */
static void try_cut(const uint8_t *package, uint32_t cut, tally *t)
{
    uint8_t *memory = filled((size_t)cut + 1), *copy = memory + 1;
    memcpy(copy, package, cut);
    seal_cut(copy, cut);
    try(copy, cut, t);
    free(memory);
}

/* Moves what a field of each record of a section says through the arena. */
static void try_moved(uint8_t *package, uint32_t bytes, uint32_t section, uint32_t field, tally *t)
{
    static uint64_t lent[EFM_OPEN_BYTES / 8];
    efm_model model;
    if (efm_model_open(&model, package, bytes, (uint8_t *)lent, sizeof lent) != EFM_OK) {
        exit(2);
    }
    const efm_section *records = &model.section[section];
    uint32_t places = efm_model_arena_bytes(&model) / 8, first = efm_model_control_bytes(&model) / 8;
    for (uint32_t i = 0; i < records->count; i++) {
        uint8_t *at = package + (records->at - package) + i * (records->bytes / records->count) + field;
        uint32_t was = efm_load_le32(at);
        for (uint32_t place = first; place < places; place++) {
            efm_store_le32(at, 8 * place);
            try(package, bytes, t);
        }
        efm_store_le32(at, was);
        seal(package, bytes);
    }
}

static void try_changed(uint8_t *package, uint32_t bytes, uint32_t step, tally *t)
{
    for (unsigned long i = 0; i < bytes * 255ul; i += step) {
        uint8_t was = package[i / 255];
        package[i / 255] = (uint8_t)(was + 1 + i % 255);
        try(package, bytes, t);
        package[i / 255] = was;
    }
    seal(package, bytes);
}

static void try_all(const uint8_t *package, uint32_t bytes, uint32_t step)
{
    tally t = {0, 0, 0};
    for (uint32_t cut = 0; cut < bytes; cut++) {
        try_cut(package, cut, &t);
    }
    uint8_t *memory = filled((size_t)bytes + 1), *copy = memory + 1;
    memcpy(copy, package, bytes);
    try_changed(copy, bytes, step, &t);
    try_moved(copy, bytes, EFM_SECTION_BUFFERS, BUFFER_OFFSET, &t);
    try_moved(copy, bytes, EFM_SECTION_OPERATORS, OPERATOR_SCRATCH, &t);
    free(memory);
    printf("%lu %lu %lu\n", t.refused, t.stopped, t.ran);
}

static void judge(const uint8_t *package, uint32_t bytes)
{
    static uint64_t lent[EFM_OPEN_BYTES / 8];
    efm_model model;
    uint8_t *copy = filled((size_t)bytes + 1);
    memcpy(copy + 1, package, bytes);
    efm_status status = efm_model_open(&model, copy + 1, bytes, (uint8_t *)lent, sizeof lent);
    printf("%s", efm_status_name(status));
    if (status == EFM_OK) {
        printf(" %s", efm_status_name(efm_model_verify(&model)));
        printf(" %s", efm_status_name(run(&model)));
    }
    printf("\n");
    free(copy);
}

int main(int count, char **arguments)
{
    static uint8_t package[4 * LARGEST_MEMORY];
    uint32_t step = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 0;
    for (int i = 2; i < count; i++) {
        FILE *file = fopen(arguments[i], "rb");
        if (file == NULL) {
            return 2;
        }
        size_t bytes = fread(package, 1, sizeof package, file);
        fclose(file);
        if (step == 0) {
            judge(package, (uint32_t)bytes);
        } else {
            try_all(package, (uint32_t)bytes, step);
        }
    }
    return 0;
}
