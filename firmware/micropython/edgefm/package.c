/* SPDX-License-Identifier: Apache-2.0 */
/* Where a package comes from: a file is used in place where its bytes can be addressed, as in ROMFS, and else loaded
 * into RAM; so is one that lies where the kernels cannot read it. */
#include "model.h"

#include <string.h>

static mp_obj_t open_file(mp_obj_t path)
{
    mp_obj_t args[2] = {path, mp_obj_new_str("rb", 2)};
    return mp_call_function_n_kw(efm_mp_import(MP_QSTR_io, MP_QSTR_open), 2, 0, args);
}

/* Reads a whole file into the heap. */
static void load(efm_mp_model *self, mp_obj_t file)
{
    mp_obj_t end[2] = {MP_OBJ_NEW_SMALL_INT(0), MP_OBJ_NEW_SMALL_INT(2)};
    mp_obj_t bytes = efm_mp_call(file, MP_QSTR_seek, 2, end);
    (void)efm_mp_call(file, MP_QSTR_seek, 1, end);
    size_t size = (size_t)mp_obj_get_int(bytes);
    efm_mp_memory_take(&self->package, size, EFM_MP_PACKAGE_ALIGNMENT, efm_mp_name(self), "RAM for the package");
    mp_obj_t into = mp_obj_new_bytearray_by_ref(size, self->package.at);
    mp_obj_t got = efm_mp_call(file, MP_QSTR_readinto, 1, &into);
    if (got == mp_const_none || (size_t)mp_obj_get_int(got) != size) {
        efm_mp_os_error();
    }
}

/* A path, something with a buffer, (address, bytes), or an open file. */
static void find(efm_mp_model *self, mp_obj_t source)
{
    mp_obj_t file = source;
    if (mp_obj_get_type(source) == &mp_type_str) {
        self->name = source;
        file = open_file(source);
    }
    if (efm_mp_memory_of(&self->package, file, MP_BUFFER_READ)) {
        return;
    }
    load(self, file);
    if (file != source) {
        (void)efm_mp_call(file, MP_QSTR_close, 0, NULL);
    }
}

/* efm_model_open() borrows memory that needs no more than to be aligned. */
static efm_status check(efm_mp_model *self, bool verify)
{
    efm_mp_memory lent;
    efm_mp_memory_take(&lent, EFM_OPEN_BYTES, EFM_ARENA_ALIGNMENT, efm_mp_name(self), "RAM to open it");
    efm_status status = EFM_BAD_SIZE;
    if (self->package.bytes <= INT32_MAX) {
        status = efm_model_open(&self->model, self->package.at, (uint32_t)self->package.bytes, lent.at, EFM_OPEN_BYTES);
    }
    if (status == EFM_OK && verify) {
        status = efm_model_verify(&self->model);
    }
    efm_mp_memory_leave(&lent);
    return status;
}

static bool is_misplaced(const efm_mp_memory *package)
{
    return (uintptr_t)package->at % EFM_MP_PACKAGE_ALIGNMENT != 0;
}

static void copy(efm_mp_model *self)
{
    efm_mp_memory from = self->package;
    efm_mp_memory_take(&self->package, from.bytes, EFM_MP_PACKAGE_ALIGNMENT, efm_mp_name(self),
                       "RAM for the package, which does not lie at a multiple of 16");
    memcpy(self->package.at, from.at, from.bytes);
}

void efm_mp_package_open(efm_mp_model *self, mp_obj_t source, bool verify)
{
    find(self, source);
    efm_status status = check(self, verify);
    if (status == EFM_BAD_OPERATOR && is_misplaced(&self->package)) {
        copy(self);
        status = check(self, verify);
    }
    if (status != EFM_OK) {
        efm_mp_value_error("%s: edgefm refuses it: %s", efm_mp_name(self), efm_status_name(status));
    }
}
