/* SPDX-License-Identifier: Apache-2.0 */
#include "ram.h"

#include <string.h>

enum { TICKETS = 32, ERASED = 0xff };

static int32_t begin(efm_ram_port *ram, uint32_t address, uint32_t bytes, uint32_t *ticket)
{
    uint32_t number = 0;
    if (address > ram->bytes || bytes > ram->bytes - address) {
        return -1;
    }
    while (number < TICKETS && (ram->busy >> number & 1u) != 0) {
        number++;
    }
    if (number == TICKETS) {
        return -1;
    }
    ram->busy |= (uint32_t)1 << number;
    *ticket = number;
    return 0;
}

static int32_t begin_read(void *port, uint32_t address, uint8_t *to, uint32_t bytes, uint32_t *ticket)
{
    efm_ram_port *ram = port;
    int32_t failed = begin(ram, address, bytes, ticket);
    if (failed == 0) {
        memcpy(to, ram->at + address, bytes);
    }
    return failed;
}

static int32_t begin_write(void *port, uint32_t address, const uint8_t *from, uint32_t bytes, uint32_t *ticket)
{
    efm_ram_port *ram = port;
    int32_t failed = begin(ram, address, bytes, ticket);
    if (failed == 0) {
        memcpy(ram->at + address, from, bytes);
    }
    return failed;
}

static int32_t wait(void *port, uint32_t ticket)
{
    efm_ram_port *ram = port;
    if (ticket >= TICKETS || (ram->busy >> ticket & 1u) == 0) {
        return -1;
    }
    ram->busy &= ~((uint32_t)1 << ticket);
    return 0;
}

efm_port efm_ram_as_port(efm_ram_port *ram)
{
    efm_port port = {begin_read, begin_write, wait, ram};
    return port;
}

/* -- flash ------------------------------------------------------------------------------------------ */

/* As flash does: bits only go from 1 to 0, and what was not erased is noticed. */
static int32_t program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    uint8_t *at = (uint8_t *)context + offset;
    for (uint32_t i = 0; i < bytes; i++) {
        at[i] &= from[i];
    }
    return memcmp(at, from, bytes);
}

static int32_t erase(void *context, uint32_t offset)
{
    memset((uint8_t *)context + offset, ERASED, EFM_RAM_ERASE_BYTES);
    return 0;
}

efm_flash efm_ram_as_flash(uint8_t *at, uint32_t bytes)
{
    efm_flash flash = {.at = at,
                       .bytes = bytes,
                       .erase_bytes = EFM_RAM_ERASE_BYTES,
                       .program_bytes = 4,
                       .erase = erase,
                       .program = program,
                       .context = at};
    return flash;
}
