/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what LOAD and STORE work on: stored maps, their codecs and caps. Behind the window of the control
 * region lie the states of caps and pool, then directories; nothing in a package reaches the states, so
 * that a page is free or in one chain whatever the package says. */
#include <stddef.h>

#include "edgefm_bytes.h"
#include "memory/caps.h"
#include "check.h"
#include "codecs/shared.h"
#include "codecs/tiles.h"

#if EFM_WITH_MAPS

/* A quality map's table for rows of this width is there, and adds no more than the largest shift. */
static int tiles_fit(const efm_model *model, const efm_map_view *map, const efm_cap_view *cap, uint32_t width)
{
    uint32_t offset = efm_load_le32(efm_model_record(model, EFM_SECTION_CAPS, map->cap - 1) + EFM_CAP_AT_TABLE);
    uint32_t total = model->section[EFM_SECTION_TABLES].bytes, head = EFM_TILE_OFFSETS_AT, shifts = EFM_QUALITY_CLASSES,
             i = 0;
    if (cap->tile > width) {
        return 0;
    }
    if (cap->quality == EFM_QUALITY_STATIC) {
        head = EFM_BAND_BYTES;
        if (!efm_fits(offset, head, total) || efm_load_le16(cap->table) == 0) {
            return 0;
        }
        uint32_t bands = (map->rows - 1) / efm_load_le16(cap->table) + 1;
        shifts = bands * efm_tiles_count(width, efm_cap_tile(cap, width));
    }
    if (!efm_fits(offset, head + shifts, total)) {
        return 0;
    }
    while (i < shifts && cap->table[head + i] <= EFM_MAX_SHIFT) {
        i++;
    }
    return i == shifts;
}

static efm_status check_codec(const efm_model *model, const efm_op_view *op, const efm_map_view *map,
                              const efm_rows *rows)
{
    const efm_codec_class *codec = efm_codec_find(map->codec);
    if (codec == NULL) {
        return EFM_BAD_FEATURE;
    }
    if (rows->element != 1 || map->row_bytes + (uint32_t)efm_model_is_capped(map) > 0xffff) {
        return EFM_BAD_CODEC;
    }
    efm_codec_args args;
    efm_model_codec_args(map, rows, &args);
    efm_status status = codec->check(&args);
    if (status != EFM_OK) {
        return status;
    }
    uint32_t code = efm_model_code_bytes(model, map) * efm_model_code_buffers(model, map);
    uint32_t state = codec->state_bytes(&args), left = op->args.scratch_bytes - EFM_CURSOR_BYTES;
    uint32_t more = efm_model_is_paired(map) ? map->row_bytes : 0;
    if (efm_model_is_capped(map)) {
        efm_cap_view cap;
        efm_model_cap(model, map->cap - 1, &cap);
        if (efm_cap_is_tiled(&cap) && !tiles_fit(model, map, &cap, rows->width)) {
            return EFM_BAD_CODEC;
        }
        more = efm_cap_scratch(&cap, &args, op->kind == EFM_OP_STORE);
    }
    if (more > 0) {
        state = ((state + 7u) & ~7u) + more;
    }
    if (code > left || state > left - code) {
        return EFM_BAD_CODEC;
    }
    return EFM_OK;
}

/* The map's rows are the stream's, one by one or in pairs. Rows that are not coded fill their slots. */
static int are_rows_of(const efm_model *model, const efm_map_view *map, const efm_rows *rows)
{
    if (efm_model_is_paired(map)) {
        return map->rows == (rows->height + 1) / 2 && map->row_bytes / 2 == efm_gapless_bytes(rows)
               && map->row_bytes % 2 == 0;
    }
    return map->rows == rows->height && map->row_bytes == efm_gapless_bytes(rows)
           && efm_model_transfer(model, map->row_bytes) <= rows->row_stride;
}

efm_status efm_check_cursor(const efm_model *model, uint32_t index, const efm_op_view *op, const efm_rows *rows)
{
    const uint8_t *stream = efm_model_record(model, EFM_SECTION_STREAMS, efm_load_le16(op->operands));
    if (op->link >= efm_model_count(model, EFM_SECTION_MAPS) || op->args.scratch_bytes < EFM_CURSOR_BYTES
        || !efm_is_gapless(rows) || efm_load_le32(stream + EFM_STREAM_AT_OFFSET) != 0) {
        return EFM_BAD_OPERATOR;
    }
    efm_map_view map;
    efm_model_map(model, op->link, &map);
    if (!are_rows_of(model, &map, rows) || (op->kind == EFM_OP_STORE && map.store != index)) {
        return EFM_BAD_OPERATOR;
    }
    return efm_model_is_coded(&map) ? check_codec(model, op, &map, rows) : EFM_OK;
}

/* A map in external memory; rows of a capped one may be stored in less than they have. */
static int fits_outside(const efm_model *model, const efm_map_view *map)
{
    uint32_t external = efm_model_external_bytes(model), alignment = efm_model_alignment(model);
    return map->slot_bytes != 0 && (efm_model_is_capped(map) || map->row_bytes <= map->slot_bytes)
           && map->address <= external && map->slot_bytes <= (external - map->address) / map->rows
           && map->address % alignment == 0 && map->slot_bytes % alignment == 0;
}

static int is_cursor(const efm_model *model, uint32_t op, uint32_t kind, uint32_t map)
{
    if (op >= efm_model_count(model, EFM_SECTION_OPERATORS)) {
        return 0;
    }
    const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, op);
    return at[EFM_OPERATOR_AT_KIND] == kind && efm_load_le32(at + EFM_OPERATOR_AT_LINK) == map;
}

/* The least shift of each row, where the cap has them; tables of tiles are checked where rows are known. */
static int quality_fits(const efm_model *model, const efm_map_view *map, const efm_cap_view *cap)
{
    uint32_t offset = efm_load_le32(efm_model_record(model, EFM_SECTION_CAPS, map->cap - 1) + EFM_CAP_AT_TABLE), y = 0;
    if (cap->quality > EFM_QUALITY_ROWS) {
        return efm_cap_is_tiled(cap) && cap->quality < EFM_QUALITIES
               && (efm_model_field(model, EFM_AT_FEATURES) & EFM_FEATURE_QUALITY) != 0;
    }
    if (cap->tile != 0 || (cap->quality == EFM_QUALITY_EVEN && offset != 0)) {
        return 0;
    }
    if (cap->quality == EFM_QUALITY_EVEN) {
        return 1;
    }
    if (!efm_fits(offset, map->rows, model->section[EFM_SECTION_TABLES].bytes)) {
        return 0;
    }
    while (y < map->rows && cap->table[y] <= EFM_MAX_SHIFT) {
        y++;
    }
    return y == map->rows;
}

/* The cap belongs to this map, and any row fits what it adds: one byte, in whole transfers. */
static efm_status check_cap(const efm_model *model, uint32_t index, const efm_map_view *map)
{
    if (map->cap > efm_model_count(model, EFM_SECTION_CAPS)) {
        return EFM_BAD_OPERATOR;
    }
    efm_cap_view cap;
    efm_model_cap(model, map->cap - 1, &cap);
    uint32_t least = cap.place == EFM_PLACE_POOL ? 1 : efm_model_alignment(model);
    if (map->codec == 0 || cap.map != index || cap.place > EFM_PLACE_POOL || cap.rate < least
        || cap.rate > EFM_MAX_BYTES || cap.depth > EFM_MAX_BYTES || !quality_fits(model, map, &cap)) {
        return EFM_BAD_CODEC;
    }
    if (cap.place == EFM_PLACE_EXTERNAL) {
        return cap.release == 0 ? EFM_OK : EFM_BAD_CODEC;
    }
    if (efm_model_pool_pages(model) == 0) {
        return EFM_BAD_CODEC;
    }
    return is_cursor(model, cap.release, EFM_OP_LOAD, index) ? EFM_OK : EFM_BAD_OPERATOR;
}

/* The frame before lies in the arena behind the control region. */
static efm_status check_reference(const efm_model *model, uint32_t index, const efm_map_view *map)
{
    if (map->reference > efm_model_count(model, EFM_SECTION_REFERENCES)) {
        return EFM_BAD_OPERATOR;
    }
    efm_reference_view reference;
    efm_model_reference(model, map->reference - 1, &reference);
    if (map->codec != EFM_CODEC_TEMPORAL || efm_model_is_capped(map) || reference.map != index
        || map->row_bytes > 0xffff || reference.offset < efm_model_control_bytes(model)
        || !efm_fits(reference.offset, map->rows * map->row_bytes, efm_model_arena_bytes(model))) {
        return EFM_BAD_CODEC;
    }
    return is_cursor(model, reference.release, EFM_OP_LOAD, index) ? EFM_OK : EFM_BAD_OPERATOR;
}

static efm_status check_map(const efm_model *model, uint32_t index)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_MAPS, index);
    if (!efm_fits(efm_load_le32(at + EFM_MAP_AT_TABLES), efm_load_le32(at + EFM_MAP_AT_TABLES_BYTES),
                  model->section[EFM_SECTION_TABLES].bytes)) {
        return EFM_BAD_CODEC;
    }
    efm_map_view map;
    efm_model_map(model, index, &map);
    if ((map.flags & ~(uint32_t)EFM_MAP_PAIRED) != 0 || (!EFM_HAS_CODECS && (map.codec | map.flags) != 0)) {
        return EFM_BAD_FEATURE;
    }
    if (efm_model_is_paired(&map) && (map.codec == 0 || map.cap != 0 || map.reference != 0)) {
        return EFM_BAD_CODEC;
    }
    if (map.rows == 0 || map.rows > EFM_MAX_ROWS) {
        return EFM_BAD_OPERATOR;
    }
    efm_status status = !efm_model_is_capped(&map) ? EFM_OK : check_cap(model, index, &map);
    if (status == EFM_OK && efm_model_refers(&map)) {
        status = check_reference(model, index, &map);
    }
    if (status != EFM_OK) {
        return status;
    }
    if (efm_model_is_pooled(model, &map) ? map.address != 0 || map.slot_bytes != 0 : !fits_outside(model, &map)) {
        return EFM_BAD_OPERATOR;
    }
    if (efm_model_is_coded(&map)
        && (map.directory < efm_model_states_end(model)
            || !efm_fits(map.directory, 2 * map.rows, efm_model_control_bytes(model)))) {
        return EFM_BAD_CODEC;
    }
    return is_cursor(model, map.store, EFM_OP_STORE, index) ? EFM_OK : EFM_BAD_OPERATOR;
}

efm_status efm_check_maps(const efm_model *model)
{
    efm_status status = EFM_OK;
    for (uint32_t i = 0; status == EFM_OK && i < efm_model_count(model, EFM_SECTION_MAPS); i++) {
        status = check_map(model, i);
    }
    return status;
}

#else

efm_status efm_check_maps(const efm_model *model)
{
    return efm_model_count(model, EFM_SECTION_MAPS) == 0 ? EFM_OK : EFM_BAD_FEATURE;
}

#endif
