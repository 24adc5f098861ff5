/* SPDX-License-Identifier: Apache-2.0 */
#include "bits.h"

/* Counting stops here, so that no amount of asking wraps around. */
#define FAR 0xFFFF0000u

static void advance(uint32_t *at, uint32_t count)
{
    if (*at < FAR) {
        *at += count;
    }
}

void efm_bits_write(efm_bit_writer *w, uint32_t value, uint32_t count)
{
    uint32_t at = w->at;

    for (uint32_t left = count; left > 0 && at / 8 < w->size;) {
        uint32_t used = at % 8;
        uint32_t take = left < 8 - used ? left : 8 - used;
        uint32_t part = value >> (left - take) & ((1u << take) - 1);
        uint32_t kept = used == 0 ? 0 : w->bytes[at / 8];

        w->bytes[at / 8] = (uint8_t)(kept | part << (8 - used - take));
        at += take;
        left -= take;
    }
    advance(&w->at, count);
}

void efm_bits_align(efm_bit_writer *w)
{
    advance(&w->at, (8 - w->at % 8) % 8); /* the rest of a begun byte is zero already */
}

uint32_t efm_bits_written(const efm_bit_writer *w)
{
    uint32_t bytes = w->at / 8 + (w->at % 8 != 0);

    return bytes <= w->size ? bytes : 0;
}

uint32_t efm_bits_read(efm_bit_reader *r, uint32_t count)
{
    uint32_t first = r->at / 8;
    uint32_t window = 0;

    for (uint32_t i = 0; i < 3; i++) {
        uint32_t byte = first < r->size && i < r->size - first ? r->bytes[first + i] : 0;

        window = window << 8 | byte;
    }
    window = window >> (24 - r->at % 8 - count) & ((1u << count) - 1);
    advance(&r->at, count);
    return window;
}

int efm_bits_skip_padding(efm_bit_reader *r)
{
    return efm_bits_read(r, (8 - r->at % 8) % 8) == 0;
}

int efm_bits_spent(efm_bit_reader *r)
{
    return efm_bits_skip_padding(r) && r->at / 8 == r->size && r->at < FAR;
}
