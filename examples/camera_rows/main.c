/* SPDX-License-Identifier: Apache-2.0 */
/* A picture that is never in memory: a camera delivers it row by row, and the runtime asks for a row when it needs one.
 *
 *     edgefm export net.efm --c . --amalgamated && rm main.c
 *     cc -std=c11 -O2 -ffp-contract=off -I. *.c PATH/TO/examples/camera_rows/main.c -o camera_rows
 *     ./camera_rows <frame.raw
 *
 * The camera is the standard input: unsigned bytes, as sensors have them, in the shape of input 0. Rows come in order
 * and each once, so there is one line buffer and no frame buffer. */
#include <stdio.h>

#include "net.h"

static _Alignas(8) uint8_t arena[NET_ARENA_BYTES];

/* A board waits here for the line that DMA is filling. */
static int camera_read_line(uint8_t *line, uint32_t bytes)
{
    return fread(line, 1, bytes, stdin) == bytes ? 0 : -1;
}

/* The network's int8 is the sensor's byte less 128; a uint8 network takes the byte as it is. */
static int32_t pixels(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    static uint8_t line[NET_INPUT_0_ROW_BYTES];
    (void)context, (void)input, (void)y;
    if (bytes != sizeof line || camera_read_line(line, bytes) != 0) {
        return -1; /* efm_run() ends with EFM_HOST_FAILED */
    }
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = line[i] ^ (uint8_t)(NET_INPUT_0_TYPE == EFM_TYPE_INT8 ? 0x80 : 0);
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
    efm_counters counters;
    const efm_host host = {.input = pixels, .output = scores};
    efm_status status = net_run(&host, arena, sizeof arena, &counters);
    if (status != EFM_OK) {
        fprintf(stderr, "camera_rows: %s\n", efm_status_name(status));
    }
    return status == EFM_OK ? 0 : 1;
}
