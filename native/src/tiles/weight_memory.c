/* SPDX-License-Identifier: Apache-2.0 */
#include "weight_memory.h"

#include <stddef.h>

static uint32_t feature_of(const uint8_t *package)
{
    return EFM_WITH_WEIGHT_PORT ? efm_load_le32(package + EFM_AT_FEATURES) & EFM_FEATURE_WEIGHT_PORT : 0;
}

uint32_t efm_package_front_bytes(const uint8_t *start)
{
    uint32_t front = feature_of(start) ? efm_load_le32(start + EFM_AT_FRONT) : 0;
    return front != 0 ? front : efm_load_le32(start + EFM_AT_BYTES);
}

uint32_t efm_model_weight_bytes(const efm_model *model)
{
    return feature_of(model->package) ? model->section[EFM_SECTION_WEIGHTS].bytes : 0;
}

uint32_t efm_model_weight_offset(const efm_model *model)
{
    return (uint32_t)(model->section[EFM_SECTION_WEIGHTS].at - model->package);
}

uint32_t efm_model_weight_alignment(const efm_model *model)
{
    return feature_of(model->package) ? efm_model_field(model, EFM_AT_WEIGHT_ALIGNMENT) : 1;
}

#if EFM_WITH_WEIGHT_PORT

int efm_is_front(const uint8_t *package, uint32_t bytes)
{
    return efm_package_front_bytes(package) == bytes && efm_load_le32(package + EFM_AT_BYTES) > bytes;
}

uint32_t efm_check_weight_port(const uint8_t *package)
{
    uint32_t front = efm_load_le32(package + EFM_AT_FRONT), burst = efm_load_le32(package + EFM_AT_WEIGHT_BURST),
             alignment = efm_load_le32(package + EFM_AT_WEIGHT_ALIGNMENT);
    if (!feature_of(package)) {
        return front | alignment | burst;
    }
    return front > efm_load_le32(package + EFM_AT_BYTES) || alignment - 1 >= EFM_MAX_ALIGNMENT
           || burst % alignment != 0;
}

uint32_t efm_section_end(const efm_model *model, uint32_t id, uint32_t offset)
{
    int beyond = id == EFM_SECTION_META || id == EFM_SECTION_SIGNATURE || efm_model_record_bytes(id) == 0
                 || (id == EFM_SECTION_WEIGHTS && offset <= model->bytes);
    return beyond ? efm_model_field(model, EFM_AT_BYTES) : model->bytes;
}

uint32_t efm_model_mapped_weights(const efm_model *model)
{
    uint32_t bytes = model->section[EFM_SECTION_WEIGHTS].bytes, mapped = model->bytes - efm_model_weight_offset(model);
    return bytes < mapped ? bytes : mapped;
}

uint32_t efm_model_weight_transfer(const efm_model *model, uint32_t bytes)
{
    uint32_t alignment = efm_model_weight_alignment(model), over = bytes % alignment;
    return over == 0 ? bytes : bytes + (alignment - over);
}

/* A package all of which is addressable can do without. */
int efm_host_has_weights(const efm_model *model, const efm_host *host)
{
    if (efm_model_weight_bytes(model) == 0) {
        return 1;
    }
    return host->weights.begin_read == NULL ? model->bytes == efm_model_field(model, EFM_AT_BYTES)
                                            : host->weights.wait != NULL;
}

#endif
