/* SPDX-License-Identifier: Apache-2.0 */
/* The class: opening, closing, attributes. */
#include "model.h"

#include <string.h>

#include "module.h"

const char *efm_mp_name(const efm_mp_model *self)
{
    return self->name == mp_const_none ? "package" : (const char *)mp_obj_str_get_str(self->name);
}

void efm_mp_model_check(const efm_mp_model *self)
{
    if (!self->is_open) {
        efm_mp_value_error("%s: the model is closed", efm_mp_name(self));
    }
    if (self->is_running) {
        efm_mp_value_error("%s: the model is running", efm_mp_name(self));
    }
    if (!efm_mp_memory_stays(&self->package) || !efm_mp_memory_stays(&self->fast)
        || !efm_mp_memory_stays(&self->external.memory)) {
        efm_mp_value_error("%s: a buffer that the model was lent has been resized", efm_mp_name(self));
    }
}

/* fast= is None, a limit in bytes, a buffer, or (address, bytes). */
static void take_fast(efm_mp_model *self, mp_obj_t given)
{
    size_t need = efm_model_arena_bytes(&self->model), have = need;
    if (mp_obj_is_small_int(given)) {
        mp_int_t most = (mp_int_t)mp_obj_get_int(given); /* which is unsigned in a .mpy */
        have = most > 0 ? (size_t)most : 0;
    } else if (given != mp_const_none) {
        if (!efm_mp_memory_of(&self->fast, given, MP_BUFFER_RW)) {
            mp_raise_TypeError(MP_ERROR_TEXT("fast: expected bytes, a buffer or (address, bytes)"));
        }
        self->arena_lead = (uint32_t)(-(uintptr_t)self->fast.at % EFM_ARENA_ALIGNMENT);
        have = self->fast.bytes > self->arena_lead ? self->fast.bytes - self->arena_lead : 0;
    }
    if (have < need) {
        efm_mp_memory_error(efm_mp_name(self), "fast memory", need, have);
    }
    if (self->fast.at == NULL) {
        efm_mp_memory_take(&self->fast, need, EFM_ARENA_ALIGNMENT, efm_mp_name(self), "fast memory");
    }
}

/* Figures of a run: one block, zeroed, for stages and maps. */
static void take_figures(efm_mp_model *self)
{
    uint32_t stages = efm_model_stages(&self->model), maps = efm_model_maps(&self->model);
    size_t bytes = maps * sizeof *self->maps + stages * sizeof *self->stages;
    efm_mp_memory block;
    efm_mp_memory_take(&block, bytes, sizeof(uint64_t), efm_mp_name(self), "RAM for figures of a run");
    memset(block.at, 0, bytes);
    self->figures = block;
    self->maps = maps > 0 ? (efm_map_counters *)(void *)block.at : NULL;
    self->stages = (efm_mp_stage *)(void *)(block.at + maps * sizeof *self->maps);
}

mp_obj_t efm_mp_model_make(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args)
{
    enum { SOURCE, FAST, EXTERNAL, VERIFY, ARGUMENTS };
    const mp_arg_t allowed[ARGUMENTS] = {{MP_QSTR_source, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = mp_const_none}},
                                         {MP_QSTR_fast, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = mp_const_none}},
                                         {MP_QSTR_external, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_obj = mp_const_none}},
                                         {MP_QSTR_verify, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = true}}};
    mp_arg_val_t values[ARGUMENTS];
    mp_arg_parse_all_kw_array(n_args, n_kw, args, ARGUMENTS, allowed, values);
    efm_mp_model *self = m_malloc(sizeof *self);
    memset(self, 0, sizeof *self);
    self->base.type = type;
    self->name = self->inputs = self->outputs = mp_const_none;
    efm_mp_package_open(self, values[SOURCE].u_obj, values[VERIFY].u_bool);
    take_fast(self, values[FAST].u_obj);
    efm_mp_external_lend(&self->external, values[EXTERNAL].u_obj, efm_model_external_bytes(&self->model),
                         efm_model_alignment(&self->model), efm_mp_name(self));
    take_figures(self);
    self->is_open = true;
    return MP_OBJ_FROM_PTR(self);
}

mp_obj_t efm_mp_model_deinit(mp_obj_t object)
{
    efm_mp_model *self = MP_OBJ_TO_PTR(object);
    if (self->is_running) {
        efm_mp_model_check(self);
    }
    self->is_open = self->has_run = false;
    efm_mp_memory_leave(&self->fast);
    efm_mp_memory_leave(&self->figures);
    self->package = (efm_mp_memory){.owner = MP_OBJ_NULL}; /* a file may still know it: the collector decides */
    self->external = (efm_mp_external){.object = MP_OBJ_NULL};
    self->inputs = self->outputs = mp_const_none;
    return mp_const_none;
}

mp_obj_t efm_mp_model_exit(size_t count, const mp_obj_t *args)
{
    (void)count;
    return efm_mp_model_deinit(args[0]);
}

/* Other names are methods, which the interpreter looks for when it is told so. */
void efm_mp_model_attr(mp_obj_t object, qstr name, mp_obj_t *found)
{
    efm_mp_model *self = MP_OBJ_TO_PTR(object);
    if (found[0] != MP_OBJ_NULL) {
        return;
    }
    if (name == MP_QSTR_inputs || name == MP_QSTR_outputs) {
        found[0] = efm_mp_ends(self, name == MP_QSTR_outputs);
    } else {
        found[1] = MP_OBJ_SENTINEL;
    }
}
