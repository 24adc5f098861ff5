/* SPDX-License-Identifier: Apache-2.0 */
/* A network, weights and all, that is not in the program: it comes from a file, and may be another one tomorrow.
 *
 *     cc -std=c11 -O2 -ffp-contract=off -I native/include examples/weights_from_file/main.c \
 *         $(find native/src -name '*.c') -o weights_from_file
 *     ./weights_from_file net.efm
 *
 * A package from outside is read whole against its checksums first, and its sizes are asked of it. The runtime reads
 * weights in place, so the bytes stay where they are while it runs. */
#include <stdio.h>
#include <stdlib.h>

#include "edgefm.h"

enum { PACKAGE_MOST = 64 << 20 };

static int32_t pixels(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    (void)context, (void)input;
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)(y * bytes + i);
    }
    return 0;
}

static int32_t scores(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    (void)context, (void)output, (void)y;
    for (uint32_t i = 0; i < bytes; i++) {
        printf("%u\n", row[i]);
    }
    return 0;
}

/* Opens, verifies and runs a package in memory that it gets and gives back. */
static efm_status run(const uint8_t *package, uint32_t bytes)
{
    static _Alignas(8) uint8_t opening[EFM_OPEN_BYTES];
    const efm_host host = {.input = pixels, .output = scores};
    efm_counters counters;
    efm_model model;
    efm_status status = efm_model_open(&model, package, bytes, opening, sizeof opening);
    if (status == EFM_OK) {
        status = efm_model_verify(&model);
    }
    if (status != EFM_OK) {
        return status;
    }
    uint32_t arena_bytes = efm_model_arena_bytes(&model);
    uint8_t *arena = malloc(arena_bytes);
    status = arena == NULL ? EFM_BAD_ARGUMENT : efm_run(&model, &host, arena, arena_bytes, &counters);
    free(arena);
    return status;
}

static uint8_t *load(const char *name, uint32_t *bytes)
{
    FILE *file = fopen(name, "rb");
    uint8_t *package = NULL;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        package = size > 0 && size <= PACKAGE_MOST ? malloc((size_t)size) : NULL;
        *bytes = (uint32_t)size;
        if (package != NULL && fread(package, 1, *bytes, file) != *bytes) {
            free(package);
            package = NULL;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return package;
}

int main(int count, char **words)
{
    uint32_t bytes = 0;
    uint8_t *package = count == 2 ? load(words[1], &bytes) : NULL;
    if (package == NULL) {
        fprintf(stderr, "weights_from_file: got no package, expected the name of a file that has one\n");
        return 2;
    }
    efm_status status = run(package, bytes);
    if (status != EFM_OK) {
        fprintf(stderr, "weights_from_file: %s\n", efm_status_name(status));
    }
    free(package);
    return status == EFM_OK ? 0 : 1;
}
