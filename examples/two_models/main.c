/* SPDX-License-Identifier: Apache-2.0 */
/* Two networks, one runtime and one arena: a small one looks at every frame, a larger one at those that it likes.
 *
 *     edgefm export first.efm second.efm --c . --amalgamated && rm main.c
 *     cc -std=c11 -O2 -ffp-contract=off -I. *.c PATH/TO/examples/two_models/main.c -o two_models
 *
 * A run keeps nothing in the arena, so networks that take turns share one, as large as the larger needs. Each needs its
 * own only where they run at the same time, on two cores, or where frames refer to the frame before (efm_host.frame). */
#include <stdio.h>

#include "first.h"
#include "second.h"

enum { LARGER = FIRST_ARENA_BYTES > SECOND_ARENA_BYTES ? FIRST_ARENA_BYTES : SECOND_ARENA_BYTES };

static _Alignas(8) uint8_t arena[LARGER];

typedef struct result {
    uint32_t best, at; /* the largest score, as it lies in the output, and its class */
} result;

static int32_t pixels(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    (void)context, (void)input;
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)(y * bytes + i);
    }
    return 0;
}

/* int8 scores, in the order of unsigned ones. */
static int32_t scores(void *context, uint32_t output, uint32_t y, const uint8_t *row, uint32_t bytes)
{
    result *r = context;
    (void)output, (void)y;
    for (uint32_t i = 0; i < bytes; i++) {
        uint32_t score = row[i] ^ 0x80u;
        if (score > r->best) {
            *r = (result){score, i};
        }
    }
    return 0;
}

int main(void)
{
    efm_counters counters;
    result first = {0, 0}, second = {0, 0};
    efm_host host = {.context = &first, .input = pixels, .output = scores};
    efm_status status = first_run(&host, arena, sizeof arena, &counters);
    if (status == EFM_OK && first.best > 0) {
        host.context = &second;
        status = second_run(&host, arena, sizeof arena, &counters);
    }
    if (status != EFM_OK) {
        fprintf(stderr, "two_models: %s\n", efm_status_name(status));
        return 1;
    }
    printf("%u %u\n", (unsigned)first.at, (unsigned)second.at);
    return 0;
}
