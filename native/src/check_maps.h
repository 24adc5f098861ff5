/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFM_CHECK_MAPS_H
#define EFM_CHECK_MAPS_H

#include "model.h"

/* Every stored map with its cap, after the control region and the pool were found good. */
EFM_MUST_CHECK efm_status efm_check_maps(const efm_model *model);

/* LOAD and STORE: rows without gaps that fill their slots, a map of the same rows, enough scratch. */
EFM_MUST_CHECK efm_status efm_check_cursor(const efm_model *model, uint32_t index, const efm_op_view *op,
                                           const efm_rows *rows);

#endif
