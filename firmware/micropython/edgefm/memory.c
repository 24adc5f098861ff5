/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

static bool region(efm_mp_memory *memory, mp_obj_t pair)
{
    size_t count;
    mp_obj_t *items;
    mp_obj_get_array(pair, &count, &items);
    if (count != 2) {
        return false;
    }
    memory->at = (uint8_t *)(uintptr_t)mp_obj_get_int_truncated(items[0]);
    memory->bytes = (size_t)mp_obj_get_int_truncated(items[1]);
    return true;
}

bool efm_mp_memory_of(efm_mp_memory *memory, mp_obj_t object, mp_uint_t flags)
{
    mp_buffer_info_t buffer;
    *memory = (efm_mp_memory){.owner = MP_OBJ_NULL, .flags = flags};
    if (mp_obj_get_type(object) == &mp_type_tuple) {
        return region(memory, object);
    }
    if (!mp_get_buffer(object, &buffer, flags)) {
        return false;
    }
    memory->owner = object;
    memory->at = buffer.buf;
    memory->bytes = buffer.len;
    return true;
}

bool efm_mp_memory_stays(const efm_mp_memory *memory)
{
    mp_buffer_info_t buffer;
    if (memory->owner == MP_OBJ_NULL) {
        return true;
    }
    return mp_get_buffer(memory->owner, &buffer, memory->flags) && buffer.buf == (void *)memory->at
           && buffer.len >= memory->bytes;
}

/* Bytes of the heap, or null; a full heap is collected first. */
static uint8_t *from_heap(size_t bytes)
{
#if MICROPY_ENABLE_DYNRUNTIME
    return m_realloc_maybe(NULL, bytes, false);
#else
    return m_malloc_maybe(bytes);
#endif
}

static size_t heap_free(void)
{
    mp_obj_t count = mp_call_function_n_kw(efm_mp_import(MP_QSTR_gc, MP_QSTR_mem_free), 0, 0, NULL);
    return (size_t)mp_obj_get_int_truncated(count);
}

static void forget(uint8_t *block, size_t bytes)
{
#if MICROPY_MALLOC_USES_ALLOCATED_SIZE
    m_free(block, bytes);
#else
    (void)bytes;
    m_free(block);
#endif
}

void efm_mp_memory_take(efm_mp_memory *memory, size_t bytes, size_t alignment, const char *where, const char *what)
{
    size_t whole = bytes > 0 ? bytes : 1;
    *memory = (efm_mp_memory){.owner = MP_OBJ_NULL, .bytes = bytes};
    uint8_t *block = from_heap(whole);
    if (block != NULL && (uintptr_t)block % alignment != 0) { /* blocks of common heaps are aligned */
        forget(block, whole);
        whole += alignment - 1;
        block = from_heap(whole);
    }
    if (block == NULL) {
        efm_mp_memory_error(where, what, whole, heap_free());
    }
    memory->block = block;
    memory->at = block + (-(uintptr_t)block % alignment);
}

void efm_mp_memory_leave(efm_mp_memory *memory)
{
    if (memory->block != NULL) {
        forget(memory->block, memory->bytes + (size_t)(memory->at - memory->block));
    }
    *memory = (efm_mp_memory){.owner = MP_OBJ_NULL};
}
