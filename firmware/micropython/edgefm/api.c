/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <string.h>

mp_obj_t efm_mp_call(mp_obj_t object, qstr method, size_t count, const mp_obj_t *args)
{
    mp_obj_t call[2 + 3];
    mp_load_method(object, method, call);
    for (size_t i = 0; i < count; i++) {
        call[2 + i] = args[i];
    }
    return mp_call_method_n_kw(count, 0, call);
}

mp_obj_t efm_mp_import(qstr module, qstr name)
{
    return mp_load_attr(mp_import_name(module, mp_const_none, MP_OBJ_NEW_SMALL_INT(0)), name);
}

mp_obj_t efm_mp_text(const char *from)
{
    size_t length = 0;
    while (from[length] != 0) { /* a .mpy has no strlen() */
        length++;
    }
    return mp_obj_new_str(from, length);
}

mp_obj_t efm_mp_int(uint64_t value)
{
    mp_uint_t low = (mp_uint_t)value;
    if (low == value) {
        return mp_obj_new_int_from_uint(low);
    }
    mp_obj_t high =
        mp_binary_op(MP_BINARY_OP_LSHIFT, mp_obj_new_int_from_uint((mp_uint_t)(value >> 32)), MP_OBJ_NEW_SMALL_INT(32));
    return mp_binary_op(MP_BINARY_OP_OR, high, mp_obj_new_int_from_uint((mp_uint_t)(value & 0xffffffff)));
}

/* -- what the two builds do in different ways -------------------------------------------------------- */

#if MICROPY_ENABLE_DYNRUNTIME

mp_obj_t efm_mp_iterator(mp_obj_t object)
{
    return mp_fun_table.getiter(object, NULL);
}

mp_obj_t efm_mp_next(mp_obj_t iterator)
{
    mp_obj_iter_buf_t outside = {.base = {.type = NULL}, .buf = {iterator}};
    return mp_fun_table.iternext(&outside);
}

/* The interpreter may save more registers than this file's architecture has: those of an FPU. */
typedef struct guard {
    nlr_buf_t nlr;
    void *more[24];
} guard;

__attribute__((noinline)) mp_obj_t efm_mp_guarded(void (*job)(void *context), void *context)
{
    guard here;
    if (mp_fun_table.nlr_push(&here.nlr) != 0) {
        return MP_OBJ_FROM_PTR(here.nlr.ret_val);
    }
    job(context);
    mp_fun_table.nlr_pop();
    return MP_OBJ_NULL;
}

mp_obj_t efm_mp_clock(void)
{
    return efm_mp_import(MP_QSTR_time, MP_QSTR_ticks_us);
}

uint32_t efm_mp_ticks_us(mp_obj_t clock)
{
    return (uint32_t)mp_obj_get_int_truncated(mp_call_function_n_kw(clock, 0, 0, NULL)) & EFM_MP_TICKS_MASK;
}

void efm_mp_poll(void)
{
}

/* The table has no function for it; waiting no time does it. */
void efm_mp_poll_stage(void)
{
    mp_obj_t none = MP_OBJ_NEW_SMALL_INT(0);
    (void)mp_call_function_n_kw(efm_mp_import(MP_QSTR_time, MP_QSTR_sleep_ms), 1, 0, &none);
}

#define VALUE_ERROR  ((const mp_obj_type_t *)MP_OBJ_TO_PTR(mp_load_global(MP_QSTR_ValueError)))
#define MEMORY_ERROR ((const mp_obj_type_t *)MP_OBJ_TO_PTR(mp_load_global(MP_QSTR_MemoryError)))

#else

mp_obj_t efm_mp_iterator(mp_obj_t object)
{
    return mp_getiter(object, NULL);
}

mp_obj_t efm_mp_next(mp_obj_t iterator)
{
    return mp_iternext(iterator);
}

mp_obj_t efm_mp_guarded(void (*job)(void *context), void *context)
{
    nlr_buf_t here;
    if (nlr_push(&here) != 0) {
        return MP_OBJ_FROM_PTR(here.ret_val);
    }
    job(context);
    nlr_pop();
    return MP_OBJ_NULL;
}

mp_obj_t efm_mp_clock(void)
{
    return mp_const_none;
}

uint32_t efm_mp_ticks_us(mp_obj_t clock)
{
    (void)clock;
    return (uint32_t)mp_hal_ticks_us() & EFM_MP_TICKS_MASK;
}

void efm_mp_poll(void)
{
    mp_handle_pending(true);
}

void efm_mp_poll_stage(void)
{
}

#define VALUE_ERROR  (&mp_type_ValueError)
#define MEMORY_ERROR (&mp_type_MemoryError)

#endif

/* -- exceptions ---------------------------------------------------------------------------------------- */

typedef struct line {
    char text[160];
    size_t used;
} line;

/* What does not fit is cut before a character, so that the text stays UTF-8. */
static void add(void *data, const char *text, size_t bytes)
{
    line *into = data;
    size_t room = sizeof into->text - into->used;
    if (bytes > room) {
        for (bytes = room; bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80; bytes--) {
        }
    }
    memcpy(into->text + into->used, text, bytes);
    into->used += bytes;
}

static MP_NORETURN void raise(const mp_obj_type_t *type, const line *said)
{
    nlr_raise(mp_obj_new_exception_arg1(type, mp_obj_new_str(said->text, said->used)));
}

void efm_mp_value_error(const char *format, ...)
{
    line said;
    const mp_print_t print = {&said, add};
    va_list args;
    said.used = 0;
    va_start(args, format);
    mp_vprintf(&print, format, args);
    va_end(args);
    raise(VALUE_ERROR, &said);
}

void efm_mp_memory_error(const char *where, const char *what, size_t need, size_t have)
{
    line said;
    const mp_print_t print = {&said, add};
    said.used = 0;
    mp_printf(&print, "%s: need %u bytes of %s, have %u", where, (unsigned)need, what, (unsigned)have);
    raise(MEMORY_ERROR, &said);
}

void efm_mp_os_error(void)
{
    mp_raise_OSError(5); /* EIO */
    for (;;) { /* that does not return, which not every build is told */
    }
}
