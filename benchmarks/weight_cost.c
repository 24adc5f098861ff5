/* SPDX-License-Identifier: Apache-2.0 */
/* An image for an emulated Cortex-M4 that decodes tiles of weights and counts what it takes.
 *
 * A job is how many tables and tiles there are, each table's record behind its size, then each tile: code, table,
 * bytes, count, the code, the weights. Prints how many tiles came back changed, then the ticks for tables and for
 * tiles in hex. */
#include <string.h>

#include "bare.h"
#include "edgefm_bytes.h"
#include "weights/weights.h"

#define TABLES ((uint16_t *)0x20100000)
#define TILE   ((int8_t *)0x20200000)

enum { HEAD = 8, TILE_HEAD = 16 };

void run(void)
{
    const uint8_t *at = BARE_JOB + HEAD;
    uint32_t tables = efm_load_le32(BARE_JOB), tiles = efm_load_le32(BARE_JOB + 4), building, decoding = 0, wrong = 0,
             start;

    start_ticks();
    start = ticks_now();
    for (uint32_t i = 0; i < tables; i++) {
        wrong += efm_weights_build_table(at + 4, efm_load_le32(at), TABLES + i * EFM_WEIGHTS_ENTRIES) != EFM_OK;
        at += 4 + efm_load_le32(at);
    }
    building = ticks_since(start);
    for (uint32_t i = 0; i < tiles; i++) {
        uint32_t code = efm_load_le32(at), table = efm_load_le32(at + 4), bytes = efm_load_le32(at + 8);
        uint32_t count = efm_load_le32(at + 12);

        at += TILE_HEAD;
        start = ticks_now();
        wrong += efm_weights_decode(code, TABLES + table * EFM_WEIGHTS_ENTRIES, at, bytes, TILE, count) != EFM_OK;
        decoding += ticks_since(start);
        wrong += memcmp(TILE, at + bytes, count) != 0;
        at += bytes + count;
    }
    print_hex(wrong);
    print_hex(building);
    print_hex(decoding);
    end_run();
}
