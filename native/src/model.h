/* SPDX-License-Identifier: Apache-2.0 */
/* Views into a checked package. Everything here trusts efm_model_open(). */
#ifndef EFM_MODEL_H
#define EFM_MODEL_H

#include "edgefm.h"
#include "edgefm_bytes.h"
#include "codecs/codec.h"
#include "codecs/list.h"
#include "config.h"
#include "format.h"
#include "ops/op.h"

/* A piece of an operator's constant data. */
typedef struct efm_tile_view {
    const uint8_t *at;        /* its stored bytes, where they are mapped */
    uint32_t offset;          /* of them in WEIGHTS */
    uint32_t bytes;
    uint32_t raw_bytes;
    uint32_t crc;             /* of the stored bytes; behind the weight port their efm_word_sum() */
    uint32_t first_out, out;  /* channels; 0 of operators without */
    uint32_t first_in, in;
    uint32_t memory;          /* EFM_MEMORY_* */
    uint32_t packing;
    uint32_t code;            /* EFM_WEIGHTS_* */
    uint32_t flags;
    uint32_t table;           /* 0, or one more than where its code's table is in WEIGHT_TABLES */
} efm_tile_view;

typedef struct efm_op_view {
    uint32_t kind;
    uint32_t rows;            /* fired in all */
    uint32_t link;            /* tensor index of INPUT and OUTPUT, map index of LOAD and STORE */
    uint32_t scratch;         /* arena offset */
    const uint8_t *operands;  /* u16 stream indices, inputs first */
    efm_op_args args;         /* what the package says; weights: the raw bytes of its tile */
} efm_op_view;

typedef struct efm_map_view {
    uint32_t address;
    uint32_t slot_bytes;
    uint32_t rows;
    uint32_t row_bytes;
    uint32_t codec;           /* 0 = raw */
    uint32_t flags;
    const uint8_t *tables;
    uint32_t tables_bytes;
    uint32_t directory;       /* arena offset of u16 lengths; coded maps only */
    uint32_t store;           /* operator that writes the map */
    uint32_t cap;             /* 0, or one more than the number of its cap */
    uint32_t reference;       /* 0, or one more than the number of its reference */
} efm_map_view;

/* The frame before of a map that is coded against it: its rows, one after another in fast memory. */
typedef struct efm_reference_view {
    uint32_t map;             /* that it belongs to */
    uint32_t offset;          /* in the arena */
    uint32_t release;         /* LOAD that is through with a row last, and puts this frame's in its place */
    uint32_t refresh;         /* frames from one that refers to none to the next; 0: only the first does */
} efm_reference_view;

typedef struct efm_cap_view {
    uint32_t map;             /* that it belongs to */
    uint32_t rate;            /* bytes that each row adds to the credit */
    uint32_t depth;           /* most credit that is kept */
    uint32_t release;         /* operator that gives the pages of its rows back; pool only */
    uint32_t place;
    uint32_t quality;
    uint32_t tile;            /* pixels of a tile, 0: a whole row; EFM_QUALITY_STATIC and above */
    const uint8_t *table;     /* that the quality refers to; EFM_QUALITY_ROWS: least shift of each row */
} efm_cap_view;

/* Record `index` of a section; how many there are; bytes of each. */
const uint8_t *efm_model_record(const efm_model *model, uint32_t section, uint32_t index);
static inline uint32_t efm_model_count(const efm_model *model, uint32_t section)
{
    return model->section[section].count;
}
uint32_t efm_model_record_bytes(uint32_t section); /* 0: no such section */

/* Input or output number `index` of all; EFM_BAD_ARGUMENT when there is none. */
EFM_MUST_CHECK efm_status efm_model_tensor(const efm_model *model, uint32_t index, efm_tensor *tensor);

uint32_t efm_model_field(const efm_model *model, uint32_t offset); /* header field */
uint32_t efm_model_control_bytes(const efm_model *model);
uint32_t efm_model_window_operands(const efm_model *model);
uint32_t efm_model_window_offset(const efm_model *model);
uint32_t efm_model_port_buffers(const efm_model *model);
uint32_t efm_model_burst(const efm_model *model);

void efm_model_op(const efm_model *model, uint32_t index, efm_op_view *op);
uint32_t efm_model_op_rows(const efm_model *model, uint32_t index); /* that it fires in all */
void efm_model_map(const efm_model *model, uint32_t index, efm_map_view *map);
void efm_model_cap(const efm_model *model, uint32_t index, efm_cap_view *cap);
void efm_model_reference(const efm_model *model, uint32_t index, efm_reference_view *reference);

uint32_t efm_model_pool_pages(const efm_model *model);
uint32_t efm_model_page_bytes(const efm_model *model);

/* Arena offsets in the control region: of the first cap's state, of the pool's, and where both end. */
uint32_t efm_model_caps_offset(const efm_model *model);
uint32_t efm_model_pool_offset(const efm_model *model);
uint32_t efm_model_states_end(const efm_model *model);

/* A stream as rows; `arena` may be null while nothing is to be read. */
void efm_model_rows(const efm_model *model, uint32_t stream, uint8_t *arena, efm_rows *rows);
uint32_t efm_model_producer(const efm_model *model, uint32_t stream);

/* Bytes of a transfer of `bytes`, rounded up to the port's alignment. */
uint32_t efm_model_transfer(const efm_model *model, uint32_t bytes);

/* What a codec is told about the rows of a map. */
void efm_model_codec_args(const efm_map_view *map, const efm_rows *rows, efm_codec_args *args);

/* Bytes of one code buffer, and how many a cursor of a coded map has: one per transfer in flight. */
uint32_t efm_model_code_bytes(const efm_model *model, const efm_map_view *map);
uint32_t efm_model_code_buffers(const efm_model *model, const efm_map_view *map);

/* Byte `offset` of a section. The package may be unchecked: the offset is then anything, and nothing is read there. */
static inline const uint8_t *efm_model_at(const efm_model *model, uint32_t section, uint32_t offset)
{
    return (const uint8_t *)((uintptr_t)model->section[section].at + offset);
}

/* The tile whose record is at `at`. */
static inline void efm_read_tile(const efm_model *model, const uint8_t *at, efm_tile_view *tile)
{
    tile->offset = efm_load_le32(at + EFM_TILE_AT_OFFSET);
    tile->at = efm_model_at(model, EFM_SECTION_WEIGHTS, tile->offset);
    tile->bytes = efm_load_le32(at + EFM_TILE_AT_BYTES);
    tile->raw_bytes = efm_load_le32(at + EFM_TILE_AT_RAW_BYTES);
    tile->crc = efm_load_le32(at + EFM_TILE_AT_CRC);
    tile->first_out = efm_load_le32(at + EFM_TILE_AT_FIRST_OUT);
    tile->out = efm_load_le32(at + EFM_TILE_AT_OUT);
    tile->first_in = efm_load_le32(at + EFM_TILE_AT_FIRST_IN);
    tile->in = efm_load_le32(at + EFM_TILE_AT_IN);
    tile->memory = at[EFM_TILE_AT_MEMORY];
    tile->packing = at[EFM_TILE_AT_PACKING];
    tile->code = at[EFM_TILE_AT_CODE];
    tile->flags = at[EFM_TILE_AT_FLAGS];
    tile->table = efm_load_le16(at + EFM_TILE_AT_TABLE);
}

/* Record `index` of TILES. Builds that bring tiles into fast memory read them in many places. */
#if EFM_WITH_WEIGHT_CODES
void efm_model_tile(const efm_model *model, uint32_t index, efm_tile_view *tile);
#else
static inline void efm_model_tile(const efm_model *model, uint32_t index, efm_tile_view *tile)
{
    efm_read_tile(model, efm_model_record(model, EFM_SECTION_TILES, index), tile);
}
#endif

/* True when the tile is behind the weight port; without EFM_WITH_WEIGHT_PORT none of an open package is. */
static inline int efm_tile_is_ported(const efm_tile_view *tile)
{
    return EFM_WITH_WEIGHT_PORT && tile->memory == EFM_MEMORY_PORT;
}

/* True when rows of the map are coded; in a build without codecs no package that is open has such a map. */
static inline int efm_model_is_coded(const efm_map_view *map)
{
    return EFM_HAS_CODECS && map->codec != EFM_CODEC_RAW;
}

/* True when the map has a cap; without EFM_WITH_CAPS no package that is open has any. */
static inline int efm_model_is_capped(const efm_map_view *map)
{
    return EFM_WITH_CAPS && EFM_HAS_CODECS && map->cap != 0;
}

/* True when the map is coded against the frame before; likewise with EFM_HAS(TEMPORAL). */
static inline int efm_model_refers(const efm_map_view *map)
{
    return EFM_HAS(TEMPORAL) && map->reference != 0;
}

/* True when a row of the map is a pair of the stream's, side by side in each pixel. */
static inline int efm_model_is_paired(const efm_map_view *map)
{
    return EFM_HAS_CODECS && (map->flags & EFM_MAP_PAIRED) != 0;
}

/* True when tiles of the cap's map have shifts of their own. */
static inline int efm_cap_is_tiled(const efm_cap_view *cap)
{
    return EFM_WITH_TILES && cap->quality > EFM_QUALITY_ROWS;
}

/* Pixels of a tile in rows of `width`. */
static inline uint32_t efm_cap_tile(const efm_cap_view *cap, uint32_t width)
{
    return cap->tile != 0 ? cap->tile : width;
}

/* True when the map's rows are in the page pool: only those of capped maps are. */
static inline int efm_model_is_pooled(const efm_model *model, const efm_map_view *map)
{
    return efm_model_is_capped(map)
           && efm_model_record(model, EFM_SECTION_CAPS, map->cap - 1)[EFM_CAP_AT_PLACE] == EFM_PLACE_POOL;
}

#endif
