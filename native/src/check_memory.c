/* SPDX-License-Identifier: Apache-2.0 */
/* Checks how the arena is shared out: control region, page pool, buffers, and the streams in them. */
#include <stddef.h>

#include "edgefm_bytes.h"
#include "check.h"

static efm_status check_control(const efm_model *model)
{
    uint32_t window = efm_model_window_operands(model), control = efm_model_control_bytes(model);
    uint32_t arena = efm_model_arena_bytes(model);
    if (window > EFM_MAX_OPERANDS || control % 8 != 0 || arena > EFM_MAX_BYTES || control > arena
        || efm_model_states_end(model) > control) {
        return EFM_BAD_BUFFER;
    }
    return EFM_OK;
}

/* The page pool, where there is one, lies behind the control region; a package without one says nothing. */
static efm_status check_pool(const efm_model *model)
{
    uint32_t arena = efm_model_arena_bytes(model), offset = efm_model_field(model, EFM_AT_POOL);
    uint32_t pages = efm_model_pool_pages(model), bytes = efm_model_page_bytes(model);
    if (pages == 0) {
        return offset == 0 && bytes == 0 ? EFM_OK : EFM_BAD_BUFFER;
    }
    if (bytes < EFM_MIN_PAGE || bytes > EFM_MAX_PAGE || offset % 8 != 0 || offset < efm_model_control_bytes(model)
        || offset > arena || bytes > (arena - offset) / pages) {
        return EFM_BAD_BUFFER;
    }
    return EFM_OK;
}

static efm_status check_buffers(const efm_model *model)
{
    uint32_t arena = efm_model_arena_bytes(model), control = efm_model_control_bytes(model);
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_BUFFERS); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_BUFFERS, i);
        uint32_t offset = efm_load_le32(at + EFM_BUFFER_AT_OFFSET),
                 stride = efm_load_le32(at + EFM_BUFFER_AT_SLOT_BYTES), slots = efm_load_le32(at + EFM_BUFFER_AT_SLOTS);
        if (offset % 8 != 0 || offset < control || slots == 0 || slots > EFM_MAX_ROWS || stride == 0 || offset > arena
            || stride > (arena - offset) / slots) {
            return EFM_BAD_BUFFER;
        }
    }
    return EFM_OK;
}

static efm_status check_stream(const efm_model *model, uint32_t index)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_STREAMS, index);
    if (efm_load_le16(at + EFM_STREAM_AT_BUFFER) >= efm_model_count(model, EFM_SECTION_BUFFERS)
        || efm_load_le16(at + EFM_STREAM_AT_PRODUCER) >= efm_model_count(model, EFM_SECTION_OPERATORS)
        || at[EFM_STREAM_AT_ELEMENT + 1] != 0 || efm_load_le16(at + EFM_STREAM_AT_RESERVED) != 0) {
        return EFM_BAD_STREAM;
    }
    efm_rows rows;
    efm_model_rows(model, index, NULL, &rows);
    uint32_t offset = efm_load_le32(at + EFM_STREAM_AT_OFFSET);
    if (rows.element != 1 && rows.element != 4 && rows.element != 8) {
        return EFM_BAD_STREAM;
    }
    if (rows.height == 0 || rows.height > EFM_MAX_ROWS || rows.width == 0 || rows.width > EFM_MAX_DIMENSION
        || rows.channels == 0 || rows.channels > EFM_MAX_DIMENSION / 8 || rows.zero_point < -128
        || rows.zero_point > 127) {
        return EFM_BAD_STREAM;
    }
    uint32_t pixel = rows.channels * rows.element;
    if (pixel > rows.pixel_stride || rows.pixel_stride > rows.row_stride || offset > rows.row_stride
        || pixel > rows.row_stride - offset) {
        return EFM_BAD_STREAM;
    }
    if (offset % rows.element != 0 || rows.pixel_stride % rows.element != 0 || rows.row_stride % rows.element != 0) {
        return EFM_BAD_STREAM;
    }
    if (rows.width - 1 > (rows.row_stride - offset - pixel) / rows.pixel_stride
        || efm_gapless_bytes(&rows) > EFM_MAX_BYTES / rows.height) {
        return EFM_BAD_STREAM;
    }
    return EFM_OK;
}

static efm_status check_streams(const efm_model *model)
{
    efm_status status = EFM_OK;
    for (uint32_t i = 0; status == EFM_OK && i < efm_model_count(model, EFM_SECTION_STREAMS); i++) {
        status = check_stream(model, i);
    }
    return status;
}

efm_status efm_check_memory(const efm_model *model)
{
    efm_status status = check_control(model);
    if (status == EFM_OK) {
        status = check_pool(model);
    }
    if (status == EFM_OK) {
        status = check_buffers(model);
    }
    return status == EFM_OK ? check_streams(model) : status;
}
