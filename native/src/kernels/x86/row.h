/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFM_X86_ROW_H
#define EFM_X86_ROW_H

#include <stddef.h>
#include <stdint.h>

/* A loop over a small constant number, unrolled so that arrays of vectors are in registers. */
#define EFM_EACH(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

/* A row of a window: a null one of the call is `padding`, whatever the offset. */
typedef struct row {
    const int8_t *at;
    size_t mask;
} row;

static inline const int8_t *pixel_of(const row *r, size_t offset)
{
    return r->at + (offset & r->mask);
}

#endif
