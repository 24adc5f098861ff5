/* SPDX-License-Identifier: Apache-2.0 */
/* What the files share that check a package. */
#ifndef EFM_CHECK_H
#define EFM_CHECK_H

#include "model.h"

static inline int fits(uint32_t offset, uint32_t bytes, uint32_t total)
{
    return offset <= total && bytes <= total - offset;
}

static inline uint32_t row_bytes(const efm_rows *rows)
{
    return rows->width * rows->channels * rows->element;
}

static inline int is_packed(const efm_rows *rows)
{
    return rows->pixel_stride == rows->channels * rows->element;
}

/* Every stored map with its cap, after the control region and the pool were found good. */
EFM_MUST_CHECK efm_status efm_check_maps(const efm_model *model);

/* LOAD and STORE: rows without gaps that fill their slots, a map of the same rows, enough scratch. */
EFM_MUST_CHECK efm_status efm_check_cursor(const efm_model *model, uint32_t index, const efm_op_view *op,
                                           const efm_rows *rows);

#endif
