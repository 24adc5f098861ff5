/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <string.h>

enum { STUCK_AT = 12345, STUCK_BIT = 8, LINE = 1 << 16, WEAK_EACH = 100003, LONG = 128, TAKEN = 64, WORD = 4 };

bool efm_fault_named(const char *name, efm_fault *fault)
{
    static const char *const names[] = {"none",    "stuck",   "alias", "weak",  "long",
                                        "pointer", "overlap", "spill", "refuse"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *fault = (efm_fault)i;
            return true;
        }
    }
    return false;
}

bool efm_fault_refuses(efm_fault fault, uint32_t bytes)
{
    return fault == EFM_FAULT_REFUSE && bytes > TAKEN;
}

static void spoil_read(efm_fault fault, uint8_t *at, uint32_t bytes, bool alone)
{
    static uint32_t read;
    for (uint32_t i = 0; fault == EFM_FAULT_WEAK && i < bytes; i++) {
        at[i] ^= ++read % WEAK_EACH == 0;
    }
    if (fault == EFM_FAULT_OVERLAP && !alone) {
        at[0] ^= 0xff;
    }
    if (fault == EFM_FAULT_SPILL) {
        at[bytes] = 0;
    }
}

void efm_fault_move(efm_fault fault, bool reads, uint8_t *memory, uint32_t address, uint8_t *at, uint32_t bytes,
                    bool alone)
{
    address &= fault == EFM_FAULT_ALIAS ? ~(uint32_t)LINE : UINT32_MAX;
    bytes -= fault == EFM_FAULT_LONG && bytes > LONG;
    at -= fault == EFM_FAULT_POINTER ? (uintptr_t)at % WORD : 0;
    if (reads) {
        memcpy(at, memory + address, bytes);
        spoil_read(fault, at, bytes, alone);
    } else {
        memcpy(memory + address, at, bytes);
    }
    if (fault == EFM_FAULT_STUCK && !reads && address <= STUCK_AT && STUCK_AT - address < bytes) {
        memory[STUCK_AT] &= (uint8_t)~STUCK_BIT;
    }
}
