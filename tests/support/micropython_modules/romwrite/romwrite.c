/* SPDX-License-Identifier: Apache-2.0 */
/* What `mpremote romfs deploy` asks a board with flash that is not a block device. */
#include <string.h>

#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"

enum { SEGMENT = 2, WRITE_PREPARE = 3, WRITE = 4, WRITE_COMPLETE = 5, BLOCK_SIZE = 6, BLOCK = 4096 };

mp_obj_t __real_mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args);
mp_obj_t __wrap_mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args);

static mp_obj_t write(const mp_obj_t *args)
{
    const mp_obj_t which[2] = {MP_OBJ_NEW_SMALL_INT(SEGMENT), args[1]};
    const mp_obj_array_t *rom = MP_OBJ_TO_PTR(__real_mp_vfs_rom_ioctl(2, which));
    size_t offset = (size_t)mp_obj_get_int(args[2]);
    mp_buffer_info_t from;
    mp_get_buffer_raise(args[3], &from, MP_BUFFER_READ);
    if (from.len > rom->len || offset > rom->len - from.len) {
        return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
    }
    memcpy((uint8_t *)rom->items + offset, from.buf, from.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}

mp_obj_t __wrap_mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args)
{
    switch (mp_obj_get_int(args[0])) {
    case BLOCK_SIZE:
        return MP_OBJ_NEW_SMALL_INT(BLOCK);
    case WRITE_PREPARE:
        return MP_OBJ_NEW_SMALL_INT(4);
    case WRITE:
        return n_args == 4 ? write(args) : MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
    case WRITE_COMPLETE:
        return MP_OBJ_NEW_SMALL_INT(0);
    default:
        return __real_mp_vfs_rom_ioctl(n_args, args);
    }
}
