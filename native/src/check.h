/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers shared by the files that check a package. */
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

#endif
