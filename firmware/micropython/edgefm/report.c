/* SPDX-License-Identifier: Apache-2.0 */
/* What a model is, takes and took, as Python objects. */
#include <string.h>

#include "model.h"

void efm_mp_tensor(const efm_mp_model *self, uint32_t end, efm_tensor *tensor)
{
    uint32_t inputs = efm_model_inputs(&self->model);
    efm_status status = end < inputs ? efm_model_input(&self->model, end, tensor)
                                     : efm_model_output(&self->model, end - inputs, tensor);
    if (status != EFM_OK) {
        efm_mp_value_error("%s: %s", efm_mp_name(self), efm_status_name(status));
    }
}

static const char *type_name(uint32_t type)
{
    switch (type) {
    case EFM_TYPE_INT8:
        return "int8";
    case EFM_TYPE_UINT8:
        return "uint8";
    case EFM_TYPE_INT32:
        return "int32";
    case EFM_TYPE_INT64:
        return "int64";
    default:
        return "float32";
    }
}

char efm_mp_typecode(uint32_t type)
{
    switch (type) {
    case EFM_TYPE_INT8:
        return 'b';
    case EFM_TYPE_UINT8:
        return 'B';
    case EFM_TYPE_INT32:
        return 'i';
    case EFM_TYPE_INT64:
        return 'q';
    default:
        return 'f';
    }
}

/* collections.namedtuple(name, fields): fields are separated by spaces. */
static mp_obj_t named_tuple(const char *name, const char *fields)
{
    mp_obj_t args[2] = {efm_mp_text(name), efm_mp_text(fields)};
    args[1] = efm_mp_call(args[1], MP_QSTR_split, 0, NULL);
    return mp_call_function_n_kw(efm_mp_import(MP_QSTR_collections, MP_QSTR_namedtuple), 2, 0, args);
}

static mp_obj_t shape_of(const efm_tensor *tensor)
{
    mp_obj_t sizes[4];
    for (uint32_t i = 0; i < tensor->rank; i++) {
        sizes[i] = mp_obj_new_int_from_uint(tensor->shape[i]);
    }
    return mp_obj_new_tuple(tensor->rank, sizes);
}

static mp_obj_t scale_of(const efm_tensor *tensor)
{
    float scale;
    memcpy(&scale, &tensor->scale_bits, sizeof scale);
#if MICROPY_ENABLE_DYNRUNTIME
    return mp_obj_new_float_from_f(scale);
#elif MICROPY_PY_BUILTINS_FLOAT
    return mp_obj_new_float((mp_float_t)scale);
#else
    return mp_const_none;
#endif
}

static mp_obj_t describe(const efm_tensor *tensor, mp_obj_t class)
{
    mp_obj_t fields[5] = {mp_obj_new_str((const char *)tensor->name, tensor->name_bytes), shape_of(tensor),
                          efm_mp_text(type_name(tensor->type)), mp_const_none, mp_obj_new_int(tensor->zero_point)};
    if (tensor->scale_bits != 0) {
        fields[3] = scale_of(tensor);
    }
    return mp_call_function_n_kw(class, 5, 0, fields);
}

mp_obj_t efm_mp_ends(efm_mp_model *self, bool outputs)
{
    mp_obj_t *kept = outputs ? &self->outputs : &self->inputs, tensors[EFM_MAX_ENDS];
    efm_mp_model_check(self);
    if (*kept == mp_const_none) {
        uint32_t n_in = efm_model_inputs(&self->model);
        uint32_t count = outputs ? efm_model_outputs(&self->model) : n_in;
        mp_obj_t class = named_tuple("Tensor", "name shape dtype scale zero_point");
        for (uint32_t i = 0; i < count; i++) {
            efm_tensor tensor;
            efm_mp_tensor(self, outputs ? n_in + i : i, &tensor);
            tensors[i] = describe(&tensor, class);
        }
        *kept = mp_obj_new_tuple(count, tensors);
    }
    return *kept;
}

/* -- dictionaries --------------------------------------------------------------------------------------------- */

static void put(mp_obj_t dict, const char *name, mp_obj_t value)
{
    mp_obj_dict_store(dict, efm_mp_text(name), value);
}

static void put_int(mp_obj_t dict, const char *name, uint64_t value)
{
    put(dict, name, efm_mp_int(value));
}

static void put_memory(mp_obj_t dict, const char *name, const efm_mp_memory *memory, const char *borrowed)
{
    put(dict, name, efm_mp_text(memory->block != NULL ? "heap" : borrowed));
}

mp_obj_t efm_mp_plan(mp_obj_t object)
{
    const efm_mp_model *self = MP_OBJ_TO_PTR(object);
    efm_mp_model_check(self);
    mp_obj_t plan = mp_obj_new_dict(12);
    put_int(plan, "fast_bytes", efm_model_arena_bytes(&self->model));
    put_int(plan, "external_bytes", efm_model_external_bytes(&self->model));
    put_int(plan, "package_bytes", self->package.bytes);
    put_int(plan, "package_address", (uintptr_t)self->package.at);
    put_memory(plan, "package_in", &self->package, "place");
    put_memory(plan, "fast_in", &self->fast, "place");
    put_int(plan, "stages", efm_model_stages(&self->model));
    put_int(plan, "maps", efm_model_maps(&self->model));
    put(plan, "kernels", efm_mp_text(efm_kernels()));
    return plan;
}

static mp_obj_t stage_table(const efm_mp_model *self)
{
    uint32_t count = efm_model_stages(&self->model);
    mp_obj_t class = named_tuple("Stage", "us external_read_bytes external_write_bytes weight_read_bytes");
    mp_obj_t table = mp_obj_new_list(0, NULL);
    for (uint32_t i = 0; i < count; i++) {
        const efm_mp_stage *s = &self->stages[i];
        mp_obj_t fields[4] = {efm_mp_int(s->us), efm_mp_int(s->external_read_bytes),
                              efm_mp_int(s->external_write_bytes), efm_mp_int(s->weight_read_bytes)};
        mp_obj_list_append(table, mp_call_function_n_kw(class, 4, 0, fields));
    }
    return table;
}

static mp_obj_t map_table(const efm_mp_model *self)
{
    uint32_t count = efm_model_maps(&self->model);
    mp_obj_t class = named_tuple("Map", "write_bytes read_bytes rows_written rows_read raw_rows");
    mp_obj_t table = mp_obj_new_list(0, NULL);
    for (uint32_t i = 0; i < count; i++) {
        const efm_map_counters *m = &self->maps[i];
        mp_obj_t fields[5] = {efm_mp_int(m->write_bytes), efm_mp_int(m->read_bytes), efm_mp_int(m->rows_written),
                              efm_mp_int(m->rows_read), efm_mp_int(m->raw_rows)};
        mp_obj_list_append(table, mp_call_function_n_kw(class, 5, 0, fields));
    }
    return table;
}

mp_obj_t efm_mp_profile(mp_obj_t object)
{
    const efm_mp_model *self = MP_OBJ_TO_PTR(object);
    const efm_counters *c = &self->counters;
    efm_mp_model_check(self);
    if (!self->has_run) {
        efm_mp_value_error("%s: no figures: predict() has not run, or it failed", efm_mp_name(self));
    }
    mp_obj_t profile = mp_obj_new_dict(12);
    put_int(profile, "runs", self->runs);
    put_int(profile, "us", self->us);
    put_int(profile, "external_read_bytes", c->external_read_bytes);
    put_int(profile, "external_write_bytes", c->external_write_bytes);
    put_int(profile, "weight_read_bytes", c->weight_read_bytes);
    put_int(profile, "input_read_bytes", c->input_read_bytes);
    put_int(profile, "output_write_bytes", c->output_write_bytes);
    put_int(profile, "coded_bytes", c->coded_bytes);
    put_int(profile, "coded_values", c->coded_values);
    put(profile, "stages", stage_table(self));
    put(profile, "maps", map_table(self));
    return profile;
}
