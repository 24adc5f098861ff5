/* SPDX-License-Identifier: Apache-2.0 */
/* Checks an operator's tiles: one that is read in place, several, or coded ones. */
#include "../check.h"

#include "../kernels/kernel.h"
#include "edgefm_bytes.h"
#include "sliced.h"

/* Input channels that a tile of a CONV or DEPTHWISE has for an output channel. */
static uint32_t inputs_of(const efm_op_class *entry, const efm_op_args *args)
{
    return entry->id == EFM_OP_CONV ? args->in->channels : 1;
}

/* The only tile has all channels of its operator, or none where constants do not go by channel. */
static efm_status check_whole(const efm_model *model, const efm_tiles *tiles, const efm_op_class *entry,
                              const efm_op_args *args)
{
    efm_tile_view tile;
    efm_status status = entry->check(args);
    if (status != EFM_OK || tiles->count == 0) {
        return status;
    }
    efm_model_tile(model, tiles->first, &tile);
    int by_channel = efm_goes_by_channel(entry);
    return (tile.first_out | tile.first_in) == 0 && tile.out == (by_channel ? args->out->channels : 0)
                   && tile.in == (by_channel ? inputs_of(entry, args) : 0)
               ? EFM_OK
               : EFM_BAD_OPERATOR;
}

#if EFM_WITH_WEIGHT_CODES

static int needs(const efm_model *model, uint32_t feature)
{
    return (efm_model_field(model, EFM_AT_FEATURES) & feature) != 0;
}

/* The record of a huffman tile's table. */
static efm_status check_table(const efm_model *model, const efm_tile_view *tile)
{
    const efm_section *tables = &model->section[EFM_SECTION_WEIGHT_TABLES];
    if (tile->table == 0 || tile->table > tables->bytes) {
        return EFM_BAD_CODEC;
    }
    const uint8_t *record = tables->at + tile->table - 1;
    uint32_t bytes = efm_weights_record_bytes(record, tables->bytes - (tile->table - 1));
    return efm_weights_check_record(record, bytes);
}

efm_status efm_check_code(const efm_model *model, uint32_t index)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_TILES, index);
    efm_tile_view tile;
    efm_model_tile(model, index, &tile);
    if (!needs(model, EFM_FEATURE_WEIGHT_CODES) || tile.code > EFM_WEIGHTS_PACKED
        || (tile.flags & ~(uint32_t)EFM_TILE_KEPT) != 0 || tile.packing != EFM_PACKING_ROWS
        || (at[EFM_TILE_AT_MEMORY] | efm_load_le16(at + EFM_TILE_AT_RESERVED)) != 0) {
        return EFM_BAD_FEATURE;
    }
    if (tile.code == EFM_WEIGHTS_HUFFMAN) {
        return check_table(model, &tile);
    }
    return tile.table == 0 ? EFM_OK : EFM_BAD_FEATURE;
}

/* A coded tile has its table as it is, its weights fit the operator's buffer, and what decodes them fits scratch. */
static int fits_memory(const efm_model *model, const efm_tiles *tiles, const efm_tile_view *tile,
                       uint32_t scratch_bytes)
{
    uint32_t head = efm_tile_head(tile);
    if (tile->code == EFM_WEIGHTS_RAW) {
        return 1;
    }
    if (tiles->buffer >= efm_model_count(model, EFM_SECTION_BUFFERS)) {
        return 0;
    }
    const uint8_t *buffer = efm_model_record(model, EFM_SECTION_BUFFERS, tiles->buffer);
    return efm_load_le32(buffer + EFM_BUFFER_AT_SLOTS) == 1 && tile->bytes >= head
           && tile->raw_bytes - head <= efm_load_le32(buffer + EFM_BUFFER_AT_SLOT_BYTES)
           && (tile->code != EFM_WEIGHTS_HUFFMAN || scratch_bytes >= EFM_WEIGHT_TABLE_BYTES);
}

/* The operator as it is for one tile, behind `done` output channels. */
static efm_status check_part(const efm_model *model, const efm_tiles *tiles, const efm_tile_view *tile,
                             const efm_op_class *entry, const efm_op_args *whole, uint32_t done)
{
    efm_part part;
    if (tile->first_out != done || tile->out > whole->out->channels - done || tile->first_in != 0
        || tile->in != inputs_of(entry, whole) || ((tile->flags & EFM_TILE_KEPT) && tiles->count > 1)) {
        return EFM_BAD_OPERATOR;
    }
    efm_part_of(whole, entry, tile, efm_tiles_table(tiles), &part);
    efm_status status = entry->check(&part.args);
    return status == EFM_OK && !fits_memory(model, tiles, tile, whole->scratch_bytes) ? EFM_BAD_OPERATOR : status;
}

static efm_status check_parts(const efm_model *model, const efm_tiles *tiles, const efm_op_class *entry,
                              const efm_op_args *args)
{
    efm_status status = EFM_OK;
    uint32_t done = 0;
    if (!efm_goes_by_channel(entry) || (tiles->count > 1 && !needs(model, EFM_FEATURE_WEIGHT_TILES))) {
        return EFM_BAD_FEATURE;
    }
    if (args->scratch_bytes < efm_tiles_table(tiles)
        || (entry->id == EFM_OP_DEPTHWISE && args->out->channels % args->in->channels != 0)) {
        return EFM_BAD_OPERATOR;
    }
    for (uint32_t i = 0; status == EFM_OK && i < tiles->count; i++) {
        efm_tile_view tile;
        efm_model_tile(model, tiles->first + i, &tile);
        status = check_part(model, tiles, &tile, entry, args, done);
        done += tile.out;
    }
    return status == EFM_OK && done != args->out->channels ? EFM_BAD_OPERATOR : status;
}

#endif

efm_status efm_check_tiles(const efm_model *model, uint32_t op, const efm_op_class *entry, const efm_op_args *args)
{
    const efm_tiles tiles = efm_tiles_of(model, op);
#if EFM_HAS(SLICED)
    if (entry->id == EFM_OP_SLICED) {
        return efm_check_sliced(model, op, args);
    }
#endif
#if EFM_WITH_WEIGHT_CODES
    if (efm_has_parts(model, &tiles)) {
        return check_parts(model, &tiles, entry, args);
    }
#endif
    return check_whole(model, &tiles, entry, args);
}
