/* SPDX-License-Identifier: Apache-2.0 */
#include "tiles.h"

#include <string.h>

#include "edgefm_bytes.h"

enum { UNIT = 16, THRESHOLDS = 3 }; /* thresholds count sixteenths of a step */

/* How much the `count` values from the at-th on differ from those of the pixel before, in all. */
static uint32_t activity(const int8_t *row, uint32_t channels, uint32_t at, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = at > 0 ? at : channels; i < at + count; i++) {
        int32_t step = row[i] - row[i - channels];
        sum += (uint32_t)(step < 0 ? -step : step);
    }
    return sum;
}

void efm_tiles_measure(const efm_codec_args *args, uint32_t pixels, const uint8_t *table, const int8_t *row,
                       uint8_t *offsets, uint8_t *signal)
{
    uint32_t values = args->width * args->channels, count = 0;
    if (signal != 0) {
        memset(signal, 0, efm_tiles_signal_bytes(efm_tiles_count(args->width, pixels)));
    }
    for (uint32_t at = 0, t = 0; at < values; at += count, t++) {
        count = pixels * args->channels < values - at ? pixels * args->channels : values - at;
        uint32_t busy = activity(row, args->channels, at, count), class = 0;
        for (uint32_t k = 0; k < THRESHOLDS; k++) {
            class += busy * UNIT >= count * efm_load_le16(table + 2 * k);
        }
        offsets[t] = table[EFM_TILE_OFFSETS_AT + class];
        if (signal != 0) {
            signal[t / 4] |= (uint8_t)(class << t % 4 * 2);
        }
    }
}

uint32_t efm_tiles_read(const efm_codec_args *args, uint32_t pixels, const uint8_t *table, const uint8_t *signal,
                        uint8_t *offsets)
{
    uint32_t tiles = efm_tiles_count(args->width, pixels);
    for (uint32_t t = 0; t < tiles; t++) {
        offsets[t] = table[EFM_TILE_OFFSETS_AT + (signal[t / 4] >> t % 4 * 2 & 3u)];
    }
    return tiles % 4 != 0 && signal[tiles / 4] >> tiles % 4 * 2 != 0;
}
