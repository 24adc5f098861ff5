/* SPDX-License-Identifier: Apache-2.0 */
/* Quality maps: tiles of a row, runs of its pixels, whose steps are coarser than the row's own. */
#ifndef EFM_QUALITY_TILES_H
#define EFM_QUALITY_TILES_H

#include <stdint.h>

#include "codec.h"

/* How a row is cut, and what is added to its shift in each tile; no more than EFM_MAX_SHIFT comes out. */
typedef struct efm_quality_tiles {
    uint32_t pixels;          /* of a tile, at least 1; the row's last may have fewer */
    const uint8_t *offsets;   /* per tile; null: 0 in all */
} efm_quality_tiles;

/* A table of classes: u16[3] thresholds, sixteenths of the mean difference between neighboring pixels, each
   of which adds 1 to the class of a tile that reaches it; then u8[4], the offset of each class. */
enum { EFM_TILE_OFFSETS_AT = 6 };

/* A table of static offsets: u16 rows of a band, then u8[bands][tiles]. */
enum { EFM_BAND_BYTES = 2 };

static inline uint32_t efm_tiles_count(uint32_t width, uint32_t pixels)
{
    return width / pixels + (width % pixels != 0);
}

/* Bytes that say the classes of `tiles` tiles, two bits each. */
static inline uint32_t efm_tiles_signal_bytes(uint32_t tiles)
{
    return (tiles + 3) / 4;
}

/* Finds the offset of each tile of `pixels` pixels by how busy it is in `row`; `signal`, unless it is
   null, gets the classes. */
void efm_tiles_measure(const efm_codec_args *args, uint32_t pixels, const uint8_t *table, const int8_t *row,
                       uint8_t *offsets, uint8_t *signal);

/* Finds the offsets in a signal; returns 1 where bits behind the last class are set, else 0. */
uint32_t efm_tiles_read(const efm_codec_args *args, uint32_t pixels, const uint8_t *table, const uint8_t *signal,
                        uint8_t *offsets);

#endif
