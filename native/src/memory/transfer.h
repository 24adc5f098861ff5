/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers through a port, in pieces that are no longer than its longest. */
#ifndef EFM_TRANSFER_H
#define EFM_TRANSFER_H

#include "../config.h"
#include "edgefm.h"

#if EFM_WITH_WEIGHT_PORT /* two users */
#define EFM_TRANSFER EFM_SHARED
#else
#define EFM_TRANSFER static inline
#endif

EFM_TRANSFER int32_t efm_transfer_begin(const efm_port *port, int reads, uint32_t address, uint8_t *at, uint32_t bytes,
                                        uint32_t *ticket)
{
    return reads ? port->begin_read(port->port, address, at, bytes, ticket)
                 : port->begin_write(port->port, address, at, bytes, ticket);
}

/* Starts moving bytes, in bursts where `burst` is not 0: every one but the last, whose ticket it gives, is waited
   for. Not 0 when the port fails. */
EFM_TRANSFER int32_t efm_transfer(const efm_port *port, int reads, uint32_t address, uint8_t *at, uint32_t bytes,
                                  uint32_t burst, uint32_t *ticket)
{
    while (burst != 0 && bytes > burst) {
        if (efm_transfer_begin(port, reads, address, at, burst, ticket) != 0 || port->wait(port->port, *ticket) != 0) {
            return -1;
        }
        address += burst;
        at += burst;
        bytes -= burst;
    }
    return efm_transfer_begin(port, reads, address, at, bytes, ticket);
}

#endif
