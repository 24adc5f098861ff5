/* SPDX-License-Identifier: Apache-2.0 */
#include "tiles.h"

#include <stddef.h>

#include "../kernels/table.h"
#include "../share.h"

#if EFM_WITH_WEIGHT_CODES

void efm_model_tile(const efm_model *model, uint32_t index, efm_tile_view *tile)
{
    efm_read_tile(model, efm_model_record(model, EFM_SECTION_TILES, index), tile);
}

uint32_t efm_tiles_table(const efm_model *model, const efm_tiles *tiles)
{
    int needed = tiles->count > 1;
    if (EFM_WITH_WEIGHT_PORT && needed) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_TILES, tiles->first);
        needed = at[EFM_TILE_AT_MEMORY] == EFM_MEMORY_MAPPED;
        for (uint32_t i = 0; !needed && i < tiles->count; i++, at += EFM_TILE_BYTES) {
            needed = at[EFM_TILE_AT_CODE] == EFM_WEIGHTS_HUFFMAN;
        }
    }
    return needed ? EFM_WEIGHT_TABLE_BYTES : 0;
}

efm_tile_buffer efm_tile_buffer_of(const efm_model *model, uint32_t buffer)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_BUFFERS, buffer);
    return (efm_tile_buffer){efm_load_le32(at + EFM_BUFFER_AT_OFFSET), efm_load_le32(at + EFM_BUFFER_AT_SLOT_BYTES),
                             efm_load_le32(at + EFM_BUFFER_AT_SLOTS)};
}

uint32_t efm_tile_head(const efm_tile_view *tile)
{
    return EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * tile->out;
}

/* Rows of `count` channels from channel `first` on. */
static void take_channels(efm_rows *rows, uint32_t first, uint32_t count)
{
    rows->base = rows->base == NULL ? NULL : rows->base + first;
    rows->channels = count;
}

void efm_part_of(const efm_op_args *whole, const efm_op_class *entry, const efm_tile_view *tile, uint32_t table,
                 efm_part *part)
{
    uint32_t multiplier = whole->out->channels / whole->in->channels;
    part->args = *whole;
    part->in = *whole->in;
    part->out = *whole->out;
    part->args.in = &part->in;
    part->args.out = &part->out;
    part->args.weights = tile->at;
    part->args.weights_bytes = tile->raw_bytes;
    part->args.packing = tile->packing;
    part->args.scratch = whole->scratch == NULL ? NULL : whole->scratch + table;
    part->args.scratch_bytes -= table;
    take_channels(&part->out, tile->first_out, tile->out);
    if (entry->id == EFM_OP_DEPTHWISE && multiplier != 0) {
        take_channels(&part->in, tile->first_out / multiplier, tile->out / multiplier);
    }
}

static efm_status build_table(efm_parts *p, uint32_t number)
{
    const efm_section *tables = &p->run->model->section[EFM_SECTION_WEIGHT_TABLES];
    const uint8_t *record = tables->at + number - 1;
    if (number == p->built) {
        return EFM_OK;
    }
    p->built = number;
    return efm_weights_build_table(record, efm_weights_record_bytes(record, tables->bytes - (number - 1)),
                                   (uint16_t *)(void *)p->args->scratch);
}

efm_status efm_decode_tile(efm_parts *p, const efm_tile_view *tile, const uint8_t *at, int8_t *to)
{
    uint32_t head = efm_tile_head(tile);
    efm_status status = tile->code == EFM_WEIGHTS_HUFFMAN ? build_table(p, tile->table) : EFM_OK;
    if (status != EFM_OK) {
        return status;
    }
    return efm_weights_decode(tile->code, (const uint16_t *)(const void *)p->args->scratch, at + head,
                              tile->bytes - head, to, tile->raw_bytes - head);
}

/* Runs the kernel on one mapped tile; *read becomes the bytes of it that were read. Not inlined, so that operators
   without parts do without its stack. */
static __attribute__((noinline)) efm_status fire_part(efm_parts *p, uint32_t index, uint32_t *read)
{
    efm_status status = EFM_OK;
    efm_tile_view tile;
    efm_part part;
    efm_model_tile(p->run->model, index, &tile);
    efm_part_of(p->args, p->entry, &tile, p->table, &part);
    *read = tile.bytes;
    if (tile.code != EFM_WEIGHTS_RAW) {
        int8_t *to = (int8_t *)p->run->arena + efm_tile_buffer_of(p->run->model, p->tiles.buffer).offset;
        part.args.decoded = to;
        if ((tile.flags & EFM_TILE_KEPT) && p->args->first > 0) {
            *read = efm_tile_head(&tile);
        } else {
            status = efm_decode_tile(p, &tile, tile.at, to);
        }
    }
    if (status == EFM_OK) {
        efm_share(p->run->host->workers, p->entry, &part.args);
    }
    return status;
}

static efm_status run_mapped(efm_parts *p)
{
    efm_status status = EFM_OK;
    for (uint32_t i = 0, read; status == EFM_OK && i < p->tiles.count; i++) {
        status = fire_part(p, p->tiles.first + i, &read);
        p->run->counters->weight_read_bytes += read;
    }
    return status;
}

efm_status efm_run_tiles(const efm_running *run, uint32_t op, const efm_op_class *entry, const efm_op_args *args)
{
    efm_parts p = {.run = run, .entry = entry, .args = args, .tiles = efm_tiles_of(run->model, op)};
    if (!efm_has_parts(run->model, &p.tiles)) {
        efm_share(run->host->workers, entry, args);
        run->counters->weight_read_bytes += args->weights_bytes;
        return EFM_OK;
    }
    p.table = efm_tiles_table(run->model, &p.tiles);
#if EFM_WITH_WEIGHT_PORT
    if (efm_model_record(run->model, EFM_SECTION_TILES, p.tiles.first)[EFM_TILE_AT_MEMORY] != EFM_MEMORY_MAPPED) {
        return efm_run_ported(&p);
    }
#endif
    return run_mapped(&p);
}

#endif
