/* SPDX-License-Identifier: Apache-2.0 */
/* Bits in bytes, highest bit first, that never leave their buffer.
 *
 * Neither side tests each bit: a writer past its end and a reader past its end remember it, and the
 * caller asks once, after the block. A reader past its end reads zeros. */
#ifndef EFM_BITS_H
#define EFM_BITS_H

#include <stdint.h>

#include "config.h"

typedef struct efm_bit_writer {
    uint8_t *bytes;
    uint32_t size;    /* bytes that may be written */
    uint32_t at;      /* bits written, or asked for past the end */
} efm_bit_writer;

typedef struct efm_bit_reader {
    const uint8_t *bytes;
    uint32_t size;    /* bytes that may be read */
    uint32_t at;      /* bits read, or asked for past the end */
} efm_bit_reader;

/* The low `count` bits of `value`, count <= 16. */
void efm_bits_write(efm_bit_writer *w, uint32_t value, uint32_t count);

/* Zero bits up to a byte boundary. */
void efm_bits_align(efm_bit_writer *w);

/* Bytes written so far, or 0 when something did not fit. */
uint32_t efm_bits_written(const efm_bit_writer *w);

/* The next `count` bits, count <= 16; zeros past the end. */
uint32_t efm_bits_read(efm_bit_reader *r, uint32_t count);

/* Skips to a byte boundary; 0 when a skipped bit is set. */
int efm_bits_skip_padding(efm_bit_reader *r);

/* 1 when everything was read, nothing past it, and the last byte's unread bits are zero. */
int efm_bits_spent(efm_bit_reader *r);

/* Zeros above the highest set bit; 32 of 0. */
#if defined(__GNUC__)
static inline uint32_t efm_zeros(uint32_t v)
{
    return v != 0 ? (uint32_t)__builtin_clz(v) : 32;
}
#else
static inline uint32_t efm_zeros(uint32_t v)
{
    uint32_t zeros = 32;

    while (v != 0) {
        v >>= 1;
        zeros--;
    }
    return zeros;
}
#endif

/* The number of the highest set bit; v must not be 0. */
#if defined(__GNUC__)
EFM_SHARED_INLINE uint32_t efm_log2(uint32_t v)
{
    return 31u - (uint32_t)__builtin_clz(v);
}
#else
EFM_SHARED_INLINE uint32_t efm_log2(uint32_t v)
{
    uint32_t log = 0;

    while (v > 1) {
        v >>= 1;
        log++;
    }
    return log;
}
#endif

#endif
