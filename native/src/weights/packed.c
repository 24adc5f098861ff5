/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of three to six bits, lowest bit first: two bytes (bits per weight, lowest value), then each weight above the
 * lowest value. Eight weights are as many bytes as one has bits. */
#include "../config.h"
#include "edgefm_bytes.h"
#include "weights.h"

#if EFM_WITH_WEIGHT_CODES

enum { FEWEST_BITS = 3, MOST_BITS = 6, HEAD = 2 };

static inline void unpack_four(uint32_t word, uint32_t bits, uint32_t lowest, int8_t *to)
{
    uint32_t mask = (1u << bits) - 1;

    to[0] = (int8_t)((word & mask) + lowest);
    to[1] = (int8_t)((word >> bits & mask) + lowest);
    to[2] = (int8_t)((word >> 2 * bits & mask) + lowest);
    to[3] = (int8_t)((word >> 3 * bits & mask) + lowest);
}

/* Eight at a time while whole words can be read; returns how many. A constant `bits` makes it fast. */
static inline uint32_t unpack_eights(const uint8_t *from, uint32_t bytes, uint32_t bits, uint32_t lowest, int8_t *to,
                                     uint32_t count)
{
    uint32_t done = 0;

    for (; count - done >= 8 && bytes >= bits / 2 + 4; done += 8, from += bits, bytes -= bits) {
        uint32_t low = efm_load_le32(from), high = efm_load_le32(from + bits / 2) >> 4 * (bits % 2);

        unpack_four(low, bits, lowest, to + done);
        unpack_four(high, bits, lowest, to + done + 4);
    }
    return done;
}

static uint32_t unpack_most(const uint8_t *from, uint32_t bytes, uint32_t bits, uint32_t lowest, int8_t *to,
                            uint32_t count)
{
    switch (bits) {
    case 3:
        return unpack_eights(from, bytes, 3, lowest, to, count);
    case 4:
        return unpack_eights(from, bytes, 4, lowest, to, count);
    case 5:
        return unpack_eights(from, bytes, 5, lowest, to, count);
    default:
        return unpack_eights(from, bytes, 6, lowest, to, count);
    }
}

/* The `bits` bits of weight `i`; none of them is past the end. */
static uint32_t field(const uint8_t *from, uint32_t bits, uint32_t i)
{
    uint32_t at = bits * i, last = (at + bits - 1) / 8;

    return ((uint32_t)from[last] << 8 | from[at / 8]) >> at % 8 & ((1u << bits) - 1);
}

efm_status efm_weights_packed(const uint8_t *coded, uint32_t bytes, int8_t *to, uint32_t count)
{
    uint32_t bits = bytes < HEAD ? 0 : coded[0], spare;

    if (bits < FEWEST_BITS || bits > MOST_BITS || bytes - HEAD != (bits * count + 7) / 8) {
        return EFM_BAD_CODEC;
    }
    for (uint32_t i = unpack_most(coded + HEAD, bytes - HEAD, bits, coded[1], to, count); i < count; i++) {
        to[i] = (int8_t)(field(coded + HEAD, bits, i) + coded[1]);
    }
    spare = 8 * (bytes - HEAD) - bits * count;
    return spare == 0 || coded[bytes - 1] >> (8 - spare) == 0 ? EFM_OK : EFM_BAD_CODEC;
}

#endif
