/* SPDX-License-Identifier: Apache-2.0 */
/* Checks an operator's tiles: one that is read in place, several, or coded ones. */
#include "../check.h"

#include "../kernels/kernel.h"
#include "../kernels/table.h"
#include "edgefm_bytes.h"
#include "sliced.h"
#include "weight_memory.h"

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

/* Whether the package says that it has what the tile needs. */
static int is_announced(const efm_model *model, const efm_tile_view *tile)
{
    return tile->memory <= (EFM_WITH_WEIGHT_PORT ? EFM_MEMORY_PORT : EFM_MEMORY_MAPPED)
           && (tile->memory == EFM_MEMORY_MAPPED || needs(model, EFM_FEATURE_WEIGHT_PORT))
           && (tile->code == EFM_WEIGHTS_RAW || needs(model, EFM_FEATURE_WEIGHT_CODES));
}

static efm_status check_code(const efm_model *model, const efm_tile_view *tile, const uint8_t *at)
{
    if (!is_announced(model, tile) || tile->code > EFM_WEIGHTS_PACKED || (tile->flags & ~(uint32_t)EFM_TILE_KEPT) != 0
        || tile->packing != EFM_PACKING_ROWS || efm_load_le16(at + EFM_TILE_AT_RESERVED) != 0) {
        return EFM_BAD_FEATURE;
    }
    if (tile->code == EFM_WEIGHTS_HUFFMAN) {
        return check_table(model, tile);
    }
    return tile->table == 0 ? EFM_OK : EFM_BAD_FEATURE;
}

/* Its bytes are where they are said to be, and, where transfers bring them, as those have to lie. */
static int is_there(const efm_model *model, const efm_tile_view *tile)
{
    if (!efm_tile_is_ported(tile)) {
        return efm_fits(tile->offset, tile->bytes, efm_model_mapped_weights(model));
    }
    return tile->bytes <= EFM_MAX_BYTES && tile->offset % efm_model_weight_alignment(model) == 0
           && efm_fits(tile->offset, efm_model_weight_transfer(model, tile->bytes), efm_model_weight_bytes(model));
}

/* A tile that is coded or behind the weight port. */
static efm_status check_brought(const efm_model *model, const uint8_t *at)
{
    efm_tile_view tile;
    efm_model_tile(model, (uint32_t)(at - model->section[EFM_SECTION_TILES].at) / EFM_TILE_BYTES, &tile);
    efm_status status = check_code(model, &tile, at);
    if (status != EFM_OK) {
        return status;
    }
    return (tile.code != EFM_WEIGHTS_RAW || tile.raw_bytes == tile.bytes) && tile.offset % EFM_TILE_ALIGNMENT == 0
                   && is_there(model, &tile)
               ? EFM_OK
               : EFM_BAD_OPERATOR;
}

/* A coded tile has its table as it is, and what decodes it fits scratch. */
static int can_be_decoded(const efm_tile_view *tile, uint32_t scratch_bytes)
{
    return tile->code == EFM_WEIGHTS_RAW
           || (tile->bytes >= efm_tile_head(tile) && tile->raw_bytes >= efm_tile_head(tile)
               && (tile->code != EFM_WEIGHTS_HUFFMAN || scratch_bytes >= EFM_WEIGHT_TABLE_BYTES));
}

/* The weights of a mapped tile fit the operator's buffer, where they are decoded. All that is stored of a ported one
   does, and a coded one has another slot to be decoded into. */
static int fits_buffer(const efm_model *model, const efm_tiles *tiles, const efm_tile_view *tile)
{
    int ported = efm_tile_is_ported(tile);
    if (!ported && tile->code == EFM_WEIGHTS_RAW) {
        return 1;
    }
    if (tiles->buffer >= efm_model_count(model, EFM_SECTION_BUFFERS)) {
        return 0;
    }
    efm_tile_buffer buffer = efm_tile_buffer_of(model, tiles->buffer);
    if (!ported) {
        return buffer.slots == 1 && tile->raw_bytes - efm_tile_head(tile) <= buffer.slot_bytes;
    }
    return buffer.slots <= 2 && (buffer.slots == 2 || tile->code == EFM_WEIGHTS_RAW)
           && tile->raw_bytes <= buffer.slot_bytes
           && efm_model_weight_transfer(model, tile->bytes) <= buffer.slot_bytes;
}

/* The operator as it is for one tile, behind `done` output channels. What the table of a tile says that is not there
   yet is looked at when it has come, where that matters. Not inlined, for the sake of the stack. */
static __attribute__((noinline)) efm_status check_part(const efm_model *model, const efm_tiles *tiles,
                                                       const efm_tile_view *tile, const efm_op_class *entry,
                                                       const efm_op_args *whole, uint32_t done)
{
    static const uint8_t SOME_TABLE[EFM_TABLE_HEAD_BYTES] = {0};
    efm_part part;
    if (tile->first_out != done || tile->out > whole->out->channels - done || tile->first_in != 0
        || tile->in != inputs_of(entry, whole) || ((tile->flags & EFM_TILE_KEPT) && tiles->count > 1)) {
        return EFM_BAD_OPERATOR;
    }
    efm_part_of(whole, entry, tile, efm_tiles_table(model, tiles), &part);
    if (efm_tile_is_ported(tile)) {
        part.args.weights = SOME_TABLE;
    }
    efm_status status = entry->check(&part.args);
    return status == EFM_OK && (!can_be_decoded(tile, whole->scratch_bytes) || !fits_buffer(model, tiles, tile))
               ? EFM_BAD_OPERATOR
               : status;
}

static efm_status check_channels(const efm_model *model, const efm_tiles *tiles, const efm_op_class *entry,
                                 const efm_op_args *args)
{
    efm_status status = EFM_OK;
    uint32_t done = 0, memory = 0;
    if (args->scratch_bytes < efm_tiles_table(model, tiles)
        || (entry->id == EFM_OP_DEPTHWISE && args->out->channels % args->in->channels != 0)) {
        return EFM_BAD_OPERATOR;
    }
    for (uint32_t i = 0; status == EFM_OK && i < tiles->count; i++) {
        efm_tile_view tile;
        efm_model_tile(model, tiles->first + i, &tile);
        memory = i == 0 ? tile.memory : memory;
        status = tile.memory == memory ? check_part(model, tiles, &tile, entry, args, done) : EFM_BAD_OPERATOR;
        done += tile.out;
    }
    return status == EFM_OK && done != args->out->channels ? EFM_BAD_OPERATOR : status;
}

#if EFM_WITH_WEIGHT_PORT
/* An operator whose constants do not go by channel, and which can wait for them, has them in one tile as they are. */
static efm_status check_late(const efm_model *model, const efm_tiles *tiles, const efm_op_class *entry,
                             const efm_op_args *args)
{
    efm_tile_view tile;
    efm_model_tile(model, tiles->first, &tile);
    if (!(entry->flags & EFM_OP_LATE) || !efm_tile_is_ported(&tile) || tile.code != EFM_WEIGHTS_RAW) {
        return EFM_BAD_FEATURE;
    }
    if (tiles->count > 1 || (tile.first_out | tile.out | tile.first_in | tile.in) != 0
        || !fits_buffer(model, tiles, &tile)) {
        return EFM_BAD_OPERATOR;
    }
    return entry->check(args);
}
#endif

static efm_status check_parts(const efm_model *model, const efm_tiles *tiles, const efm_op_class *entry,
                              const efm_op_args *args)
{
    if (tiles->count > 1 && !needs(model, EFM_FEATURE_WEIGHT_TILES)) {
        return EFM_BAD_FEATURE;
    }
    if (efm_goes_by_channel(entry)) {
        return check_channels(model, tiles, entry, args);
    }
#if EFM_WITH_WEIGHT_PORT
    return check_late(model, tiles, entry, args);
#else
    return EFM_BAD_FEATURE;
#endif
}

#endif

/* The packing of raw tiles that are mapped is the operator's to judge. */
static efm_status check_tile(const efm_model *model, const uint8_t *at)
{
    uint32_t place = efm_load_le32(at + EFM_TILE_AT_MEMORY), packing = (uint32_t)at[EFM_TILE_AT_PACKING] << 8;
    uint32_t offset = efm_load_le32(at + EFM_TILE_AT_OFFSET), bytes = efm_load_le32(at + EFM_TILE_AT_BYTES);
#if EFM_WITH_WEIGHT_CODES
    if ((place & 0xff00ff) != 0) { /* behind the port, or coded */
        return check_brought(model, at);
    }
#endif
    if (place != packing || efm_load_le32(at + EFM_TILE_AT_TABLE) != 0) {
        return EFM_BAD_FEATURE;
    }
    if (efm_load_le32(at + EFM_TILE_AT_RAW_BYTES) != bytes || offset % EFM_TILE_ALIGNMENT != 0
        || !efm_fits(offset, bytes, efm_model_mapped_weights(model))) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

efm_status efm_check_tile_records(const efm_model *model)
{
    const uint8_t *at = model->section[EFM_SECTION_TILES].at;
    efm_status status = EFM_OK;
    for (uint32_t left = efm_model_count(model, EFM_SECTION_TILES); status == EFM_OK && left > 0;
         left--, at += EFM_TILE_BYTES) {
        status = check_tile(model, at);
    }
    return status;
}

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
