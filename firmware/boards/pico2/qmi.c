/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to the flash through RP2350's QMI in its direct mode, which leaves how flash is read as the ROM set it up
 * (RP2350 datasheet, 12.14.5). And the mark by which the ROM knows a program (5.9.5.1). */
#include "rp2.h"

#include "bare.h"

enum { QMI_DIRECT = 0x400D0000, QMI_SEND = 0x400D0004, QMI_RECEIVED = 0x400D0008 };
enum { ON = 1, BUSY = 2, SELECT = 1 << 2, DIVIDER = 6 << 22 };
enum { CACHE_MAINTENANCE = 0x18000000, CACHE_BYTES = 16384, LINE_BYTES = 8 };

/* An image for the Arm cores, in the secure state. */
__attribute__((section(".boot"), used)) static const uint32_t image[] = {0xFFFFDED3, 0x10210142, 0x000001FF, 0,
                                                                         0xAB123579};

static EFM_IN_RAM void idle(void)
{
    while ((*efm_register(QMI_DIRECT) & BUSY) != 0) {
    }
}

EFM_IN_RAM void efm_rp2_select(bool on)
{
    idle();
    *efm_register(QMI_DIRECT) = DIVIDER | ON | (on ? SELECT : 0);
}

EFM_IN_RAM uint8_t efm_rp2_exchange(uint8_t byte)
{
    *efm_register(QMI_SEND) = byte;
    idle();
    return (uint8_t)*efm_register(QMI_RECEIVED);
}

EFM_IN_RAM void efm_rp2_commands_begin(void)
{
    *efm_register(QMI_DIRECT) = DIVIDER | ON;
    idle();
}

EFM_IN_RAM void efm_rp2_commands_end(void)
{
    idle();
    *efm_register(QMI_DIRECT) = 0;
    for (uint32_t at = 0; at < CACHE_BYTES; at += LINE_BYTES) {
        *(volatile uint8_t *)(uintptr_t)(CACHE_MAINTENANCE + at) = 0; /* by set and way */
    }
}
