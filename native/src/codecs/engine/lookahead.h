/* SPDX-License-Identifier: Apache-2.0 */
/* Bits of rice and tans, highest first, read where they lie: no test per value, one per group of values. */
#ifndef EFM_LOOKAHEAD_H
#define EFM_LOOKAHEAD_H

#include <stdint.h>
#include <string.h>

#include "../shared.h"

enum {
    EFM_NEAR_BITS = 19,    /* of a value at most */
    EFM_NEAR_VALUES = 16,  /* that may be read after one look at `last` */
    EFM_STRIDE = 44        /* bytes that are looked at for them */
};

/* A code that is read without a test per value: where it ends, a copy with zeros behind it takes over. */
typedef struct efm_near {
    const uint8_t *code;   /* the code, or its copied end */
    uint32_t at;           /* bits taken of that */
    uint32_t last;         /* the most that may be taken when EFM_STRIDE bytes are looked at */
    int32_t whole;         /* the most that may be taken when a channel is read without asking */
    uint32_t width;        /* values of a channel */
    uint32_t bits;         /* all of that, in bits */
    uint8_t end[2 * EFM_STRIDE];
} efm_near;

static inline void efm_near_limit(efm_near *in, uint32_t last)
{
    in->last = last;
    in->whole = (int32_t)(last - EFM_NEAR_BITS * (in->width < EFM_NEAR_VALUES ? 0 : in->width));
}

/* Goes over to the copied end; 0 when that is used up. */
int efm_near_turn(efm_near *in);

/* Begins to read `bytes` bytes, which are channels of `width` values. */
void efm_near_open(efm_near *in, const uint8_t *code, uint32_t bytes, uint32_t width);

/* A code on its way through a function: what of it changes, out of memory. */
typedef struct efm_near_at {
    const uint8_t *code;
    uint32_t at;
    efm_near *in;
} efm_near_at;

/* Before up to EFM_NEAR_VALUES are read; 0 when bits were taken that the code does not have. `with` begins with an
   efm_near_at. */
EFM_SHARED int efm_near_on(void *with)
{
    efm_near_at *n = with;

    if (n->at > n->in->last) {
        n->in->at = n->at;
        if (!efm_near_turn(n->in)) {
            return 0;
        }
        n->at = n->in->at;
        n->code = n->in->code;
    }
    return 1;
}

/* 25 bits or more from bit `at` on, the first highest. */
EFM_SHARED uint32_t efm_near_window(const uint8_t *code, uint32_t at)
{
    const uint8_t *from = code + (at >> 3);

    return ((uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3]) << (at & 7);
}

/* 1 when the code was used up to its last byte, and no further, and zeros are left of that. */
static inline int efm_near_done(efm_near *in)
{
    return in->at <= in->bits && in->bits - in->at < 8 && efm_near_turn(in) && efm_near_window(in->code, in->at) == 0;
}

/* As efm_near_done() for a code whose last bit is the last of its last byte. */
static inline int efm_near_ended(const efm_near *in)
{
    return in->at == in->bits;
}

#endif
