/* SPDX-License-Identifier: Apache-2.0 */
/* MicroPython's C interface, alike in both builds: compiled into a firmware, and as a native .mpy, where the interpreter
 * is reached through a table of functions. */
#ifndef EFM_MP_API_H
#define EFM_MP_API_H

#include <stdarg.h> /* before MicroPython's headers, which look for it */

#if MICROPY_ENABLE_DYNRUNTIME
#include "py/dynruntime.h"

#define mp_call_method_n_kw(n_args, n_kw, args) (mp_fun_table.call_method_n_kw((n_args), (n_kw), (args)))
#define mp_obj_new_slice(start, stop, step)     (mp_fun_table.new_slice((start), (stop), (step)))
#else
#include "py/binary.h"
#include "py/mphal.h"
#include "py/runtime.h"
#endif

/* Alignment that package files are made for. */
enum { EFM_MP_PACKAGE_ALIGNMENT = 16 };

/* object.method(*args), at most three of them. */
mp_obj_t efm_mp_call(mp_obj_t object, qstr method, size_t count, const mp_obj_t *args);

/* module.name */
mp_obj_t efm_mp_import(qstr module, qstr name);

/* An iterator, and its next item or MP_OBJ_STOP_ITERATION. */
mp_obj_t efm_mp_iterator(mp_obj_t object);
mp_obj_t efm_mp_next(mp_obj_t iterator);

/* Calls job(context). An exception comes back as an object, which is MP_OBJ_NULL where there was none. */
mp_obj_t efm_mp_guarded(void (*job)(void *context), void *context);

/* Microseconds that wrap at EFM_MP_TICKS_MASK + 1. */
enum { EFM_MP_TICKS_MASK = 0x3fffffff };
uint32_t efm_mp_ticks_us(mp_obj_t clock);

/* What efm_mp_ticks_us() asks: made once, kept by the caller. */
mp_obj_t efm_mp_clock(void);

/* Raises KeyboardInterrupt and the like that are due, as far as the build can: `clock` as above. */
void efm_mp_poll(void);
void efm_mp_poll_stage(void);

/* An int of any size, and a str. */
mp_obj_t efm_mp_int(uint64_t value);
mp_obj_t efm_mp_text(const char *from);

MP_NORETURN void efm_mp_value_error(const char *format, ...);
MP_NORETURN void efm_mp_os_error(void);

/* "net.efm: need 98304 bytes of fast memory, have 40960" */
MP_NORETURN void efm_mp_memory_error(const char *where, const char *what, size_t need, size_t have);

#endif
