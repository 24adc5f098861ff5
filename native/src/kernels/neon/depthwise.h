/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE: eight channels at a time, of all rows of a call, sums in registers. */
#ifndef EFM_NEON_DEPTHWISE_H
#define EFM_NEON_DEPTHWISE_H

#include "neon.h"

#if EFM_KERNEL_NEON

enum {
    EFM_NEON_STRIP = 8, /* channels */
    EFM_NEON_TAPS = 25  /* most that a strip keeps: 5x5 */
};

/* Channels first .. first + count - 1 of a call. */
typedef struct efm_neon_strip {
    const efm_depthwise_call *call;
    uint32_t first, count;
    int small; /* all weights fit into 8 bits less their zero point */
    efm_neon_result result;
    efm_neon_channels channels;
    int16_t w[EFM_NEON_TAPS][EFM_NEON_STRIP]; /* less their zero point */
} efm_neon_strip;


/* Output row `r` of the call from pixel 0 on. */
EFM_INLINE int8_t *efm_neon_out_row(const efm_neon_strip *s, uint32_t r)
{
    return (int8_t *)efm_row(s->call->out, s->call->first + r) + s->first;
}

/* Rows of a strip of eight channels with a 3x3 or 5x5 window, stride 1 or 2, no dilation, one output for an input. */
void efm_neon_strip_taps(const efm_neon_strip *s);

/* The same of 3x3 where weights are small and padding is less than the window. */
void efm_neon_strip_dot(const efm_neon_strip *s);

/* `dot`: the processor has SDOT. */
void efm_neon_depthwise(const efm_depthwise_call *call, int dot);

#endif
#endif
