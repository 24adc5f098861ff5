/* SPDX-License-Identifier: Apache-2.0 */
/* Erases and programs the flash that the firmware itself runs from: these functions are in RAM, and what is written is
 * copied there first. Commands are those that all serial NOR flash has (JEDEC JESD216, Winbond W25Q16JV datasheet 8.1).
 * Interrupts are off throughout, as they always are here. */
#include <string.h>

#include "bare.h"
#include "rp2.h"

enum { WRITE_ENABLE = 0x06, STATE = 0x05, BUSY = 1, ERASE_SECTOR = 0x20, PROGRAM_PAGE = 0x02 };
enum { SECTOR_BYTES = 4096, PAGE_BYTES = 256, MAPPED = 0x10000000 };

static EFM_IN_RAM void single(uint8_t command)
{
    efm_rp2_select(true);
    (void)efm_rp2_exchange(command);
    efm_rp2_select(false);
}

static EFM_IN_RAM bool is_busy(void)
{
    efm_rp2_select(true);
    (void)efm_rp2_exchange(STATE);
    uint8_t state = efm_rp2_exchange(0);
    efm_rp2_select(false);
    return (state & BUSY) != 0;
}

/* A command with an address and bytes behind it; `bytes` is 0 to erase. */
static EFM_IN_RAM void write(uint8_t command, uint32_t address, const uint8_t *from, uint32_t bytes)
{
    efm_rp2_commands_begin();
    single(WRITE_ENABLE);
    efm_rp2_select(true);
    (void)efm_rp2_exchange(command);
    for (uint32_t shift = 24; shift != 0; shift -= 8) {
        (void)efm_rp2_exchange((uint8_t)(address >> (shift - 8)));
    }
    for (uint32_t i = 0; i < bytes; i++) {
        (void)efm_rp2_exchange(from[i]);
    }
    efm_rp2_select(false);
    while (is_busy()) {
    }
    efm_rp2_commands_end();
}

static int32_t erase(void *context, uint32_t offset)
{
    write(ERASE_SECTOR, (uint32_t)(uintptr_t)context - MAPPED + offset, NULL, 0);
    return 0;
}

static int32_t program(void *context, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    uint8_t page[PAGE_BYTES]; /* `from` may be in flash */
    uint32_t address = (uint32_t)(uintptr_t)context - MAPPED + offset;
    while (bytes != 0) {
        uint32_t room = PAGE_BYTES - address % PAGE_BYTES, part = bytes < room ? bytes : room;
        memcpy(page, from, part);
        write(PROGRAM_PAGE, address, page, part);
        address += part;
        from += part;
        bytes -= part;
    }
    return 0;
}

efm_flash efm_rp2_flash(uint32_t offset, uint32_t bytes)
{
    return (efm_flash){.at = (const uint8_t *)(uintptr_t)(MAPPED + offset),
                       .bytes = bytes,
                       .erase_bytes = SECTOR_BYTES,
                       .program_bytes = PAGE_BYTES,
                       .erase = erase,
                       .program = program,
                       .context = (void *)(uintptr_t)(MAPPED + offset)};
}
