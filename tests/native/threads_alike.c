/* SPDX-License-Identifier: Apache-2.0 */
/* Runs packages on one thread and on several.
 *
 *     threads_alike a.efm b.efm ...   ->   one line "<runs shared out> <numbers of threads that gave other bytes>"
 *                                          per package
 *     threads_alike -f a.efm          ->   the same; each time a forked process goes on with its parent's threads
 *
 * Each number of threads runs every package several times, with weights as the package has them and as the kernels
 * like them most. Meant for a build with ThreadSanitizer that finds every firing worth sharing. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pc.h"

enum { MOST_PACKAGE = 1 << 22, MOST_ENDS = 8, TIMES = 3, SECONDS = 60, GUARD = 64, FILL = 0xA5 };

static const uint32_t COUNTS[] = {1, 2, 3, 4, 7};

typedef struct ends {
    uint32_t count;
    size_t bytes[MOST_ENDS];
    uint8_t *at[MOST_ENDS];
} ends;

static unsigned long shared; /* runs of which the second thread had some multiply-adds */

static void *filled(size_t bytes)
{
    void *memory = aligned_alloc(GUARD, (bytes + 2 * GUARD) / GUARD * GUARD);
    if (memory == NULL) {
        exit(2);
    }
    return memset(memory, FILL, bytes + GUARD);
}

static void must(int holds)
{
    if (!holds) {
        abort();
    }
}

static ends ends_of(const efm_model *model, efm_status (*get)(const efm_model *, uint32_t, efm_tensor *))
{
    ends e = {0};
    efm_tensor tensor;
    for (; get(model, e.count, &tensor) == EFM_OK; e.count++) {
        must(e.count < MOST_ENDS);
        e.bytes[e.count] = (size_t)tensor.rows * tensor.row_bytes;
        e.at[e.count] = filled(e.bytes[e.count]);
        for (size_t i = 0; i < e.bytes[e.count]; i++) {
            e.at[e.count][i] = (uint8_t)(31 * i + i / 251 + e.count);
        }
    }
    return e;
}

static void free_ends(ends *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        free(e->at[i]);
    }
}

static int same(const ends *a, const ends *b)
{
    int equal = 1;
    for (uint32_t i = 0; i < a->count; i++) {
        equal &= memcmp(a->at[i], b->at[i], a->bytes[i]) == 0;
    }
    return equal;
}

/* One run; scratch is as long as it was asked for, with canaries behind it. */
static void run(const efm_model *model, efm_threads *threads, const ends *in, const ends *out)
{
    const uint32_t arena_bytes = efm_model_arena_bytes(model), count = threads == NULL ? 1 : efm_threads_count(threads);
    const uint32_t scratch_bytes = efm_model_worker_bytes(model) + GUARD;
    uint64_t products[EFM_MAX_WORKERS] = {0};
    efm_counters counters;
    efm_pc pc = {.model = model,
                 .inputs = (const uint8_t *const *)in->at,
                 .outputs = (uint8_t *const *)out->at,
                 .external = {.bytes = efm_model_external_bytes(model)},
                 .threads = threads,
                 .scratch_bytes = scratch_bytes,
                 .products = products};
    uint8_t *arena = filled(arena_bytes), *scratch = filled((size_t)count * scratch_bytes);
    pc.external.memory = filled(pc.external.bytes);
    pc.scratch = scratch;
    must(efm_pc_run(&pc, arena, arena_bytes, &counters) == EFM_OK);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 1; k <= GUARD; k++) {
            must(scratch[(size_t)(i + 1) * scratch_bytes - k] == FILL);
        }
    }
    must(arena[arena_bytes] == FILL);
    shared += count > 1 && products[1] > 0;
    free(pc.external.memory);
    free(scratch);
    free(arena);
}

/* Several runs: whether one gave other bytes. */
static int repeat(const efm_model *model, efm_threads *threads, const ends *in, const ends *expected)
{
    int wrong = 0;
    ends out = ends_of(model, efm_model_output);
    for (int i = 0; i < TIMES; i++) {
        run(model, threads, in, &out);
        wrong |= !same(&out, expected);
    }
    free_ends(&out);
    return wrong;
}

static int differs(const efm_model *model, const ends *in, const ends *expected, uint32_t count, int forks)
{
    int status = 0;
    efm_threads *threads = efm_threads_start(count);
    must(threads != NULL && efm_threads_count(threads) == count);
    int wrong = repeat(model, threads, in, expected);
    if (forks && fork() == 0) {
        wrong = repeat(model, threads, in, expected);
        efm_threads_stop(threads);
        _exit(wrong);
    }
    must(!forks || wait(&status) > 0);
    efm_threads_stop(threads);
    return wrong || status != 0;
}

static unsigned long compare(const efm_model *model, int forks)
{
    unsigned long wrong = 0;
    ends in = ends_of(model, efm_model_input), out = ends_of(model, efm_model_output);
    run(model, NULL, &in, &out);
    for (uint32_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        wrong += (unsigned long)differs(model, &in, &out, COUNTS[i], forks);
    }
    free_ends(&out);
    free_ends(&in);
    return wrong;
}

static unsigned long judge(const char *path, int forks)
{
    static _Alignas(8) uint8_t package[MOST_PACKAGE], lent[EFM_OPEN_BYTES];
    efm_model model;
    FILE *file = fopen(path, "rb");
    must(file != NULL);
    size_t bytes = fread(package, 1, sizeof package, file);
    fclose(file);
    must(efm_model_open(&model, package, (uint32_t)bytes, lent, sizeof lent) == EFM_OK);
    unsigned long wrong = compare(&model, forks);
    uint32_t own_bytes = efm_model_prepare_bytes(&model);
    if (own_bytes > 0) {
        uint8_t *own = filled(own_bytes);
        must(efm_model_prepare(&model, own, own_bytes) == EFM_OK);
        wrong += compare(&model, forks);
        free(own);
    }
    return wrong;
}

int main(int count, char **arguments)
{
    const int forks = count > 1 && strcmp(arguments[1], "-f") == 0;
    alarm(SECONDS);
    for (int i = 1 + forks; i < count; i++) {
        shared = 0;
        unsigned long wrong = judge(arguments[i], forks);
        printf("%lu %lu\n", shared, wrong);
        fflush(stdout);
    }
    return 0;
}
