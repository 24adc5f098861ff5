/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of this build. INPUT, OUTPUT, LOAD and STORE belong to the executor. */
#include "list.h"
#include "op.h"

#define EFM_DECLARE(id, name, class) extern const efm_op_class efm_op_##class;
EFM_OPERATORS(EFM_DECLARE)
#undef EFM_DECLARE

#define EFM_ROW(id, name, class) EFM_WHEN(name, &efm_op_##class, )
static const efm_op_class *const classes[] = {EFM_OPERATORS(EFM_ROW) 0};
#undef EFM_ROW

const efm_op_class *efm_op_find(uint32_t id)
{
    uint32_t i = 0;

    while (classes[i] != 0 && classes[i]->id != id) {
        i++;
    }
    return classes[i];
}
