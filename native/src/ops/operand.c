/* SPDX-License-Identifier: Apache-2.0 */
#include "operand.h"

int efm_is_factor(const efm_op_args *args, uint32_t i)
{
    return efm_param_within(args, i, 0, INT32_MAX) && efm_param_within(args, i + 1, EFM_SHIFT_MIN, EFM_SHIFT_MAX);
}

int efm_is_clamp(const efm_op_args *args, uint32_t i)
{
    return efm_param_within(args, i, -128, 127) && efm_param_within(args, i + 1, efm_param(args, i), 127);
}

void efm_need_same(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    (void)args;
    (void)input;
    *low = y;
    *high = y;
}
