/* SPDX-License-Identifier: Apache-2.0 */
/* A binary range coder that adapts, on one bounded piece of memory.
 *
 * A code is a number inside a range that shrinks with every bit. Bytes past the end of a code are
 * zeros to the reader; bytes past its room are counted by the writer and not written, but it knows
 * whether they are all zeros, which are not part of the code. */
#ifndef EFM_RANGE_CODER_H
#define EFM_RANGE_CODER_H

#include <stdint.h>

#include "../../config.h"

#define EFM_RANGE_RATE 5 /* a probability moves by 1/32 of what it was wrong */

typedef struct efm_range {
    uint32_t range;
    uint32_t code;       /* reading: the number not yet explained; writing: the range's low end */
    uint32_t at;         /* bytes read or written, or asked for past the end */
    uint32_t size;       /* bytes of the code, or room for it */
    const uint8_t *in;
    uint8_t *out;
    uint32_t beyond;     /* writing: what all bytes past the room are, or EFM_RANGE_MIXED */
} efm_range;

enum { EFM_RANGE_MIXED = 256 };

/* The part of the range that means a one of probability p, 1/65536. */
EFM_SHARED_INLINE uint32_t efm_range_split(const efm_range *k, uint32_t p)
{
    return (k->range >> 12) * (p >> 4);
}

EFM_SHARED_INLINE void efm_range_adapt(uint16_t *odds, uint32_t bit)
{
    uint32_t p = *odds;

    *odds = (uint16_t)(bit ? p + ((65536 - p) >> EFM_RANGE_RATE) : p - (p >> EFM_RANGE_RATE));
}

EFM_SHARED_INLINE void efm_range_pull(efm_range *k)
{
    k->code = k->code << 8 | (k->at < k->size ? k->in[k->at] : 0u);
    k->at++;
}

EFM_SHARED void efm_range_refill(efm_range *k)
{
    if (k->range < 1u << 24) {
        k->range <<= 8;
        efm_range_pull(k);
    }
}

/* The next bit; p is the probability of a one, 1/65536, from 16 to 65535. */
EFM_SHARED_INLINE uint32_t efm_range_read_chance(efm_range *k, uint32_t p)
{
    uint32_t bound = efm_range_split(k, p);
    uint32_t bit = k->code < bound;

    if (bit) {
        k->range = bound;
    } else {
        k->code -= bound;
        k->range -= bound;
    }
    if (k->range < 1u << 24) { /* a second byte when the probability was below 1/256 */
        efm_range_refill(k);
        efm_range_refill(k);
    }
    return bit;
}

/* The next bit; `odds` is the probability of a one and adapts. */
EFM_SHARED uint32_t efm_range_read_bit(efm_range *k, uint16_t *odds)
{
    uint32_t bit = efm_range_read_chance(k, *odds);

    efm_range_adapt(odds, bit);
    return bit;
}

/* The next `bits` bits, at most 8, each a one as often as not. */
EFM_SHARED uint32_t efm_range_read_plain(efm_range *k, uint32_t bits)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < bits; i++) {
        uint32_t bit;

        k->range >>= 1;
        bit = k->code >= k->range;
        k->code -= bit ? k->range : 0;
        value = value << 1 | bit;
    }
    efm_range_refill(k);
    return value;
}

/* Starts to read `size` bytes. */
EFM_SHARED efm_range efm_range_open(const uint8_t *code, uint32_t size)
{
    efm_range k = {0xFFFFFFFFu, 0, 0, size, code, 0, 0};

    for (uint32_t i = 0; i < 4; i++) {
        efm_range_pull(&k);
    }
    return k;
}

/* 1 when this is the one code of what was read. */
EFM_SHARED int efm_range_spent(const efm_range *k)
{
    return k->size > 0 && (k->size == 1 || k->in[k->size - 1] != 0) && k->size <= k->at - 3 && k->code < 1u << 24;
}

/* Starts to write at most `capacity` bytes. */
static inline efm_range efm_range_room(uint8_t *code, uint32_t capacity)
{
    efm_range k = {0xFFFFFFFFu, 0, 0, capacity, 0, code, 0};

    return k;
}

/* Adds to the low end; a carry runs back through the bytes past the room, if those let it pass, and through those
   already written. */
EFM_SHARED void efm_range_raise(efm_range *k, uint32_t amount)
{
    k->code += amount;
    if (k->code < amount) {
        uint32_t i = k->at < k->size ? k->at : k->size;

        if (k->at > k->size && k->beyond != 0xFF) {
            k->beyond = EFM_RANGE_MIXED; /* no byte sees a second carry, so these are zeros no more */
            return;
        }
        k->beyond = 0;
        while (i > 0 && ++k->out[--i] == 0) {
        }
    }
}

/* A broken package may share the odds' memory with rows; then a range can become 0, and stays so. */
EFM_SHARED void efm_range_drain(efm_range *k)
{
    while (k->range != 0 && k->range < 1u << 24) {
        uint32_t byte = k->code >> 24;

        if (k->at < k->size) {
            k->out[k->at] = (uint8_t)byte;
        } else if (k->at == k->size || k->beyond != byte) {
            k->beyond = k->at == k->size ? byte : EFM_RANGE_MIXED;
        }
        k->at++;
        k->code <<= 8;
        k->range <<= 8;
    }
}

/* As read_chance. */
EFM_SHARED_INLINE void efm_range_write_chance(efm_range *k, uint32_t p, uint32_t bit)
{
    uint32_t bound = efm_range_split(k, p);

    if (bit) {
        k->range = bound;
    } else {
        efm_range_raise(k, bound);
        k->range -= bound;
    }
    efm_range_drain(k);
}

/* As read_bit. */
EFM_SHARED void efm_range_write_bit(efm_range *k, uint16_t *odds, uint32_t bit)
{
    efm_range_write_chance(k, *odds, bit);
    efm_range_adapt(odds, bit);
}

/* As read_plain. */
EFM_SHARED void efm_range_write_plain(efm_range *k, uint32_t value, uint32_t bits)
{
    while (bits-- > 0) {
        k->range >>= 1;
        efm_range_raise(k, value >> bits & 1u ? k->range : 0);
    }
    efm_range_drain(k);
}

/* Ends the code and returns its bytes, 0 when it did not fit: one more byte names a number inside
   the last range, and zeros at the end are left out, also those that would not fit. */
EFM_SHARED uint32_t efm_range_finish(efm_range *k)
{
    efm_range_raise(k, 0xFFFFFFu);
    k->range = 1;
    if (k->at < k->size) {
        k->out[k->at++] = (uint8_t)(k->code >> 24);
    } else if (k->size == 0 || k->code >> 24 != 0 || (k->at > k->size && k->beyond != 0)) {
        return 0;
    } else {
        k->at = k->size;
    }
    while (k->at > 1 && k->out[k->at - 1] == 0) {
        k->at--;
    }
    return k->at;
}

#endif
