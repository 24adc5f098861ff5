/* SPDX-License-Identifier: Apache-2.0 */
/* Golomb-Rice codes with a learned parameter, for processors that can spare little: docs/FORMAT.md.
 *
 * Plain tables hold a parameter and a centre per channel; others predict each value, and the class
 * of the prediction has the parameter. */
#include "../bits.h"
#include "lossless.h"
#include "static.h"
#include "stream.h"

enum { PLAIN = 0, PARAMETER = 7, FLAG = 8, LONGEST = 6, ESCAPE_BITS = 9 };

static int check_plain(const efm_codec_args *args, uint32_t most)
{
    const uint8_t *t = args->tables;

    if (args->tables_bytes - EFM_STATIC_HEAD != 2 * args->channels || t[1] != 0 || t[2] != 0
        || t[3] != 0) {
        return 0;
    }
    for (uint32_t c = 0; c < args->channels; c++) {
        if (t[EFM_STATIC_HEAD + 2 * c] > most) {
            return 0;
        }
    }
    return 1;
}

static efm_status check(const efm_codec_args *args)
{
    uint32_t most = args->zero_point == -128 ? PARAMETER | FLAG : PARAMETER;
    int good = args->tables_bytes >= EFM_STATIC_HEAD
               && (args->tables[EFM_STATIC_KIND] == PLAIN ? check_plain(args, most)
                   : args->tables[EFM_STATIC_KIND] <= EFM_STATIC_MAPS
                     && efm_static_check(args, 0, most));

    return good ? EFM_OK : EFM_BAD_CODEC;
}

/* As an offset value, unless *bad, which passes 255 when something was wrong; *distance is for learning. A set
   flag puts one more bit before the steps, which is a one for zero. */
static inline uint32_t read_value(efm_bits_in *in, uint32_t mode, uint32_t prediction,
                                  uint32_t *distance, uint32_t *bad)
{
    uint32_t low = mode >> 3, k = mode & PARAMETER;
    uint32_t zeros = efm_bits_zeros(in);
    uint32_t steps = zeros - low;
    uint32_t u;

    if (steps < LONGEST) {
        u = ((steps - 1) << k) + (in->window << zeros >> (31 - k)); /* with the one */
        efm_bits_drop(in, zeros + 1 + k);
    } else if (zeros < low) {
        efm_bits_drop(in, 1);
        *distance = 2 * prediction;
        return 0;
    } else {
        efm_bits_drop(in, low + LONGEST);
        u = efm_bits_take(in, ESCAPE_BITS);
        *bad |= (u >> k) < LONGEST ? 256 : 0;
    }
    *distance = u;
    u = efm_static_unfold(u, prediction, low);
    *bad |= u;
    return u;
}

static inline void write_value(efm_bits_out *out, uint32_t mode, uint32_t prediction,
                               uint32_t value, uint32_t *distance)
{
    uint32_t low = mode >> 3, k = mode & PARAMETER, u;

    if (low > value) {
        *distance = 2 * prediction;
        efm_bits_add(out, 1, 1);
        return;
    }
    *distance = u = efm_static_fold(value, prediction, low);
    if (u >> k < LONGEST) {
        efm_bits_add(out, (u & ((1u << k) - 1)) | 1u << k, low + (u >> k) + 1 + k);
    } else {
        efm_bits_add(out, u, low + LONGEST + ESCAPE_BITS);
    }
}

static EFM_APART void decode_channel(const efm_static *shared, efm_bits_in *from, uint32_t c, uint8_t *row,
                           uint32_t *bad)
{
    efm_static s = *shared;
    efm_bits_in in = *from;
    uint32_t wrong = 0;
    uint8_t *above = s.above + c * s.width, *activity = s.activity + c * s.groups;
    const uint8_t *end = above + s.width;

    efm_static_channel(&s, c);
    for (uint32_t g = 0; above != end; g++) {
        uint32_t around, sum = 0, distance;
        const uint8_t *classes = efm_static_classes(&s, activity, g, &around);
        const uint8_t *start = above, *stop = efm_static_stop(above, end);

        do {
            uint32_t p = efm_static_predict(&s, *above);

            efm_bits_fill(&in);
            s.west = (uint8_t)read_value(&in, efm_static_class(classes, p), p, &distance, &wrong);
            sum += distance;
            *above++ = (uint8_t)s.west;
            *row = (uint8_t)(s.west ^ 128);
            row += s.stride;
        } while (above != stop);
        efm_static_learn(&s, activity + g, around, (uint32_t)(stop - start), sum);
    }
    *from = in;
    *bad |= wrong;
}

static EFM_APART void encode_channel(const efm_static *shared, efm_bits_out *to, uint32_t c,
                           const int8_t *row)
{
    efm_static s = *shared;
    efm_bits_out out = *to;
    uint8_t *above = s.above + c * s.width, *activity = s.activity + c * s.groups;
    const uint8_t *end = above + s.width;

    efm_static_channel(&s, c);
    for (uint32_t g = 0; above != end; g++) {
        uint32_t around, sum = 0, distance;
        const uint8_t *classes = efm_static_classes(&s, activity, g, &around);
        const uint8_t *start = above, *stop = efm_static_stop(above, end);

        do {
            uint32_t p = efm_static_predict(&s, *above);

            s.west = (uint32_t)(*row + 128);
            write_value(&out, efm_static_class(classes, p), p, s.west, &distance);
            sum += distance;
            *above++ = (uint8_t)s.west;
            row += s.stride;
        } while (above != stop);
        efm_static_learn(&s, activity + g, around, (uint32_t)(stop - start), sum);
    }
    *to = out;
}

static EFM_APART void decode_plain(efm_bits_in *from, const uint8_t *mode, const efm_codec_args *args,
                         uint8_t *row, uint32_t *bad)
{
    efm_bits_in in = *from;
    uint32_t stride = args->channels, first = mode[0], centre = mode[1], wrong = 0, distance;

    for (uint32_t left = args->width; left > 0; left--, row += stride) {
        efm_bits_fill(&in);
        *row = (uint8_t)(read_value(&in, first, centre, &distance, &wrong) ^ 128);
    }
    *from = in;
    *bad |= wrong;
}

static EFM_APART void encode_plain(efm_bits_out *to, const uint8_t *mode, const efm_codec_args *args,
                         const int8_t *row)
{
    efm_bits_out out = *to;
    uint32_t stride = args->channels, first = mode[0], centre = mode[1], distance;

    for (uint32_t left = args->width; left > 0; left--, row += stride) {
        write_value(&out, first, centre, (uint32_t)(*row + 128), &distance);
    }
    *to = out;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity,
                   uint32_t *bytes)
{
    efm_bits_out out = efm_bits_room(code, capacity);

    if (args->tables[EFM_STATIC_KIND] == PLAIN) {
        for (uint32_t c = 0; c < args->channels; c++) {
            encode_plain(&out, args->tables + EFM_STATIC_HEAD + 2 * c, args, row + c);
        }
    } else {
        efm_static s = efm_static_open(args, args->state, 0);

        for (uint32_t c = 0; c < args->channels; c++) {
            encode_channel(&s, &out, c, row + c);
        }
    }
    *bytes = efm_bits_close(&out, code);
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes,
                         int8_t *row)
{
    efm_bits_in in = efm_bits_open(code, bytes);
    uint8_t *to = (uint8_t *)row;
    uint32_t bad = 0;

    if (args->tables[EFM_STATIC_KIND] == PLAIN) {
        for (uint32_t c = 0; c < args->channels; c++) {
            decode_plain(&in, args->tables + EFM_STATIC_HEAD + 2 * c, args, to + c, &bad);
        }
    } else {
        efm_static s = efm_static_open(args, args->state, 0);

        for (uint32_t c = 0; c < args->channels; c++) {
            decode_channel(&s, &in, c, to + c, &bad);
        }
    }
    return bad < 256 && efm_bits_done(&in) ? EFM_OK : EFM_BAD_CODEC;
}

static void skip(const efm_codec_args *args, const int8_t *row)
{
    if (args->tables[EFM_STATIC_KIND] != PLAIN) {
        efm_static_skip(args, args->state, row);
    }
}

const efm_codec_class efm_codec_rice = {
    EFM_CODEC_RICE, check, efm_static_bytes, encode, decode, skip,
};
