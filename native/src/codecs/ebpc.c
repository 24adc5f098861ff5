/* SPDX-License-Identifier: Apache-2.0 */
/* Extended bit-plane compression (Cavigelli, Rutishauser, Benini 2019, arXiv 1908.11645).
 *
 * The row is read channel by channel. First which values differ from the zero point (1, or 0 and
 * 4 bits for a run of 1 to 16), padded to a byte; then those values in blocks of 8: the first as 8
 * bits, the 7 differences as 9 bit planes, each exclusive-or the plane above it. A plane is a 7-bit
 * word, first difference highest. */
#include "../bits.h"
#include "shared.h"

#define BLOCK   8u
#define PLANES  9u
#define ALL     0x7Fu
#define LONGEST 16u

enum { ALL_ONES = 0, PLANE_ZERO = 1, TWO_ONES = 2, ONE_ONE = 3 };

static uint32_t plane_of(const int32_t *v, uint32_t bit)
{
    uint32_t plane = 0;

    for (uint32_t i = 1; i < BLOCK; i++) {
        plane = plane << 1 | ((uint32_t)(v[i] - v[i - 1]) >> bit & 1u);
    }
    return plane;
}

/* Zeros ahead of the first one of a plane that is not zero. */
static uint32_t first_one(uint32_t plane)
{
    uint32_t i = 0;

    while (!(plane << i & 0x40u)) {
        i++;
    }
    return i;
}

static void write_zeros(efm_bit_writer *w, uint32_t planes)
{
    if (planes == 1) {
        efm_bits_write(w, 1, 2);
    } else if (planes > 1) {
        efm_bits_write(w, 1u << 3 | (planes - 2), 6);
    }
}

/* `change` is not zero: the plane exclusive-or the one above. */
static void write_plane(efm_bit_writer *w, uint32_t change, uint32_t plane)
{
    uint32_t first = first_one(change);
    uint32_t rest = change & ~(0x40u >> first);

    if (change == ALL) {
        efm_bits_write(w, ALL_ONES, 5);
    } else if (plane == 0) {
        efm_bits_write(w, PLANE_ZERO, 5);
    } else if (rest == 0) {
        efm_bits_write(w, ONE_ONE << 3 | first, 8);
    } else if (rest == 0x20u >> first) {
        efm_bits_write(w, TWO_ONES << 3 | first, 8);
    } else {
        efm_bits_write(w, 0x80u | change, 8);
    }
}

static void write_block(efm_bit_writer *w, const int32_t *v)
{
    uint32_t above = 0;
    uint32_t zeros = 0;

    efm_bits_write(w, (uint32_t)v[0] & 0xFFu, 8);
    for (uint32_t bit = PLANES; bit-- > 0;) {
        uint32_t plane = plane_of(v, bit);

        if (plane == above) {
            zeros++;
        } else {
            write_zeros(w, zeros);
            write_plane(w, plane ^ above, plane);
            zeros = 0;
        }
        above = plane;
    }
    write_zeros(w, zeros);
}

static void write_zero_flags(const efm_codec_args *args, const int8_t *row, efm_bit_writer *w)
{
    uint32_t values = args->width * args->channels;

    for (uint32_t i = 0; i < values;) {
        uint32_t run = efm_zero_run(args, row, i, LONGEST);

        if (run > 0) {
            efm_bits_write(w, run - 1, 5);
            i += run;
        } else {
            efm_bits_write(w, 1, 1);
            i++;
        }
    }
    efm_bits_align(w);
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    uint32_t values = args->width * args->channels;
    efm_bit_writer w = {code, capacity, 0};
    int32_t v[BLOCK];
    uint32_t n = 0;

    write_zero_flags(args, row, &w);
    for (uint32_t i = 0; i < values; i++) {
        int8_t value = row[efm_planar(args, i)];

        if (value != args->zero_point) {
            v[n++] = value;
        }
        if (n == BLOCK) {
            write_block(&w, v);
            n = 0;
        }
    }
    if (n > 0) {
        while (n < BLOCK) {
            v[n++] = args->zero_point;
        }
        write_block(&w, v);
    }
    *bytes = efm_bits_written(&w);
}

/* Sets each value to 1 where it differs from the zero point, else to 0; returns what is wrong. */
static uint32_t read_zero_flags(const efm_codec_args *args, efm_bit_reader *r, int8_t *row)
{
    uint32_t values = args->width * args->channels;
    uint32_t ran = LONGEST;
    uint32_t bad = 0;

    for (uint32_t i = 0; i < values;) {
        if (efm_bits_read(r, 1)) {
            row[efm_planar(args, i++)] = 1;
            ran = LONGEST;
        } else {
            bad |= ran != LONGEST;
            ran = efm_bits_read(r, 4) + 1;
            bad |= ran > values - i;
            for (uint32_t left = ran; left > 0 && i < values; left--) {
                row[efm_planar(args, i++)] = 0;
            }
        }
    }
    return bad | !efm_bits_skip_padding(r);
}

/* One symbol: planes that repeat the one above, or 0 and the change of the next plane. */
static uint32_t read_symbol(efm_bit_reader *r, uint32_t above, uint32_t *change)
{
    if (efm_bits_read(r, 1)) {
        *change = efm_bits_read(r, 7);
        return 0;
    }
    if (efm_bits_read(r, 1)) {
        return 1;
    }
    if (efm_bits_read(r, 1)) {
        return efm_bits_read(r, 3) + 2;
    }
    switch (efm_bits_read(r, 2)) {
    case ALL_ONES:
        *change = ALL;
        break;
    case PLANE_ZERO:
        *change = above;
        break;
    case TWO_ONES:
        *change = 0x60u >> efm_bits_read(r, 3);
        break;
    default:
        *change = 0x40u >> efm_bits_read(r, 3);
        break;
    }
    return 0;
}

/* Reads one block into v; returns 1 when a symbol is one that no encoder writes. */
static uint32_t read_block(efm_bit_reader *r, int32_t *v)
{
    int32_t delta[BLOCK] = {0};
    uint32_t above = 0;
    uint32_t bad = 0;

    v[0] = efm_int8(efm_bits_read(r, 8));
    for (uint32_t plane = 0; plane < PLANES;) {
        uint32_t change = 0;
        uint32_t repeats = read_symbol(r, above, &change);

        bad |= repeats > PLANES - plane || (repeats == 0 && change == 0);
        above ^= change;
        for (uint32_t n = repeats == 0 ? 1 : repeats; n > 0 && plane < PLANES; n--, plane++) {
            for (uint32_t i = 1; i < BLOCK; i++) {
                int32_t bit = (int32_t)(above >> (BLOCK - 1 - i) & 1u);

                delta[i] = plane == 0 ? -bit : delta[i] * 2 + bit;
            }
        }
    }
    for (uint32_t i = 1; i < BLOCK; i++) {
        v[i] = v[i - 1] + delta[i];
        bad |= v[i] < -128 || v[i] > 127;
    }
    return bad;
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    uint32_t values = args->width * args->channels;
    efm_bit_reader r = {code, bytes, 0};
    int32_t v[BLOCK] = {0};
    uint32_t n = 0;
    uint32_t bad = read_zero_flags(args, &r, row);

    for (uint32_t i = 0; i < values; i++) {
        int8_t *at = row + efm_planar(args, i);

        if (*at == 0) {
            *at = (int8_t)args->zero_point;
            continue;
        }
        if (n % BLOCK == 0) {
            bad |= read_block(&r, v);
        }
        *at = efm_int8((uint32_t)v[n++ % BLOCK] & 0xFFu);
        bad |= *at == args->zero_point;
    }
    while (n % BLOCK != 0) {
        bad |= v[n++ % BLOCK] != args->zero_point;
    }
    return efm_bits_spent(&r) && !bad ? EFM_OK : EFM_BAD_CODEC;
}

const efm_codec_class efm_codec_ebpc = {
    .id = EFM_CODEC_EBPC,
    .check = efm_no_tables,
    .state_bytes = efm_no_state,
    .encode = encode,
    .decode = decode,
    .skip = efm_no_skip,
    .recall = efm_no_skip,
};
