/* SPDX-License-Identifier: Apache-2.0 */
/* The operator that stands for others, of which it has the tiles: checked and run here, since it looks for them. */
#ifndef EFM_SLICED_H
#define EFM_SLICED_H

#include "tiles.h"

#if EFM_HAS(SLICED)

EFM_MUST_CHECK efm_status efm_check_sliced(const efm_model *model, uint32_t op, const efm_op_args *args);
EFM_MUST_CHECK efm_status efm_run_sliced(const efm_running *run, uint32_t op, const efm_op_args *args);
void efm_sliced_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high);

#endif
#endif
