/* SPDX-License-Identifier: Apache-2.0 */
/* Bits of dctcm, and what rice and dctcm write, highest first, through a window of 32. Read at most 16 at a time. */
#ifndef EFM_STREAM_H
#define EFM_STREAM_H

#include <stdint.h>

#include "../../bits.h"

typedef struct efm_bits_in {
    const uint8_t *at, *end;
    uint32_t window;   /* the next bits, highest first, then zeros */
    uint32_t have;     /* bits in the window */
    uint32_t missing;  /* bits in it that the code did not have */
} efm_bits_in;

static inline efm_bits_in efm_bits_open(const uint8_t *code, uint32_t bytes)
{
    efm_bits_in in = {code, code + bytes, 0, 0, 0};

    return in;
}

/* At least 16 bits in the window; zeros past the end. */
EFM_SHARED void efm_bits_fill(efm_bits_in *in)
{
    uint32_t next = 0;

    if (in->have >= 16) {
        return;
    }
    if (in->end - in->at >= 2) {
        next = (uint32_t)in->at[0] << 8 | in->at[1];
        in->at += 2;
    } else if (in->at != in->end) {
        next = (uint32_t)*in->at++ << 8;
        in->missing += 8;
    } else {
        in->missing += in->missing < 64 ? 16 : 0;
    }
    in->window |= next << (16 - in->have);
    in->have += 16;
}

/* Zeros at the window's front, 31 when there is nothing else. */
static inline uint32_t efm_bits_zeros(const efm_bits_in *in)
{
    return 31 - efm_log2(in->window | 1);
}

EFM_SHARED_INLINE void efm_bits_drop(efm_bits_in *in, uint32_t count)
{
    in->window <<= count;
    in->have -= count;
}

/* The next `count` bits, 0 to 16, of a filled window. */
EFM_SHARED uint32_t efm_bits_take(efm_bits_in *in, uint32_t count)
{
    uint32_t bits = in->window >> 1 >> (31 - count);

    efm_bits_drop(in, count);
    return bits;
}

/* 1 when the code was used up to its last byte, and no further, and zeros are left of that. */
EFM_SHARED int efm_bits_done(const efm_bits_in *in)
{
    uint32_t left = in->have + 8 * (uint32_t)(in->end - in->at);

    return left >= in->missing && left - in->missing < 8 && in->window == 0;
}

typedef struct efm_bits_out {
    uint8_t *at, *end;
    uint32_t window;   /* bits that are not written yet, the first highest, then zeros */
    uint32_t room;     /* zeros that are left in it: 32 at first, then 1 to 31 */
    uint32_t full;     /* 1 once something did not fit */
} efm_bits_out;

static inline efm_bits_out efm_bits_room(uint8_t *code, uint32_t capacity)
{
    efm_bits_out out = {code, code + capacity, 0, 32, 0};

    return out;
}

/* Adds `count` bits, 1 to 31; `bits` has no others. */
EFM_SHARED void efm_bits_add(efm_bits_out *out, uint32_t bits, uint32_t count)
{
    int32_t room = (int32_t)(out->room - count);

    if (room < 0) {
        out->window |= bits >> -room;
        if (out->end - out->at < 4) {
            out->full = 1;
        } else {
            out->at[0] = (uint8_t)(out->window >> 24);
            out->at[1] = (uint8_t)(out->window >> 16);
            out->at[2] = (uint8_t)(out->window >> 8);
            out->at[3] = (uint8_t)out->window;
            out->at += 4;
        }
        out->window = 0;
        room += 32;
    }
    out->window |= bits << room;
    out->room = (uint32_t)room;
}

/* Fills the last byte up with zeros; the code's bytes, or 0 when it did not fit. */
EFM_SHARED uint32_t efm_bits_close(efm_bits_out *out, const uint8_t *code)
{
    for (uint32_t left = (32 - out->room + 7) / 8; left > 0; left--, out->window <<= 8) {
        if (out->at == out->end) {
            out->full = 1;
        } else {
            *out->at++ = (uint8_t)(out->window >> 24);
        }
    }
    return out->full ? 0 : (uint32_t)(out->at - code);
}

#endif
