/* SPDX-License-Identifier: Apache-2.0 */
/* The least program that runs a package:
 *
 *     xxd -i <net.efm >package.inc
 *     cc -std=c11 -O2 -ffp-contract=off -I native/include -I . examples/minimal/main.c \
 *         $(find native/src -name '*.c') -o minimal
 *
 * It prints the bytes that come out for a ramp that goes in. A board has its own pixels() and scores(). */
#include <stdio.h>

#include "edgefm.h"

static const uint8_t package[] = {
#include "package.inc"
};
static _Alignas(8) uint8_t arena[64 * 1024]; /* at least the plan's fast_bytes */

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

int main(void)
{
    efm_model model;
    efm_counters counters;
    const efm_host host = {.input = pixels, .output = scores};
    efm_status status = efm_model_open(&model, package, sizeof package, arena, sizeof arena);
    if (status == EFM_OK) {
        status = efm_run(&model, &host, arena, sizeof arena, &counters);
    }
    return status == EFM_OK ? 0 : 1;
}
