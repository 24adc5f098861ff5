/* SPDX-License-Identifier: Apache-2.0 */
#include "shift.h"

#include <string.h>

#include "../bits.h"
#include "../format.h"
#include "lossless.h"

/* Values are multiples of 2^shift around the zero point, from low to high of them. */
typedef struct lattice {
    int32_t zero_point;
    uint32_t shift;
    int32_t low, high;
} lattice;

static int32_t floor_shift(int32_t v, uint32_t shift)
{
    return v >= 0 ? v >> shift : -((-v + (1 << shift) - 1) >> shift);
}

static lattice lattice_of(const efm_codec_args *args, uint32_t shift)
{
    lattice l = {args->zero_point, shift, 0, 0};
    l.low = -floor_shift(args->zero_point + 128, shift);
    l.high = floor_shift(127 - args->zero_point, shift);
    return l;
}

static uint32_t values_of(const efm_codec_args *args)
{
    return args->width * args->channels;
}

static void shift_row(const lattice *l, uint32_t values, const int8_t *row, int8_t *to)
{
    int32_t half = l->shift == 0 ? 0 : 1 << (l->shift - 1);
    for (uint32_t i = 0; i < values; i++) {
        int32_t q = floor_shift(row[i] - l->zero_point + half, l->shift);
        q = q < l->low ? l->low : q > l->high ? l->high : q;
        to[i] = (int8_t)(l->zero_point + q);
    }
}

/* Returns 0, or 1 where a value is none that a shift leaves. */
static uint32_t unshift_row(const lattice *l, uint32_t values, int8_t *row)
{
    uint32_t bad = 0;
    for (uint32_t i = 0; i < values; i++) {
        int32_t q = row[i] - l->zero_point;
        bad |= q < l->low || q > l->high;
        q = q < l->low ? l->low : q > l->high ? l->high : q;
        row[i] = (int8_t)(l->zero_point + q * (1 << l->shift));
    }
    return bad;
}

static void pack(const lattice *l, uint32_t values, const int8_t *row, uint8_t *code)
{
    efm_bit_writer w = {code, efm_shift_packed(values, l->shift), 0};
    for (uint32_t i = 0; i < values; i++)
        efm_bits_write(&w, (uint32_t)(row[i] - l->zero_point - l->low), 8 - l->shift);
}

/* Returns what is wrong. */
static uint32_t unpack(const lattice *l, uint32_t values, const uint8_t *code, int8_t *row)
{
    efm_bit_reader r = {code, efm_shift_packed(values, l->shift), 0};
    uint32_t bad = 0;
    for (uint32_t i = 0; i < values; i++) {
        int32_t q = (int32_t)efm_bits_read(&r, 8 - l->shift) + l->low;
        bad |= q > l->high;
        row[i] = (int8_t)(l->zero_point + (q > l->high ? l->high : q));
    }
    return bad | !efm_bits_spent(&r);
}

uint32_t efm_shift_encode(const efm_codec_class *codec, efm_codec_args *args, const int8_t *row, int8_t *spare,
                          uint32_t room, uint32_t fresh, uint8_t *code, uint32_t *shift)
{
    uint32_t values = values_of(args), y = args->y;
    for (;; fresh = EFM_ROW_FRESH, *shift += 1) {
        lattice l = lattice_of(args, *shift);
        uint32_t packed = efm_shift_packed(values, *shift), bytes = 0;
        if (*shift > 0)
            shift_row(&l, values, row, spare);
        const int8_t *shifted = *shift > 0 ? spare : row;
        args->y = fresh ? 0 : y;
        if (packed > 1 && room > 1)
            codec->encode(args, shifted, code + 1, values + EFM_SHIFT_SPARE, &bytes);
        if (bytes >= (packed < room ? packed : room))
            bytes = 0;
        if (bytes == 0 && packed >= room)
            continue;
        code[0] = (uint8_t)(*shift | (bytes > 0 && fresh ? EFM_ROW_FRESH : 0));
        if (bytes > 0)
            return 1 + bytes;
        pack(&l, values, shifted, code + 1);
        codec->skip(args, shifted);
        return 1 + packed;
    }
}

efm_status efm_shift_decode(const efm_codec_class *codec, efm_codec_args *args, const uint8_t *code, uint32_t bytes,
                            int8_t *row)
{
    uint32_t shift = code[0] & EFM_ROW_SHIFT, fresh = code[0] & EFM_ROW_FRESH, values = values_of(args);
    efm_status status = EFM_OK;
    if (shift > EFM_MAX_SHIFT || code[0] > (EFM_ROW_SHIFT | EFM_ROW_FRESH)) {
        memset(row, args->zero_point, values);
        return EFM_BAD_CODEC;
    }
    lattice l = lattice_of(args, shift);
    uint32_t packed = efm_shift_packed(values, shift), bad = 0;
    if (bytes - 1 == packed) {
        bad = fresh | unpack(&l, values, code + 1, row);
        codec->skip(args, row);
    } else if (bytes == 1 || bytes - 1 > packed) {
        memset(row, args->zero_point, values);
        return EFM_BAD_CODEC;
    } else {
        if (fresh)
            args->y = 0;
        status = codec->decode(args, code + 1, bytes - 1, row);
    }
    bad |= unshift_row(&l, values, row);
    return bad ? EFM_BAD_CODEC : status;
}
