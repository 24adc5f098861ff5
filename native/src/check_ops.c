/* SPDX-License-Identifier: Apache-2.0 */
/* Checks operators one by one: what they refer to, their tiles, and that they take it all. */
#include <stddef.h>

#include "edgefm_bytes.h"
#include "check.h"
#include "kernels/kernel.h"
#include "tiles/tiles.h"

static uint32_t tiles_of(const efm_model *model, uint32_t op)
{
    return efm_load_le32(efm_model_record(model, EFM_SECTION_OPERATORS, op) + EFM_OPERATOR_AT_N_TILES);
}

static __attribute__((noinline)) efm_status check_op_ranges(const efm_model *model, uint32_t index)
{
    const uint8_t *at = efm_model_record(model, EFM_SECTION_OPERATORS, index);
    uint32_t operands = (uint32_t)at[EFM_OPERATOR_AT_N_IN] + at[EFM_OPERATOR_AT_N_OUT];
    uint32_t tiles = tiles_of(model, index);
    if (at[EFM_OPERATOR_AT_RESERVED] != 0 || operands > efm_model_window_operands(model)
        || !efm_fits(efm_load_le32(at + EFM_OPERATOR_AT_OPERANDS), operands,
                     efm_model_count(model, EFM_SECTION_OPERANDS))
        || !efm_fits(efm_load_le32(at + EFM_OPERATOR_AT_PARAMS), efm_load_le32(at + EFM_OPERATOR_AT_N_PARAMS),
                     efm_model_count(model, EFM_SECTION_PARAMS))
        || !efm_fits(efm_load_le32(at + EFM_OPERATOR_AT_TILES), tiles, efm_model_count(model, EFM_SECTION_TILES))) {
        return EFM_BAD_OPERATOR;
    }
    if (tiles > 1 && !EFM_WITH_WEIGHT_CODES && !(EFM_HAS(SLICED) && at[EFM_OPERATOR_AT_KIND] == EFM_OP_SLICED)) {
        return EFM_BAD_FEATURE;
    }
    uint32_t scratch = efm_load_le32(at + EFM_OPERATOR_AT_SCRATCH),
             scratch_bytes = efm_load_le32(at + EFM_OPERATOR_AT_SCRATCH_BYTES);
    if (!efm_fits(scratch, scratch_bytes, efm_model_arena_bytes(model))
        || (scratch_bytes != 0 && (scratch % 8 != 0 || scratch < efm_model_control_bytes(model)))) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* INPUT and OUTPUT: operator and tensor agree; rows with gaps are gathered in scratch. */
static efm_status check_end(const efm_model *model, const efm_op_view *op, const efm_rows *rows)
{
    uint32_t tensor = op->kind == EFM_OP_OUTPUT ? efm_model_inputs(model) + op->link : op->link;
    if (EFM_HAS(AGAIN) && op->kind == EFM_OP_INPUT && tensor >= efm_model_inputs(model)) {
        return EFM_BAD_OPERATOR;
    }
    efm_status status = efm_check_tensor(model, tensor, rows);
    if (status != EFM_OK || efm_is_gapless(rows)) {
        return status;
    }
    return op->kind == EFM_OP_OUTPUT && op->args.scratch_bytes >= efm_gapless_bytes(rows) ? EFM_OK : EFM_BAD_OPERATOR;
}

/* The executor's own operators have one operand, no parameters, and no tiles. */
static efm_status check_mover(const efm_model *model, uint32_t index, const efm_op_view *op, const efm_rows *rows)
{
    int makes = op->kind == EFM_OP_INPUT || op->kind == EFM_OP_LOAD;
    if (op->args.n_in != (makes ? 0u : 1u) || op->args.n_out != (makes ? 1u : 0u) || op->args.n_params != 0
        || tiles_of(model, index) != 0 || op->rows != rows->height) {
        return EFM_BAD_OPERATOR;
    }
    if (op->kind == EFM_OP_INPUT || op->kind == EFM_OP_OUTPUT) {
        return check_end(model, op, rows);
    }
    return EFM_WITH_MAPS ? efm_check_cursor(model, index, op, rows) : EFM_BAD_FEATURE;
}

/* Bit i: packing i is one that this processor's kernels read; other operators know no packings. */
static uint32_t packings_of(uint32_t kind)
{
    const efm_kernel *kernel = efm_kernel_choose();
    return kind == EFM_OP_CONV || kind == EFM_OP_SLICED ? kernel->conv_packings
           : kind == EFM_OP_DEPTHWISE                   ? kernel->depthwise_packings
                                                        : 1u << EFM_PACKING_ROWS;
}

static efm_status check_compute(const efm_model *model, uint32_t index, const efm_op_view *op)
{
    const efm_op_args *args = &op->args;
    const efm_op_class *entry = efm_op_find(op->kind);
    if (entry == NULL || args->packing >= EFM_PACKING_OWN || (packings_of(op->kind) >> args->packing & 1) == 0) {
        return EFM_BAD_FEATURE;
    }
    if (args->n_in == 0 || args->n_out == 0) {
        return EFM_BAD_OPERATOR;
    }
    efm_status status = efm_check_tiles(model, index, entry, args);
    if (status != EFM_OK) {
        return status;
    }
    if (op->rows != ((entry->flags & EFM_OP_ACCUMULATES) ? args->in : args->out)[0].height) {
        return EFM_BAD_OPERATOR;
    }
    if (entry->flags & EFM_OP_ACCUMULATES) {
        for (uint32_t i = 0; i < args->n_out; i++) {
            if (args->out[i].capacity < args->out[i].height) {
                return EFM_BAD_OPERATOR;
            }
        }
    }
    return EFM_OK;
}

static efm_status check_op(const efm_model *model, uint32_t index, efm_rows *rows)
{
    efm_status status = check_op_ranges(model, index);
    if (status != EFM_OK) {
        return status;
    }
    efm_op_view op;
    efm_model_op(model, index, &op);
    if (op.args.n_in + op.args.n_out == 0) {
        return EFM_BAD_OPERATOR;
    }
    for (uint32_t i = 0; i < op.args.n_in + op.args.n_out; i++) {
        uint32_t stream = efm_load_le16(op.operands + 2 * i);
        if (stream >= efm_model_count(model, EFM_SECTION_STREAMS)) {
            return EFM_BAD_OPERATOR;
        }
        if (i >= op.args.n_in && efm_model_producer(model, stream) != index) {
            return EFM_BAD_OPERATOR;
        }
        efm_model_rows(model, stream, NULL, &rows[i]);
    }
    if (op.kind >= EFM_OP_INPUT && op.kind <= EFM_OP_STORE) {
        return check_mover(model, index, &op, rows);
    }
    op.args.in = rows;
    op.args.out = rows + op.args.n_in;
    return check_compute(model, index, &op);
}

/* Every stream is among its producer's outputs, so that no operator waits for a stream that is never made. */
static __attribute__((noinline)) efm_status check_producers(const efm_model *model)
{
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_STREAMS); i++) {
        efm_op_view op;
        efm_model_op(model, efm_model_producer(model, i), &op);
        uint32_t k = op.args.n_in;
        while (k < op.args.n_in + op.args.n_out && efm_load_le16(op.operands + 2 * k) != i) {
            k++;
        }
        if (k == op.args.n_in + op.args.n_out) {
            return EFM_BAD_STREAM;
        }
    }
    return EFM_OK;
}

efm_status efm_check_ops(const efm_model *model, efm_rows *rows)
{
    efm_status status = efm_check_tile_records(model);
    for (uint32_t i = 0; status == EFM_OK && i < efm_model_count(model, EFM_SECTION_OPERATORS); i++) {
        status = check_op(model, i, rows);
    }
    return status == EFM_OK ? check_producers(model) : status;
}
