/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of module.c name. */
#ifndef EFM_MP_MODULE_H
#define EFM_MP_MODULE_H

#include "api.h"

mp_obj_t efm_mp_model_make(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args);
mp_obj_t efm_mp_model_deinit(mp_obj_t object);
mp_obj_t efm_mp_model_exit(size_t count, const mp_obj_t *args);
void efm_mp_model_attr(mp_obj_t object, qstr name, mp_obj_t *found);

#endif
