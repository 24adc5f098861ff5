/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that check a package: the functions that check each part. */
#ifndef EFM_CHECK_H
#define EFM_CHECK_H

#include "model.h"

static inline int efm_fits(uint32_t offset, uint32_t bytes, uint32_t total)
{
    return offset <= total && bytes <= total - offset;
}

static inline uint32_t efm_gapless_bytes(const efm_rows *rows)
{
    return rows->width * rows->channels * rows->element;
}

static inline int efm_is_gapless(const efm_rows *rows)
{
    return rows->pixel_stride == rows->channels * rows->element;
}

/* Header, checksum of the head, section table. Of the model, package and bytes are there; fills the rest. */
EFM_MUST_CHECK efm_status efm_check_container(efm_model *model);

/* Control region, page pool, buffers, streams. */
EFM_MUST_CHECK efm_status efm_check_memory(const efm_model *model);

/* Every stored map with its cap, after the memory was found good. */
EFM_MUST_CHECK efm_status efm_check_maps(const efm_model *model);

/* LOAD and STORE: rows without gaps that fill their slots, a map of the same rows, enough scratch. */
EFM_MUST_CHECK efm_status efm_check_cursor(const efm_model *model, uint32_t index, const efm_op_view *op,
                                           const efm_rows *rows);

/* The tensor table has the inputs, then the outputs, each with its operator. */
EFM_MUST_CHECK efm_status efm_check_ends(const efm_model *model);

/* Tensor `index` is the stream of these rows. */
EFM_MUST_CHECK efm_status efm_check_tensor(const efm_model *model, uint32_t index, const efm_rows *rows);

/* Every tile: where it is, what its packing, code and flags are. */
EFM_MUST_CHECK efm_status efm_check_tile_records(const efm_model *model);

/* An operator and its tiles: check(), and all output channels in order where there are several. */
EFM_MUST_CHECK efm_status efm_check_tiles(const efm_model *model, uint32_t op, const efm_op_class *entry,
                                          const efm_op_args *args);

/* Tiles, operators, producers of streams. `rows` has room for EFM_MAX_OPERANDS. */
EFM_MUST_CHECK efm_status efm_check_ops(const efm_model *model, efm_rows *rows);

#endif
