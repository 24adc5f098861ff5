/* SPDX-License-Identifier: Apache-2.0 */
#include "external.h"

#include <string.h>

enum { PIECE = 2048 };

/* -- bytes of this machine ------------------------------------------------------------------------------- */

static bool inside(const efm_mp_memory *memory, uint32_t address, uint32_t bytes)
{
    return bytes <= memory->bytes && address <= memory->bytes - bytes;
}

static int32_t read_memory(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    const efm_mp_memory *memory = &((efm_mp_external *)port)->memory;
    if (!inside(memory, address, bytes)) {
        return -1;
    }
    memcpy(to, memory->at + address, bytes);
    *ticket = 0;
    return 0;
}

static int32_t write_memory(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    const efm_mp_memory *memory = &((efm_mp_external *)port)->memory;
    if (!inside(memory, address, bytes)) {
        return -1;
    }
    memcpy(memory->at + address, from, bytes);
    *ticket = 0;
    return 0;
}

/* Whatever begins is done when begin_*() returns. */
static int32_t wait(void *port, uint32_t ticket)
{
    (void)port;
    return ticket == 0 ? 0 : -1;
}

/* -- an object ------------------------------------------------------------------------------------------- */

/* The first bytes of the buffer, as a memoryview. */
static mp_obj_t part(efm_mp_external *external, size_t bytes)
{
    if (bytes != external->part_bytes) {
        mp_obj_t slice = mp_obj_new_slice(mp_const_none, MP_OBJ_NEW_SMALL_INT((mp_int_t)bytes), mp_const_none);
        mp_obj_t view = mp_call_function_n_kw(mp_load_name(MP_QSTR_memoryview), 1, 0, &external->buffer);
        external->part = mp_obj_subscr(view, slice, MP_OBJ_SENTINEL);
        external->part_bytes = bytes;
    }
    return external->part;
}

/* The object may answer with the bytes that it moved, or with nothing. */
static void move(efm_mp_external *external, qstr method, uint32_t address, size_t bytes)
{
    mp_obj_t args[2] = {mp_obj_new_int_from_uint(address), part(external, bytes)};
    mp_obj_t moved;
    if (external->is_file) {
        (void)efm_mp_call(external->object, MP_QSTR_seek, 1, &args[0]);
        moved = efm_mp_call(external->object, method, 1, &args[1]);
    } else {
        moved = efm_mp_call(external->object, method, 2, args);
    }
    if (moved != mp_const_none && (size_t)mp_obj_get_int(moved) != bytes) {
        efm_mp_os_error();
    }
}

/* The object may have resized the buffer. */
static bool buffer_stays(const efm_mp_external *external)
{
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(external->buffer, &buffer, MP_BUFFER_RW);
    return buffer.buf == (void *)external->bytes && buffer.len == external->capacity;
}

static int32_t read_object(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    efm_mp_external *external = port;
    while (bytes > 0) {
        uint32_t some = bytes < external->capacity ? bytes : (uint32_t)external->capacity;
        move(external, MP_QSTR_readinto, address, some);
        if (!buffer_stays(external)) {
            return -1;
        }
        memcpy(to, external->bytes, some);
        to += some;
        address += some;
        bytes -= some;
    }
    *ticket = 0;
    return 0;
}

static int32_t write_object(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    efm_mp_external *external = port;
    while (bytes > 0) {
        uint32_t some = bytes < external->capacity ? bytes : (uint32_t)external->capacity;
        memcpy(external->bytes, from, some);
        move(external, MP_QSTR_write, address, some);
        if (!buffer_stays(external)) {
            return -1;
        }
        from += some;
        address += some;
        bytes -= some;
    }
    *ticket = 0;
    return 0;
}

/* -- what the caller lends ------------------------------------------------------------------------------- */

static bool has(mp_obj_t object, qstr name)
{
    mp_obj_t found[2];
    mp_load_method_maybe(object, name, found);
    return found[0] != MP_OBJ_NULL;
}

static void lend_object(efm_mp_external *external, mp_obj_t object, uint32_t alignment)
{
    mp_obj_t size = MP_OBJ_NEW_SMALL_INT(alignment > PIECE ? (mp_int_t)alignment : PIECE);
    mp_buffer_info_t buffer;
    if (!has(object, MP_QSTR_readinto) || !has(object, MP_QSTR_write)) {
        mp_raise_TypeError(
            MP_ERROR_TEXT("external: expected a buffer, (address, bytes) or an object with readinto and write"));
    }
    external->object = object;
    external->is_file = has(object, MP_QSTR_seek);
    external->buffer = mp_call_function_n_kw(mp_load_name(MP_QSTR_bytearray), 1, 0, &size);
    mp_get_buffer_raise(external->buffer, &buffer, MP_BUFFER_RW);
    external->bytes = buffer.buf;
    external->capacity = buffer.len;
}

void efm_mp_external_lend(efm_mp_external *external, mp_obj_t lent, size_t need, uint32_t alignment, const char *where)
{
    *external = (efm_mp_external){.object = MP_OBJ_NULL};
    if (lent == mp_const_none) {
        if (need > 0) {
            efm_mp_memory_error(where, "external memory (external=)", need, 0);
        }
    } else if (!efm_mp_memory_of(&external->memory, lent, MP_BUFFER_RW)) {
        lend_object(external, lent, alignment);
    } else if (external->memory.bytes < need) {
        efm_mp_memory_error(where, "external memory", need, external->memory.bytes);
    }
}

efm_port efm_mp_external_port(efm_mp_external *external)
{
    efm_port memory = {read_memory, write_memory, wait, external};
    efm_port object = {read_object, write_object, wait, external};
    return external->object == MP_OBJ_NULL ? memory : object;
}
