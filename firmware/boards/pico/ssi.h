/* SPDX-License-Identifier: Apache-2.0 */
/* RP2040's SSI, which makes flash memory (RP2040 datasheet, 4.10). */
#ifndef EFM_SSI_H
#define EFM_SSI_H

#include "bare.h"

enum { SSI = 0x18000000, SSI_CONTROL = 0, SSI_COUNT = 4, SSI_ON = 8, SSI_SLAVE = 0x10, SSI_BAUD = 0x14 };
enum { SSI_STATE = 0x28, SSI_DATA = 0x60, SSI_MEMORY = 0xF4 };

/* Reads with 3Bh, which any flash takes without being set up: command and address on one line, data on two, eight
   clocks before them. */
static inline __attribute__((always_inline)) void efm_ssi_as_memory(void)
{
    *efm_register(SSI + SSI_ON) = 0;
    *efm_register(SSI + SSI_BAUD) = 4;
    *efm_register(SSI + SSI_CONTROL) = 1u << 21 | 31u << 16 | 3u << 8; /* two lines, 32 bits, read */
    *efm_register(SSI + SSI_COUNT) = 0;
    *efm_register(SSI + SSI_MEMORY) = 0x3Bu << 24 | 8u << 11 | 2u << 8 | 6u << 2;
    *efm_register(SSI + SSI_ON) = 1;
}

#endif
