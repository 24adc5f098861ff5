/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the network's inputs and outputs: their operators, and their tensors. */
#include "edgefm_bytes.h"
#include "check.h"

/* The dimensions multiply to the elements of the map. */
static int shape_fits(const efm_tensor *tensor, const efm_rows *rows)
{
    uint32_t left = rows->height * rows->width * rows->channels;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 0 || left % tensor->shape[i] != 0) {
            return 0;
        }
        left /= tensor->shape[i];
    }
    return left == 1;
}

efm_status efm_check_tensor(const efm_model *model, uint32_t index, const efm_rows *rows)
{
    static const uint8_t ELEMENT[] = {1, 1, 4, 8, 4};
    const uint8_t *at = efm_model_record(model, EFM_SECTION_TENSORS, index);
    if (!efm_fits(efm_load_le32(at + EFM_TENSOR_AT_NAME), efm_load_le32(at + EFM_TENSOR_AT_NAME_BYTES),
                  model->section[EFM_SECTION_NAMES].bytes)) {
        return EFM_BAD_OPERATOR;
    }
    efm_tensor tensor;
    if (efm_model_tensor(model, index, &tensor) != EFM_OK || tensor.type >= sizeof ELEMENT || tensor.rank > 4) {
        return EFM_BAD_OPERATOR;
    }
    if (ELEMENT[tensor.type] != rows->element || tensor.rows != rows->height
        || tensor.row_bytes != efm_gapless_bytes(rows) || !shape_fits(&tensor, rows)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* Operators of one kind have the links 0 .. count - 1, each once. */
static int links_fit(const efm_model *model, uint32_t kind, uint32_t count)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; count <= EFM_MAX_ENDS && i < efm_model_count(model, EFM_SECTION_OPERATORS); i++) {
        const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, i);
        uint32_t link = efm_load_le32(at + EFM_OPERATOR_AT_LINK);
        if (at[EFM_OPERATOR_AT_KIND] != kind) {
            continue;
        }
        if (link >= count || (seen >> link & 1) != 0) {
            return 0;
        }
        seen |= (uint32_t)1 << link;
    }
    return count <= EFM_MAX_ENDS;
}

/* The tensor table has the inputs, then the outputs, each with its operator. */
efm_status efm_check_ends(const efm_model *model)
{
    uint32_t n_in = efm_model_inputs(model), n_out = efm_model_outputs(model);
    if (n_in + n_out != efm_model_count(model, EFM_SECTION_TENSORS)) {
        return EFM_BAD_SECTION;
    }
    return links_fit(model, EFM_OP_INPUT, n_in) && links_fit(model, EFM_OP_OUTPUT, n_out) ? EFM_OK : EFM_BAD_OPERATOR;
}
