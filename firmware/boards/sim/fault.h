/* SPDX-License-Identifier: Apache-2.0 */
/* External memory that is broken, for tests of what finds it. */
#ifndef EFM_FAULT_H
#define EFM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum efm_fault {
    EFM_FAULT_NONE,
    EFM_FAULT_STUCK,   /* a bit that is always 0 */
    EFM_FAULT_ALIAS,   /* an address line that is not connected */
    EFM_FAULT_WEAK,    /* a bit that turns in one of 100,003 bytes read */
    EFM_FAULT_LONG,    /* transfers above 128 bytes lose their last byte */
    EFM_FAULT_POINTER, /* pointers are rounded down to words */
    EFM_FAULT_OVERLAP, /* a transfer takes over what another under way moves */
    EFM_FAULT_SPILL,   /* reads move one byte too many */
    EFM_FAULT_REFUSE   /* transfers above 64 bytes are refused */
} efm_fault;

/* By its name in small letters; false: there is none of that name. */
bool efm_fault_named(const char *name, efm_fault *fault);

bool efm_fault_refuses(efm_fault fault, uint32_t bytes);

/* Moves bytes between memory and `at` as well as this memory can; `alone`: no other transfer is under way. */
void efm_fault_move(efm_fault fault, bool reads, uint8_t *memory, uint32_t address, uint8_t *at, uint32_t bytes,
                    bool alone);

#endif
