/* SPDX-License-Identifier: Apache-2.0 */
/* External memory behind the port: bytes of this machine, or a Python object that reads and writes them. */
#ifndef EFM_MP_EXTERNAL_H
#define EFM_MP_EXTERNAL_H

#include "edgefm.h"
#include "memory.h"

typedef struct efm_mp_external {
    efm_mp_memory memory; /* where there is no object */
    mp_obj_t object;      /* readinto(address, buffer), write(address, buffer); a file has seek, readinto and write */
    bool is_file;
    mp_obj_t buffer;      /* a bytearray of its own: what the object gets is never the arena, which it could keep */
    uint8_t *bytes;       /* of it */
    size_t capacity;
    mp_obj_t part;        /* the last memoryview of it, from its beginning */
    size_t part_bytes;
} efm_mp_external;

/* Takes what the caller lends, for a package that needs `need` bytes. Raises MemoryError, TypeError. */
void efm_mp_external_lend(efm_mp_external *external, mp_obj_t lent, size_t need, uint32_t alignment, const char *where);

/* The port, for one run. */
efm_port efm_mp_external_port(efm_mp_external *external);

#endif
