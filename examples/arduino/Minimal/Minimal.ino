/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a network once a second and prints its best class.
 *
 * Put a network beside this sketch first:  edgefm export net.efm --c . --amalgamated
 * and keep net.c, net.h and net_bytes.h of it: the runtime is the library edgefm, and main() is Arduino's. */
#include "net.h"

static uint8_t arena[NET_ARENA_BYTES] __attribute__((aligned(8)));

static int32_t pixels(void *, uint32_t, uint32_t y, uint8_t *row, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)(y * bytes + i); /* of a camera, say */
    }
    return 0;
}

static int32_t scores(void *context, uint32_t, uint32_t, const uint8_t *row, uint32_t bytes)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < bytes; i++) {
        best = (int8_t)row[i] > (int8_t)row[best] ? i : best;
    }
    *static_cast<uint32_t *>(context) = best;
    return 0;
}

void setup()
{
    Serial.begin(115200);
}

void loop()
{
    uint32_t best = 0;
    efm_counters counters;
    efm_host host = {};
    host.context = &best;
    host.input = pixels;
    host.output = scores;
    efm_status status = net_run(&host, arena, sizeof arena, &counters);
    if (status == EFM_OK) {
        Serial.println(best);
    } else {
        Serial.println(efm_status_name(status));
    }
    delay(1000);
}
