/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stddef.h>

#include "edgefm_bytes.h"
#include "codecs/shift.h"

static const uint8_t RECORD_BYTES[EFM_SECTIONS] = {[EFM_SECTION_STREAMS] = EFM_STREAM_BYTES,
                                                   [EFM_SECTION_BUFFERS] = EFM_BUFFER_BYTES,
                                                   [EFM_SECTION_OPERATORS] = EFM_OPERATOR_BYTES,
                                                   [EFM_SECTION_OPERANDS] = 2,
                                                   [EFM_SECTION_PARAMS] = 4,
                                                   [EFM_SECTION_WEIGHTS] = 1,
                                                   [EFM_SECTION_FIRINGS] = EFM_FIRING_BYTES,
                                                   [EFM_SECTION_STAGES] = EFM_STAGE_BYTES,
                                                   [EFM_SECTION_MAPS] = EFM_MAP_BYTES,
                                                   [EFM_SECTION_TABLES] = 1,
                                                   [EFM_SECTION_TENSORS] = EFM_TENSOR_BYTES,
                                                   [EFM_SECTION_NAMES] = 1,
                                                   [EFM_SECTION_META] = 1,
                                                   [EFM_SECTION_SIGNATURE] = 1,
                                                   [EFM_SECTION_CAPS] = EFM_CAP_BYTES,
                                                   [EFM_SECTION_REFERENCES] = EFM_REFERENCE_BYTES,
                                                   [EFM_SECTION_TILES] = EFM_TILE_BYTES,
                                                   [EFM_SECTION_WEIGHT_TABLES] = EFM_WITH_WEIGHT_CODES};

uint32_t efm_model_record_bytes(uint32_t section)
{
    return section < EFM_SECTIONS ? RECORD_BYTES[section] : 0;
}

const uint8_t *efm_model_record(const efm_model *model, uint32_t section, uint32_t index)
{
    return model->section[section].at + (size_t)index * RECORD_BYTES[section];
}

uint32_t efm_model_field(const efm_model *model, uint32_t offset)
{
    return efm_load_le32(model->package + offset);
}

uint32_t efm_model_arena_bytes(const efm_model *model)
{
    return efm_model_field(model, EFM_AT_ARENA);
}

uint32_t efm_model_external_bytes(const efm_model *model)
{
    return efm_model_field(model, EFM_AT_EXTERNAL);
}

uint32_t efm_model_control_bytes(const efm_model *model)
{
    return efm_model_field(model, EFM_AT_CONTROL);
}

uint32_t efm_model_alignment(const efm_model *model)
{
    return efm_load_le16(model->package + EFM_AT_ALIGNMENT);
}

uint32_t efm_model_port_buffers(const efm_model *model)
{
    return efm_load_le16(model->package + EFM_AT_PORT_BUFFERS);
}

uint32_t efm_model_burst(const efm_model *model)
{
    return efm_model_field(model, EFM_AT_BURST);
}

uint32_t efm_model_window_operands(const efm_model *model)
{
    return efm_model_field(model, EFM_AT_WINDOW);
}

uint32_t efm_model_window_offset(const efm_model *model)
{
    return (EFM_COUNTER_BYTES * efm_model_count(model, EFM_SECTION_OPERATORS) + 7u) & ~7u;
}

uint32_t efm_model_stages(const efm_model *model)
{
    return efm_model_count(model, EFM_SECTION_STAGES);
}

uint32_t efm_model_maps(const efm_model *model)
{
    return efm_model_count(model, EFM_SECTION_MAPS);
}

void efm_model_op(const efm_model *model, uint32_t index, efm_op_view *op)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, index);
    efm_op_args *args = &op->args;
    *args = (efm_op_args){0};
    op->kind = at[EFM_OPERATOR_AT_KIND];
    if (EFM_HAS(AGAIN) && op->kind == EFM_OP_AGAIN) {
        op->kind = EFM_OP_INPUT;
    }
    op->rows = efm_load_le32(at + EFM_OPERATOR_AT_ROWS);
    op->link = efm_load_le32(at + EFM_OPERATOR_AT_LINK);
    op->scratch = efm_load_le32(at + EFM_OPERATOR_AT_SCRATCH);
    op->operands = efm_model_record(model, EFM_SECTION_OPERANDS, efm_load_le32(at + EFM_OPERATOR_AT_OPERANDS));
    args->n_in = at[EFM_OPERATOR_AT_N_IN];
    args->n_out = at[EFM_OPERATOR_AT_N_OUT];
    args->params = efm_model_record(model, EFM_SECTION_PARAMS, efm_load_le32(at + EFM_OPERATOR_AT_PARAMS));
    args->n_params = efm_load_le32(at + EFM_OPERATOR_AT_N_PARAMS);
    args->scratch_bytes = efm_load_le32(at + EFM_OPERATOR_AT_SCRATCH_BYTES);
    args->weights = model->section[EFM_SECTION_WEIGHTS].at;
    if (efm_load_le32(at + EFM_OPERATOR_AT_N_TILES) != 0) {
        efm_tile_view tile;
        efm_read_tile(model, efm_model_record(model, EFM_SECTION_TILES, efm_load_le32(at + EFM_OPERATOR_AT_TILES)),
                      &tile);
        args->weights = efm_tile_is_ported(&tile) ? NULL : tile.at;
        args->weights_bytes = tile.raw_bytes;
        args->packing = tile.packing;
    }
}

uint32_t efm_model_op_rows(const efm_model *model, uint32_t index)
{
    return efm_load_le32(efm_model_record(model, EFM_SECTION_OPERATORS, index) + EFM_OPERATOR_AT_ROWS);
}

void efm_model_map(const efm_model *model, uint32_t index, efm_map_view *map)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_MAPS, index);
    map->address = efm_load_le32(at + EFM_MAP_AT_ADDRESS);
    map->slot_bytes = efm_load_le32(at + EFM_MAP_AT_SLOT_BYTES);
    map->rows = efm_load_le32(at + EFM_MAP_AT_ROWS);
    map->row_bytes = efm_load_le32(at + EFM_MAP_AT_ROW_BYTES);
    map->codec = efm_load_le16(at + EFM_MAP_AT_CODEC);
    map->flags = efm_load_le16(at + EFM_MAP_AT_FLAGS);
    map->tables = efm_model_at(model, EFM_SECTION_TABLES, efm_load_le32(at + EFM_MAP_AT_TABLES));
    map->tables_bytes = efm_load_le32(at + EFM_MAP_AT_TABLES_BYTES);
    map->directory = efm_load_le32(at + EFM_MAP_AT_DIRECTORY);
    map->store = efm_load_le32(at + EFM_MAP_AT_STORE);
    map->cap = efm_load_le16(at + EFM_MAP_AT_CAP);
    map->reference = efm_load_le16(at + EFM_MAP_AT_REFERENCE);
}

void efm_model_reference(const efm_model *model, uint32_t index, efm_reference_view *reference)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_REFERENCES, index);
    reference->map = efm_load_le32(at + EFM_REFERENCE_AT_MAP);
    reference->offset = efm_load_le32(at + EFM_REFERENCE_AT_OFFSET);
    reference->release = efm_load_le32(at + EFM_REFERENCE_AT_RELEASE);
    reference->refresh = efm_load_le32(at + EFM_REFERENCE_AT_REFRESH);
}

void efm_model_cap(const efm_model *model, uint32_t index, efm_cap_view *cap)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_CAPS, index);
    cap->map = efm_load_le32(at + EFM_CAP_AT_MAP);
    cap->rate = efm_load_le32(at + EFM_CAP_AT_RATE);
    cap->depth = efm_load_le32(at + EFM_CAP_AT_DEPTH);
    cap->release = efm_load_le32(at + EFM_CAP_AT_RELEASE);
    cap->place = at[EFM_CAP_AT_PLACE];
    cap->quality = at[EFM_CAP_AT_QUALITY];
    cap->tile = efm_load_le16(at + EFM_CAP_AT_TILE);
    cap->table = efm_model_at(model, EFM_SECTION_TABLES, efm_load_le32(at + EFM_CAP_AT_TABLE));
}

uint32_t efm_model_pool_pages(const efm_model *model)
{
    return efm_load_le16(model->package + EFM_AT_POOL_PAGES);
}

uint32_t efm_model_page_bytes(const efm_model *model)
{
    return efm_load_le16(model->package + EFM_AT_PAGE);
}

uint32_t efm_model_caps_offset(const efm_model *model)
{
    return efm_model_window_offset(model) + efm_model_window_operands(model) * EFM_WINDOW_BYTES;
}

uint32_t efm_model_pool_offset(const efm_model *model)
{
    return efm_model_caps_offset(model) + efm_model_count(model, EFM_SECTION_CAPS) * EFM_CAP_STATE_BYTES;
}

uint32_t efm_model_states_end(const efm_model *model)
{
    uint32_t pages = efm_model_pool_pages(model);
    return efm_model_pool_offset(model) + (pages == 0 ? 0 : (EFM_POOL_STATE_BYTES + pages * EFM_LINK_BYTES + 7u) & ~7u);
}

void efm_model_rows(const efm_model *model, uint32_t stream, uint8_t *arena, efm_rows *rows)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_STREAMS, stream);
    const uint8_t *buffer = efm_model_record(model, EFM_SECTION_BUFFERS, efm_load_le16(at + EFM_STREAM_AT_BUFFER));
    rows->height = efm_load_le32(at + EFM_STREAM_AT_HEIGHT);
    rows->width = efm_load_le32(at + EFM_STREAM_AT_WIDTH);
    rows->channels = efm_load_le32(at + EFM_STREAM_AT_CHANNELS);
    rows->element = at[EFM_STREAM_AT_ELEMENT];
    rows->pixel_stride = efm_load_le32(at + EFM_STREAM_AT_PIXEL_STRIDE);
    rows->zero_point = efm_load_le32s(at + EFM_STREAM_AT_ZERO_POINT);
    rows->row_stride = efm_load_le32(buffer + EFM_BUFFER_AT_SLOT_BYTES);
    rows->capacity = efm_load_le32(buffer + EFM_BUFFER_AT_SLOTS);
    rows->base = arena == NULL
                     ? NULL
                     : arena + efm_load_le32(buffer + EFM_BUFFER_AT_OFFSET) + efm_load_le32(at + EFM_STREAM_AT_OFFSET);
}

uint32_t efm_model_producer(const efm_model *model, uint32_t stream)
{
    return efm_load_le16(efm_model_record(model, EFM_SECTION_STREAMS, stream) + EFM_STREAM_AT_PRODUCER);
}

uint32_t efm_model_transfer(const efm_model *model, uint32_t bytes)
{
    uint32_t over = bytes % efm_model_alignment(model);
    return over == 0 ? bytes : bytes + (efm_model_alignment(model) - over);
}

void efm_model_codec_args(const efm_map_view *map, const efm_rows *rows, efm_codec_args *args)
{
    args->width = rows->width;
    args->channels = efm_model_is_paired(map) ? 2 * rows->channels : rows->channels;
    args->zero_point = rows->zero_point;
    args->tables = map->tables;
    args->tables_bytes = map->tables_bytes;
    args->state = NULL;
    args->y = 0;
    args->reference = NULL;
}

uint32_t efm_model_code_bytes(const efm_model *model, const efm_map_view *map)
{
    uint32_t longest = map->row_bytes + (efm_model_is_capped(map) ? 1 + EFM_SHIFT_SPARE : 0);
    return (efm_model_transfer(model, longest) + 7u) & ~7u;
}

uint32_t efm_model_code_buffers(const efm_model *model, const efm_map_view *map)
{
    return efm_model_is_pooled(model, map) ? 1 : efm_model_port_buffers(model);
}

/* -- inputs and outputs ----------------------------------------------------------------------- */

static __attribute__((noinline)) uint32_t count_kind(const efm_model *model, uint32_t kind)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_OPERATORS); i++) {
        found += efm_model_record(model, EFM_SECTION_OPERATORS, i)[EFM_OPERATOR_AT_KIND] == kind;
    }
    return found;
}

uint32_t efm_model_inputs(const efm_model *model)
{
    return count_kind(model, EFM_OP_INPUT);
}

int efm_model_repeats(const efm_model *model)
{
    return EFM_HAS(AGAIN) ? (int)count_kind(model, EFM_OP_AGAIN) : 0;
}

uint32_t efm_model_outputs(const efm_model *model)
{
    return count_kind(model, EFM_OP_OUTPUT);
}

efm_status efm_model_tensor(const efm_model *model, uint32_t index, efm_tensor *tensor)
{
    if (index >= efm_model_count(model, EFM_SECTION_TENSORS)) {
        return EFM_BAD_ARGUMENT;
    }
    const uint8_t *at = efm_model_record(model, EFM_SECTION_TENSORS, index);
    tensor->rows = efm_load_le32(at + EFM_TENSOR_AT_ROWS);
    tensor->row_bytes = efm_load_le32(at + EFM_TENSOR_AT_ROW_BYTES);
    tensor->type = at[EFM_TENSOR_AT_TYPE];
    tensor->rank = at[EFM_TENSOR_AT_RANK];
    tensor->scale_bits = efm_load_le32(at + EFM_TENSOR_AT_SCALE);
    tensor->zero_point = efm_load_le32s(at + EFM_TENSOR_AT_ZERO_POINT);
    for (uint32_t i = 0; i < 4; i++) {
        tensor->shape[i] = efm_load_le32(at + EFM_TENSOR_AT_SHAPE + 4 * i);
    }
    tensor->name = efm_model_at(model, EFM_SECTION_NAMES, efm_load_le32(at + EFM_TENSOR_AT_NAME));
    tensor->name_bytes = efm_load_le32(at + EFM_TENSOR_AT_NAME_BYTES);
    return EFM_OK;
}

efm_status efm_model_input(const efm_model *model, uint32_t index, efm_tensor *tensor)
{
    return index < efm_model_inputs(model) ? efm_model_tensor(model, index, tensor) : EFM_BAD_ARGUMENT;
}

efm_status efm_model_output(const efm_model *model, uint32_t index, efm_tensor *tensor)
{
    if (index >= efm_model_outputs(model)) {
        return EFM_BAD_ARGUMENT;
    }
    return efm_model_tensor(model, efm_model_inputs(model) + index, tensor);
}

const char *efm_status_name(efm_status status)
{
    static const char *const NAMES[] = {"EFM_OK",           "EFM_BAD_MAGIC",    "EFM_BAD_VERSION", "EFM_BAD_SIZE",
                                        "EFM_BAD_CHECKSUM", "EFM_BAD_SECTION",  "EFM_BAD_FEATURE", "EFM_BAD_STREAM",
                                        "EFM_BAD_BUFFER",   "EFM_BAD_OPERATOR", "EFM_BAD_CODEC",   "EFM_BAD_SCHEDULE",
                                        "EFM_BAD_ARGUMENT", "EFM_PORT_FAILED",  "EFM_HOST_FAILED"};
    int index = -(int)status;
    return index < 0 || index >= (int)(sizeof NAMES / sizeof NAMES[0]) ? "unknown status" : NAMES[index];
}
