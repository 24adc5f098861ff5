/* SPDX-License-Identifier: Apache-2.0 */
/* An external memory of the PC whose transfers happen when they are waited for, as late as a port allows:
 * a runtime that touches a row in flight is found out. For the binding, the fuzzer and tests. */
#ifndef EFM_LATE_PORT_H
#define EFM_LATE_PORT_H

#include <stdint.h>
#include <string.h>

enum { EFM_LATE_FLIGHTS = 64 };

typedef struct efm_flight {
    int busy;
    int reads;
    uint32_t address;
    uint32_t bytes;
    uint8_t *at;
} efm_flight;

typedef struct efm_late_port {
    uint8_t *memory;
    uint32_t bytes;
    efm_flight flight[EFM_LATE_FLIGHTS];
} efm_late_port;

static inline int32_t efm_late_begin(efm_late_port *port, int reads, uint32_t address, uint8_t *at, uint32_t bytes,
                                     uint32_t *ticket)
{
    if (address > port->bytes || bytes > port->bytes - address) {
        return -1;
    }
    for (uint32_t i = 0; i < EFM_LATE_FLIGHTS; i++) {
        if (!port->flight[i].busy) {
            port->flight[i] = (efm_flight){1, reads, address, bytes, at};
            *ticket = i;
            return 0;
        }
    }
    return -1;
}

/* The three functions of an efm_port whose `port` is an efm_late_port. */
static inline int32_t efm_late_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    return efm_late_begin(port, 1, address, to, bytes, ticket);
}

static inline int32_t efm_late_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes,
                                     uint32_t *ticket)
{
    return efm_late_begin(port, 0, address, (uint8_t *)(uintptr_t)from, bytes, ticket);
}

static inline int32_t efm_late_wait(void *port, uint32_t ticket)
{
    efm_late_port *late = port;
    if (ticket >= EFM_LATE_FLIGHTS || !late->flight[ticket].busy) {
        return -1;
    }
    efm_flight *f = &late->flight[ticket];
    f->busy = 0;
    if (f->reads) {
        memcpy(f->at, late->memory + f->address, f->bytes);
    } else {
        memcpy(late->memory + f->address, f->at, f->bytes);
    }
    return 0;
}

#endif
