/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what a package is made of: its header, its head's checksum and its section table. */
#include <stddef.h>

#include "edgefm_bytes.h"
#include "check.h"
#include "tiles/weight_memory.h"

/* Of the first `bytes` of a package: all of them but the two checksums. */
static uint32_t checksum(const uint8_t *package, uint32_t bytes)
{
    return efm_crc32(efm_crc32(0, package, EFM_AT_HEAD_CRC), package + EFM_AT_FEATURES, bytes - EFM_AT_FEATURES);
}

static efm_status check_identity(const uint8_t *package, uint32_t bytes)
{
    if (bytes < EFM_AT_MAJOR || efm_load_le32(package + EFM_AT_MAGIC) != EFM_MAGIC) {
        return EFM_BAD_MAGIC;
    }
    if (bytes < EFM_HEADER_BYTES) {
        return EFM_BAD_SIZE;
    }
    if (efm_load_le16(package + EFM_AT_MAJOR) != EFM_FORMAT_MAJOR) {
        return EFM_BAD_VERSION;
    }
    uint32_t head = efm_load_le32(package + EFM_AT_HEAD);
    if ((efm_load_le32(package + EFM_AT_BYTES) != bytes && !efm_is_front(package, bytes)) || head < EFM_HEADER_BYTES
        || head > bytes) {
        return EFM_BAD_SIZE;
    }
    return efm_load_le32(package + EFM_AT_HEAD_CRC) == checksum(package, head) ? EFM_OK : EFM_BAD_CHECKSUM;
}

/* What the package needs, and what its transfers are like. */
static efm_status check_needs(const uint8_t *package)
{
    uint32_t unknown = (efm_load_le32(package + EFM_AT_FEATURES) & ~efm_features()) | efm_check_weight_port(package);
    for (uint32_t at = EFM_RESERVED_FROM; at < EFM_HEADER_BYTES; at += 4) {
        unknown |= efm_load_le32(package + at);
    }
    uint32_t alignment = efm_load_le16(package + EFM_AT_ALIGNMENT),
             buffers = efm_load_le16(package + EFM_AT_PORT_BUFFERS);
    if (unknown != 0 || alignment == 0 || alignment > EFM_MAX_ALIGNMENT || buffers < 1 || buffers > 2
        || efm_load_le32(package + EFM_AT_BURST) % alignment != 0) {
        return EFM_BAD_FEATURE;
    }
    return EFM_OK;
}

/* Sections of records, which steer what is done, lie in the head. */
static efm_status read_section(efm_model *model, const uint8_t *entry)
{
    uint32_t id = efm_load_le16(entry + EFM_SECTION_AT_ID), offset = efm_load_le32(entry + EFM_SECTION_AT_OFFSET),
             bytes = efm_load_le32(entry + EFM_SECTION_AT_SIZE), count = efm_load_le32(entry + EFM_SECTION_AT_COUNT);
    uint32_t record = efm_model_record_bytes(id);
    if (!efm_fits(offset, bytes,
                  record > 1 ? efm_model_field(model, EFM_AT_HEAD) : efm_section_end(model, id, offset))) {
        return EFM_BAD_SIZE;
    }
    if (record == 0) {
        return efm_load_le16(entry + EFM_SECTION_AT_FLAGS) & EFM_SECTION_REQUIRED ? EFM_BAD_FEATURE : EFM_OK;
    }
    if (model->section[id].at != NULL || count != bytes / record || bytes % record != 0) {
        return EFM_BAD_SECTION;
    }
    model->section[id].at = (const uint8_t *)((uintptr_t)model->package + offset);
    model->section[id].bytes = bytes;
    model->section[id].count = count;
    return EFM_OK;
}

/* Those that must be there are there, and numbers of 16 bits reach all records that have one. */
static efm_status check_counts(const efm_model *model)
{
    for (uint32_t id = EFM_SECTION_STREAMS; id <= EFM_SECTION_NAMES; id++) {
        if (model->section[id].at == NULL) {
            return EFM_BAD_SECTION;
        }
    }
    uint32_t counts = efm_model_count(model, EFM_SECTION_OPERATORS) | efm_model_count(model, EFM_SECTION_STREAMS)
                      | efm_model_count(model, EFM_SECTION_BUFFERS) | efm_model_count(model, EFM_SECTION_CAPS)
                      | efm_model_count(model, EFM_SECTION_REFERENCES);
    return model->section[EFM_SECTION_TILES].at == NULL || counts > 0xffff ? EFM_BAD_SECTION : EFM_OK;
}

efm_status efm_check_container(efm_model *model)
{
    efm_status status = check_identity(model->package, model->bytes);
    if (status == EFM_OK) {
        status = check_needs(model->package);
    }
    if (status != EFM_OK) {
        return status;
    }
    uint32_t count = efm_model_field(model, EFM_AT_SECTIONS);
    if (count > EFM_MAX_SECTIONS
        || !efm_fits(EFM_HEADER_BYTES, count * EFM_SECTION_BYTES, efm_model_field(model, EFM_AT_HEAD))) {
        return EFM_BAD_SIZE;
    }
    for (uint32_t i = 0; status == EFM_OK && i < count; i++) {
        status = read_section(model, model->package + EFM_HEADER_BYTES + i * EFM_SECTION_BYTES);
    }
    return status == EFM_OK ? check_counts(model) : status;
}

efm_status efm_model_verify(const efm_model *model)
{
    int whole = !EFM_WITH_WEIGHT_PORT || model->bytes == efm_model_field(model, EFM_AT_BYTES);
    int differs = whole && efm_model_field(model, EFM_AT_CRC) != checksum(model->package, model->bytes);
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_TILES); i++) {
        efm_tile_view tile;
        efm_model_tile(model, i, &tile);
        if (whole || !efm_tile_is_ported(&tile)) {
            differs |= tile.crc != efm_tile_sum(&tile, tile.at);
        }
    }
    return differs ? EFM_BAD_CHECKSUM : EFM_OK;
}
