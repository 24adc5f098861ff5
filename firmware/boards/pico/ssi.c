/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to the flash through the SSI, with its select line moved by hand (RP2040 datasheet, 4.10 and 2.19.6.2). */
#include "ssi.h"

#include "rp2.h"

enum { SELECT = 0x4001800C, SELECT_MASK = 3 << 8, SELECT_LOW = 2 << 8, SELECT_HIGH = 3 << 8 };
enum { CACHE_FLUSH = 0x14000004, SEND_FREE = 1 << 1, RECEIVED = 1 << 3 };

EFM_IN_RAM void efm_rp2_select(bool on)
{
    *efm_register(SELECT) =
        (*efm_register(SELECT) & ~(uint32_t)SELECT_MASK) | (uint32_t)(on ? SELECT_LOW : SELECT_HIGH);
    (void)*efm_register(SELECT);
}

EFM_IN_RAM uint8_t efm_rp2_exchange(uint8_t byte)
{
    while ((*efm_register(SSI + SSI_STATE) & SEND_FREE) == 0) {
    }
    *efm_register(SSI + SSI_DATA) = byte;
    while ((*efm_register(SSI + SSI_STATE) & RECEIVED) == 0) {
    }
    return (uint8_t)*efm_register(SSI + SSI_DATA);
}

EFM_IN_RAM void efm_rp2_commands_begin(void)
{
    *efm_register(SSI + SSI_ON) = 0;
    *efm_register(SSI + SSI_BAUD) = 6;
    *efm_register(SSI + SSI_CONTROL) = 7u << 16; /* bytes, both ways */
    *efm_register(SSI + SSI_SLAVE) = 1;
    *efm_register(SSI + SSI_ON) = 1;
    efm_rp2_select(false);
}

EFM_IN_RAM void efm_rp2_commands_end(void)
{
    *efm_register(SELECT) &= ~(uint32_t)SELECT_MASK; /* the SSI moves it again */
    efm_ssi_as_memory();
    *efm_register(CACHE_FLUSH) = 1;
    (void)*efm_register(CACHE_FLUSH); /* waits until it is done */
}
