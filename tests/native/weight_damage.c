/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes random codes with random tables, from and into buffers of exactly their size, so that the sanitizers see any
 * step outside. Prints how many codes were refused and how many were read. */
#include <stdio.h>
#include <stdlib.h>

#include "weights/weights.h"

#define TRIALS 60000

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static uint8_t *filled(uint32_t bytes, uint32_t below)
{
    uint8_t *found = malloc(bytes == 0 ? 1 : bytes);

    for (uint32_t i = 0; i < bytes; i++) {
        found[i] = (uint8_t)any(below);
    }
    return found;
}

/* A table that may become anything while it is used, as one in an arena that a forged package shares out may. */
static void fill_with_anything(uint16_t *table)
{
    for (uint32_t i = 0; i < EFM_WEIGHTS_ENTRIES; i++) {
        table[i] = (uint16_t)any(1 << 16);
    }
}

/* Random lengths; now and then they are a code, and every value of the table is tried as it is otherwise. */
static void fill_table(uint16_t *table)
{
    uint32_t values = 1 + any(20), mirrored = values % 2 && any(2), stored = mirrored ? values / 2 + 1 : values;
    uint32_t bytes = 5 + (stored + 1) / 2;
    uint8_t *record = filled(bytes, 256);

    for (uint32_t i = 0; i < bytes; i++) {
        record[i] = (uint8_t)((5 + any(6)) << 4 | (5 + any(6)));
    }
    record[2] = (uint8_t)any(256);
    record[3] = (uint8_t)(values - 1);
    record[4] = (uint8_t)mirrored;
    record[bytes - 1] &= stored % 2 ? 15 : 255;
    if (any(4) == 0 || efm_weights_build_table(record, bytes, table) != EFM_OK) {
        for (uint32_t i = 0; i < EFM_WEIGHTS_ENTRIES; i++) {
            uint32_t special = any(9) == 0, length = 1 + any(10);

            table[i] = (uint16_t)(special ? 31u << 8 | (1 + any(4)) << 4 | length : length << 8 | any(256));
        }
    }
    free(record);
    if (efm_weights_check_table(table) != EFM_OK) {
        abort();
    }
}

static int try(void)
{
    uint16_t *table = malloc(EFM_WEIGHTS_ENTRIES * sizeof *table);
    uint32_t bytes = any(40), count = any(10) ? any(80) : any(2000), code = any(3);
    uint8_t *coded = filled(bytes, any(2) ? 256 : 4);
    int8_t *to = malloc(count == 0 ? 1 : count);
    efm_status status;

    if (any(8) == 0) {
        fill_with_anything(table);
    } else {
        fill_table(table);
    }
    if (code == EFM_WEIGHTS_PACKED && bytes > 2 && any(4)) { /* a size that fits */
        coded[0] = (uint8_t)(3 + any(4));
        count = (bytes - 2) * 8 / coded[0];
        to = realloc(to, count == 0 ? 1 : count);
    }
    status = efm_weights_decode(code, table, coded, bytes, to, count);
    if (status != EFM_OK && status != EFM_BAD_CODEC) {
        abort();
    }
    for (uint32_t i = 0; status == EFM_OK && i < count; i++) {
        seed += (uint8_t)to[i];
    }
    free(table);
    free(coded);
    free(to);
    return status == EFM_OK;
}

int main(void)
{
    uint32_t read = 0;

    for (uint32_t i = 0; i < TRIALS; i++) {
        read += (uint32_t)try();
    }
    printf("%u %u\n", TRIALS - read, read);
    return 0;
}
