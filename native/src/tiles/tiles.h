/* SPDX-License-Identifier: Apache-2.0 */
/* Operators and their tiles. Where these are more than one, or coded, each is the operator over again, for its output
 * channels. */
#ifndef EFM_TILES_H
#define EFM_TILES_H

#include "../model.h"
#include "../weights/weights.h"

enum { EFM_WEIGHT_TABLE_BYTES = 2 * EFM_WEIGHTS_ENTRIES /* of scratch, to decode huffman */ };

/* Tiles first .. first + count - 1 of TILES, and the number of the buffer that coded ones are decoded into. */
typedef struct efm_tiles {
    uint32_t first, count;
    uint32_t buffer;
} efm_tiles;

static inline efm_tiles efm_tiles_of(const efm_model *model, uint32_t op)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, op);
    return (efm_tiles){efm_load_le32(at + EFM_OPERATOR_AT_TILES), efm_load_le32(at + EFM_OPERATOR_AT_N_TILES),
                       efm_load_le32(at + EFM_OPERATOR_AT_LINK)};
}

/* False for an operator without a tile or with one that is read in place. */
static inline int efm_has_parts(const efm_model *model, const efm_tiles *tiles)
{
    const uint8_t *at;
    if (tiles->count != 1) {
        return tiles->count > 1;
    }
    at = efm_model_record(model, EFM_SECTION_TILES, tiles->first);
    return at[EFM_TILE_AT_CODE] != EFM_WEIGHTS_RAW
           || (EFM_WITH_WEIGHT_PORT && at[EFM_TILE_AT_MEMORY] != EFM_MEMORY_MAPPED);
}

/* Bytes at the front of an operator's scratch that are not its kernel's. A single tile is decoded before the kernel
   needs any, and tiles behind the weight port that have no table need none. */
uint32_t efm_tiles_table(const efm_model *model, const efm_tiles *tiles);

/* Whether tiles are ranges of output channels. */
static inline int efm_goes_by_channel(const efm_op_class *entry)
{
    return entry->id == EFM_OP_CONV || entry->id == EFM_OP_DEPTHWISE;
}

/* A CONV or DEPTHWISE as it is for one of its tiles; `args` refers to the rows beside it. */
typedef struct efm_part {
    efm_op_args args;
    efm_rows in, out;
} efm_part;

/* `table` of efm_tiles_table(), which scratch has room for. */
void efm_part_of(const efm_op_args *whole, const efm_op_class *entry, const efm_tile_view *tile, uint32_t table,
                 efm_part *part);

/* The buffer that an operator's tiles are brought into. */
typedef struct efm_tile_buffer {
    uint32_t offset, slot_bytes, slots; /* in the arena */
} efm_tile_buffer;

/* `buffer` is one of the package's BUFFERS. */
efm_tile_buffer efm_tile_buffer_of(const efm_model *model, uint32_t buffer);

/* Bytes in front of a tile's weights. */
uint32_t efm_tile_head(const efm_tile_view *tile);

/* A run under way: the model, and what the caller lends. */
typedef struct efm_running {
    const efm_model *model;
    const efm_host *host;
    efm_counters *counters;
    uint8_t *arena;
    efm_rows *window; /* operands of the firing under way, in the arena */
} efm_running;

/* A firing of an operator that has parts. */
typedef struct efm_parts {
    const efm_running *run;
    const efm_op_class *entry;
    const efm_op_args *args;
    efm_tiles tiles;
    uint32_t table; /* bytes at the front of scratch */
    uint32_t built; /* the tile's `table` that is there, 0: none */
} efm_parts;

/* Decodes a tile, `at` which its stored bytes are, into the weights at `to`. */
EFM_MUST_CHECK efm_status efm_decode_tile(efm_parts *parts, const efm_tile_view *tile, const uint8_t *at, int8_t *to);

/* Fires an operator whose tiles are behind the weight port. */
EFM_MUST_CHECK efm_status efm_run_ported(efm_parts *parts);

/* Fires an operator, tile by tile where it has parts, and counts what is read of them. */
EFM_MUST_CHECK efm_status efm_run_tiles(const efm_running *run, uint32_t op, const efm_op_class *entry,
                                        const efm_op_args *args);

#endif
