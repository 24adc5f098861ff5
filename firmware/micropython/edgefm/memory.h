/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a model uses: an object's buffer, a region of the machine, or a block of MicroPython's heap. */
#ifndef EFM_MP_MEMORY_H
#define EFM_MP_MEMORY_H

#include <stdbool.h>

#include "api.h"

typedef struct efm_mp_memory {
    mp_obj_t owner; /* whose buffer it is; MP_OBJ_NULL without an object */
    uint8_t *block; /* of the heap, which the garbage collector finds by this pointer; or null */
    uint8_t *at;
    size_t bytes;
    mp_uint_t flags; /* MP_BUFFER_READ or MP_BUFFER_RW: what the owner was asked for */
} efm_mp_memory;

/* Takes what `object` is: something with a buffer, or (address, bytes). False if it is neither. */
bool efm_mp_memory_of(efm_mp_memory *memory, mp_obj_t object, mp_uint_t flags);

/* Whether the owner still has this memory: a bytearray may have been resized. */
bool efm_mp_memory_stays(const efm_mp_memory *memory);

/* Takes a block of the heap. Raises MemoryError with `where` and `what`. */
void efm_mp_memory_take(efm_mp_memory *memory, size_t bytes, size_t alignment, const char *where, const char *what);

/* Gives it back, or forgets it. */
void efm_mp_memory_leave(efm_mp_memory *memory);

#endif
