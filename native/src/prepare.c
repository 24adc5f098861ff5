/* SPDX-License-Identifier: Apache-2.0 */
/* Weights laid out once as the processor's kernels read them fastest, for machines with memory to spare. The memory
 * begins with a u32 per operator, where its tile lies or 0; tiles follow, each at a multiple of 64. */
#include <string.h>

#include "edgefm_bytes.h"
#include "model.h"
#include "ops/convolution.h"
#include "tiles/tiles.h"

enum { TILE_ALIGNMENT = 64 };

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + TILE_ALIGNMENT - 1) / TILE_ALIGNMENT * TILE_ALIGNMENT;
}

/* Bytes of operator `index` in the kernel's own packing, which go to `to` unless it is null. */
static uint32_t own_tile(const efm_model *model, uint32_t index, uint8_t *to)
{
    efm_op_view op;
    efm_rows rows[2];
    efm_tiles tiles = efm_tiles_of(model, index);
    efm_model_op(model, index, &op);
    if ((op.kind != EFM_OP_CONV && op.kind != EFM_OP_DEPTHWISE) || efm_has_parts(model, &tiles)) {
        return 0;
    }
    for (uint32_t i = 0; i < 2; i++) {
        efm_model_rows(model, efm_load_le16(op.operands + 2 * i), NULL, &rows[i]);
    }
    op.args.in = rows;
    op.args.out = rows + 1;
    return efm_own_tile(&op.args, op.kind == EFM_OP_DEPTHWISE, to);
}

/* Lays tiles out from `memory` on, or only counts where it is null; 0 when nothing is to be done. */
static uint64_t lay_out(const efm_model *model, uint8_t *memory)
{
    uint32_t count = model->section[EFM_SECTION_OPERATORS].count;
    uint64_t end = aligned(4 * (uint64_t)count), at = end;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bytes = own_tile(model, i, NULL);
        if (memory != NULL) {
            efm_store_le32(memory + 4 * i, bytes > 0 ? (uint32_t)at : 0);
            if (bytes > 0) {
                (void)own_tile(model, i, memory + at);
            }
        }
        at = aligned(at + bytes);
    }
    return at > end ? at : 0;
}

uint32_t efm_model_prepare_bytes(const efm_model *model)
{
    uint64_t bytes = EFM_WITH_PREPARE ? lay_out(model, NULL) : 0;
    return bytes > EFM_MAX_BYTES ? 0 : (uint32_t)bytes;
}

efm_status efm_model_prepare(efm_model *model, uint8_t *memory, uint32_t bytes)
{
    uint32_t wanted = efm_model_prepare_bytes(model);
    if (wanted == 0 || bytes < wanted || memory == NULL || (uintptr_t)memory % TILE_ALIGNMENT != 0) {
        return EFM_BAD_ARGUMENT;
    }
    (void)lay_out(model, memory);
    model->prepared = memory;
    return EFM_OK;
}

/* For hosts that make room for a run's rows before it begins. */
uint64_t efm_model_input_bytes(const efm_model *model)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < efm_model_count(model, EFM_SECTION_OPERATORS); i++) {
        efm_op_view op;
        efm_tensor tensor;
        efm_model_op(model, i, &op);
        if (op.kind == EFM_OP_INPUT && efm_model_input(model, op.link, &tensor) == EFM_OK) {
            bytes += (uint64_t)tensor.rows * tensor.row_bytes;
        }
    }
    return bytes;
}
