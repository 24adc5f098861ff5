/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stddef.h>

#include "bytes.h"
#include "codecs/shift.h"

static const uint8_t RECORD_BYTES[EFM_SECTIONS] = {
    [EFM_SECTION_STREAMS] = EFM_STREAM_BYTES, [EFM_SECTION_BUFFERS] = EFM_BUFFER_BYTES,
    [EFM_SECTION_OPERATORS] = EFM_OPERATOR_BYTES, [EFM_SECTION_OPERANDS] = 2,
    [EFM_SECTION_PARAMS] = 4, [EFM_SECTION_WEIGHTS] = 1, [EFM_SECTION_FIRINGS] = EFM_FIRING_BYTES,
    [EFM_SECTION_STAGES] = EFM_STAGE_BYTES, [EFM_SECTION_MAPS] = EFM_MAP_BYTES,
    [EFM_SECTION_TABLES] = 1, [EFM_SECTION_TENSORS] = EFM_TENSOR_BYTES, [EFM_SECTION_NAMES] = 1,
    [EFM_SECTION_META] = 1, [EFM_SECTION_SIGNATURE] = 1, [EFM_SECTION_CAPS] = EFM_CAP_BYTES,
    [EFM_SECTION_REFERENCES] = EFM_REFERENCE_BYTES
};

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
    return load_le32(model->package + offset);
}

uint32_t efm_model_arena_bytes(const efm_model *model) { return efm_model_field(model, EFM_AT_ARENA); }

uint32_t efm_model_external_bytes(const efm_model *model) { return efm_model_field(model, EFM_AT_EXTERNAL); }

uint32_t efm_model_control_bytes(const efm_model *model) { return efm_model_field(model, EFM_AT_CONTROL); }

uint32_t efm_model_alignment(const efm_model *model) { return load_le16(model->package + EFM_AT_ALIGNMENT); }

uint32_t efm_model_port_buffers(const efm_model *model) { return load_le16(model->package + EFM_AT_PORT_BUFFERS); }

uint32_t efm_model_burst(const efm_model *model) { return efm_model_field(model, EFM_AT_BURST); }

uint32_t efm_model_window_operands(const efm_model *model) { return efm_model_field(model, EFM_AT_WINDOW); }

uint32_t efm_model_window_offset(const efm_model *model)
{
    return (EFM_COUNTER_BYTES * efm_model_count(model, EFM_SECTION_OPERATORS) + 7u) & ~7u;
}

uint32_t efm_model_stages(const efm_model *model) { return efm_model_count(model, EFM_SECTION_STAGES); }

uint32_t efm_model_maps(const efm_model *model) { return efm_model_count(model, EFM_SECTION_MAPS); }

void efm_model_op(const efm_model *model, uint32_t index, efm_op_view *op)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, index);
    op->kind = at[0];
    op->n_in = at[1];
    op->n_out = at[2];
    op->operands = efm_model_record(model, EFM_SECTION_OPERANDS, load_le32(at + 4));
    op->params = efm_model_record(model, EFM_SECTION_PARAMS, load_le32(at + 8));
    op->n_params = load_le32(at + 12);
    op->weights = model->section[EFM_SECTION_WEIGHTS].at + load_le32(at + 16);
    op->weights_bytes = load_le32(at + 20);
    op->scratch = load_le32(at + 24);
    op->scratch_bytes = load_le32(at + 28);
    op->rows = load_le32(at + 32);
    op->link = load_le32(at + 36);
}

uint32_t efm_model_op_rows(const efm_model *model, uint32_t index)
{
    return load_le32(efm_model_record(model, EFM_SECTION_OPERATORS, index) + 32);
}

void efm_model_map(const efm_model *model, uint32_t index, efm_map_view *map)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_MAPS, index);
    map->address = load_le32(at);
    map->slot_bytes = load_le32(at + 4);
    map->rows = load_le32(at + 8);
    map->row_bytes = load_le32(at + 12);
    map->codec = load_le16(at + 16);
    map->flags = load_le16(at + 18);
    map->tables = model->section[EFM_SECTION_TABLES].at + load_le32(at + 20);
    map->tables_bytes = load_le32(at + 24);
    map->directory = load_le32(at + 28);
    map->store = load_le32(at + 32);
    map->cap = load_le16(at + 36);
    map->reference = load_le16(at + 38);
}

void efm_model_reference(const efm_model *model, uint32_t index, efm_reference_view *reference)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_REFERENCES, index);
    reference->map = load_le32(at);
    reference->offset = load_le32(at + 4);
    reference->release = load_le32(at + 8);
    reference->refresh = load_le32(at + 12);
}

void efm_model_cap(const efm_model *model, uint32_t index, efm_cap_view *cap)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_CAPS, index);
    cap->map = load_le32(at);
    cap->rate = load_le32(at + 4);
    cap->depth = load_le32(at + 8);
    cap->release = load_le32(at + 12);
    cap->place = at[16];
    cap->quality = at[17];
    cap->tile = load_le16(at + 18);
    cap->table = model->section[EFM_SECTION_TABLES].at + load_le32(at + 20);
}

uint32_t efm_model_pool_pages(const efm_model *model) { return load_le16(model->package + EFM_AT_POOL_PAGES); }

uint32_t efm_model_page_bytes(const efm_model *model) { return load_le16(model->package + EFM_AT_PAGE); }

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
    return efm_model_pool_offset(model) +
           (pages == 0 ? 0 : (EFM_POOL_STATE_BYTES + pages * EFM_LINK_BYTES + 7u) & ~7u);
}

void efm_model_rows(const efm_model *model, uint32_t stream, uint8_t *arena, efm_rows *rows)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_STREAMS, stream);
    const uint8_t *buffer = efm_model_record(model, EFM_SECTION_BUFFERS, load_le16(at + 14));
    rows->height = load_le32(at);
    rows->width = load_le32(at + 4);
    rows->channels = load_le32(at + 8);
    rows->element = at[12];
    rows->pixel_stride = load_le32(at + 24);
    rows->zero_point = load_le32s(at + 28);
    rows->row_stride = load_le32(buffer + 4);
    rows->capacity = load_le32(buffer + 8);
    rows->base = arena == NULL ? NULL : arena + load_le32(buffer) + load_le32(at + 20);
}

uint32_t efm_model_producer(const efm_model *model, uint32_t stream)
{
    return load_le16(efm_model_record(model, EFM_SECTION_STREAMS, stream) + 16);
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

int efm_model_is_pooled(const efm_model *model, const efm_map_view *map)
{
    return efm_model_is_capped(map) &&
           efm_model_record(model, EFM_SECTION_CAPS, map->cap - 1)[16] == EFM_PLACE_POOL;
}

/* -- inputs and outputs ----------------------------------------------------------------------- */

static uint32_t count_kind(const efm_model *model, uint32_t kind)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_OPERATORS); i++)
        found += efm_model_record(model, EFM_SECTION_OPERATORS, i)[0] == kind;
    return found;
}

uint32_t efm_model_inputs(const efm_model *model) { return count_kind(model, EFM_OP_INPUT); }

uint32_t efm_model_outputs(const efm_model *model) { return count_kind(model, EFM_OP_OUTPUT); }

efm_status efm_model_tensor(const efm_model *model, uint32_t index, efm_tensor *tensor)
{
    if (index >= efm_model_count(model, EFM_SECTION_TENSORS))
        return EFM_BAD_ARGUMENT;
    const uint8_t *at = efm_model_record(model, EFM_SECTION_TENSORS, index);
    tensor->rows = load_le32(at);
    tensor->row_bytes = load_le32(at + 4);
    tensor->type = at[8];
    tensor->rank = at[9];
    tensor->scale_bits = load_le32(at + 12);
    tensor->zero_point = load_le32s(at + 16);
    for (uint32_t i = 0; i < 4; i++)
        tensor->shape[i] = load_le32(at + 20 + 4 * i);
    tensor->name = model->section[EFM_SECTION_NAMES].at + load_le32(at + 36);
    tensor->name_bytes = load_le32(at + 40);
    return EFM_OK;
}

efm_status efm_model_input(const efm_model *model, uint32_t index, efm_tensor *tensor)
{
    return index < efm_model_inputs(model) ? efm_model_tensor(model, index, tensor) : EFM_BAD_ARGUMENT;
}

efm_status efm_model_output(const efm_model *model, uint32_t index, efm_tensor *tensor)
{
    if (index >= efm_model_outputs(model))
        return EFM_BAD_ARGUMENT;
    return efm_model_tensor(model, efm_model_inputs(model) + index, tensor);
}

const char *efm_status_name(efm_status status)
{
    static const char *const NAMES[] = {
        "EFM_OK", "EFM_BAD_MAGIC", "EFM_BAD_VERSION", "EFM_BAD_SIZE", "EFM_BAD_CHECKSUM", "EFM_BAD_SECTION",
        "EFM_BAD_FEATURE", "EFM_BAD_STREAM", "EFM_BAD_BUFFER", "EFM_BAD_OPERATOR", "EFM_BAD_CODEC",
        "EFM_BAD_SCHEDULE", "EFM_BAD_ARGUMENT", "EFM_PORT_FAILED", "EFM_HOST_FAILED"
    };
    int index = -(int)status;
    return index < 0 || index >= (int)(sizeof NAMES / sizeof NAMES[0]) ? "unknown status" : NAMES[index];
}
