/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a package: checks it so that everything later can trust the views of model.h. */
#include "edgefm_bytes.h"
#include "check.h"

_Static_assert(EFM_MAX_OPERANDS * sizeof(efm_rows) <= EFM_OPEN_BYTES, "efm_model_open() borrows too little");

static efm_status check_schedule(const efm_model *model)
{
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_FIRINGS); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_FIRINGS, i);
        if (efm_load_le16(at + EFM_FIRING_AT_OPERATOR) >= efm_model_count(model, EFM_SECTION_OPERATORS)
            || efm_load_le16(at + EFM_FIRING_AT_ROWS) == 0) {
            return EFM_BAD_SCHEDULE;
        }
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < efm_model_stages(model); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_STAGES, i);
        if (efm_load_le32(at + EFM_STAGE_AT_FIRST) != next
            || !efm_fits(next, efm_load_le32(at + EFM_STAGE_AT_FIRINGS), efm_model_count(model, EFM_SECTION_FIRINGS))) {
            return EFM_BAD_SCHEDULE;
        }
        next += efm_load_le32(at + EFM_STAGE_AT_FIRINGS);
    }
    return next == efm_model_count(model, EFM_SECTION_FIRINGS) ? EFM_OK : EFM_BAD_SCHEDULE;
}

efm_status efm_model_open(efm_model *model, const uint8_t *package, uint32_t bytes, uint8_t *arena,
                          uint32_t arena_bytes)
{
    static efm_status (*const CHECKS[])(const efm_model *) = {efm_check_memory, efm_check_maps, efm_check_ends,
                                                              check_schedule};
    if (arena_bytes < EFM_OPEN_BYTES || (uintptr_t)arena % EFM_ARENA_ALIGNMENT != 0) {
        return EFM_BAD_ARGUMENT;
    }
    *model = (efm_model){.package = package, .bytes = bytes};
    efm_status status = efm_check_container(model);
    for (uint32_t i = 0; status == EFM_OK && i < sizeof CHECKS / sizeof CHECKS[0]; i++) {
        status = CHECKS[i](model);
    }
    return status == EFM_OK ? efm_check_ops(model, (efm_rows *)(void *)arena) : status;
}
