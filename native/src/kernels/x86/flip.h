/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs as VPDPBUSD takes them: unsigned, x + 128. */
#ifndef EFM_X86_FLIP_H
#define EFM_X86_FLIP_H

#include <string.h>

#include "own.h"

static inline void flip8(const int8_t *x, uint8_t *to)
{
    uint64_t v;
    memcpy(&v, x, 8);
    v ^= 0x8080808080808080u;
    memcpy(to, &v, 8);
}

#endif
