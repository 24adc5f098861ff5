/* SPDX-License-Identifier: Apache-2.0 */
/* Golomb-Rice codes with a learned parameter, for processors that can spare little: docs/FORMAT.md.
 *
 * Plain tables hold a parameter and a center per channel; others predict each value, and the class
 * of the prediction has the parameter. */
#include "../bits.h"
#include "shared.h"
#include "engine/lookahead.h"
#include "engine/quick.h"
#include "engine/static.h"
#include "engine/stream.h"

enum { PLAIN = 0, PARAMETER = 7, FLAG = 8, LONGEST = 6, ESCAPE_BITS = 9, NO_DISTANCE = 1024 };

static int check_plain(const efm_codec_args *args, uint32_t most)
{
    const uint8_t *t = args->tables;

    return args->tables_bytes - EFM_STATIC_HEAD == 2 * args->channels && (t[1] | t[2] | t[3]) == 0
           && efm_static_most(t + EFM_STATIC_HEAD, args->channels, 2) <= most;
}

static efm_status check(const efm_codec_args *args)
{
    uint32_t most = args->zero_point == -128 ? PARAMETER | FLAG : PARAMETER;
    uint32_t kind = args->tables_bytes >= EFM_STATIC_HEAD ? args->tables[EFM_STATIC_KIND] : EFM_QUICK - 1u;
    int good = kind == PLAIN      ? check_plain(args, most)
               : kind < EFM_QUICK ? kind <= EFM_STATIC_MAPS && efm_static_check(args, 0, most)
                                  : efm_quick_check(args, most);

    return good ? EFM_OK : EFM_BAD_CODEC;
}

/* A set flag puts one more bit before the steps, which is a one for zero. */
static inline uint32_t read_value(void *with, uint32_t mode, uint32_t prediction, uint32_t *value)
{
    efm_near_at *r = with;
    uint32_t low = mode >> 3, k = mode & PARAMETER, window = efm_near_window(r->code, r->at);
    uint32_t zeros = efm_zeros(window | 1);
    uint32_t steps = zeros - low;
    uint32_t u;

    if (steps < LONGEST) {
        u = ((steps - 1) << k) + (window << zeros >> (31 - k)); /* with the one */
        r->at += zeros + 1 + k;
    } else if (zeros < low) {
        r->at += 1;
        *value = 0;
        return 2 * prediction;
    } else {
        u = window << (low + LONGEST) >> (32 - ESCAPE_BITS);
        r->at += low + LONGEST + ESCAPE_BITS;
        u = u >> k < LONGEST ? NO_DISTANCE : u;
    }
    *value = efm_static_unfold(u, prediction, low);
    return u;
}

static inline uint32_t write_value(void *with, uint32_t mode, uint32_t prediction, uint32_t *value)
{
    uint32_t low = mode >> 3, k = mode & PARAMETER, u;
    efm_bits_out *out = with;

    if (low > *value) {
        efm_bits_add(out, 1, 1);
        return 2 * prediction;
    }
    u = efm_static_fold(*value, prediction, low);
    if (u >> k < LONGEST) {
        efm_bits_add(out, (u & ((1u << k) - 1)) | 1u << k, low + (u >> k) + 1 + k);
    } else {
        efm_bits_add(out, u, low + LONGEST + ESCAPE_BITS);
    }
    return u;
}

static EFM_APART int decode_channel(const efm_static *s, efm_near *in, uint32_t c, uint8_t *row)
{
    efm_near_at r = {in->code, in->at, in};
    int good = efm_static_code(s, c, row, read_value, efm_near_on, &r);

    in->at = r.at;
    return good;
}

static EFM_APART void encode_channel(const efm_static *s, efm_bits_out *to, uint32_t c, const int8_t *row)
{
    efm_bits_out out = *to;

    (void)efm_static_code(s, c, (uint8_t *)(uintptr_t)row, write_value, 0, &out);
    *to = out;
}

static EFM_APART int decode_plain(const efm_codec_args *args, efm_near *in, uint8_t *row)
{
    const uint8_t *mode = args->tables + EFM_STATIC_HEAD;
    uint32_t stride = args->channels, value;
    efm_near_at r = {in->code, in->at, in};

    for (uint32_t c = 0; c < stride; c++, mode += 2) {
        uint32_t first = mode[0], center = mode[1];
        uint8_t *to = row + c;

        for (uint32_t left = args->width; left > 0; left--, to += stride) {
            if (!efm_near_on(&r)) {
                return 0;
            }
            (void)read_value(&r, first, center, &value);
            if (value > 255) {
                return 0;
            }
            *to = (uint8_t)(value ^ 128);
        }
    }
    in->at = r.at;
    return 1;
}

static EFM_APART void encode_plain(const efm_codec_args *args, efm_bits_out *to, const int8_t *row)
{
    const uint8_t *mode = args->tables + EFM_STATIC_HEAD;
    efm_bits_out out = *to;
    uint32_t stride = args->channels;

    for (uint32_t c = 0; c < stride; c++, mode += 2) {
        uint32_t first = mode[0], center = mode[1];
        const int8_t *from = row + c;

        for (uint32_t left = args->width; left > 0; left--, from += stride) {
            uint32_t value = (uint32_t)(*from + 128);

            (void)write_value(&out, first, center, &value);
        }
    }
    *to = out;
}

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    efm_bits_out out = efm_bits_room(code, capacity);

    if (args->tables[EFM_STATIC_KIND] >= EFM_QUICK) {
        efm_quick_encode(args, (const uint8_t *)row, &out);
    } else if (args->tables[EFM_STATIC_KIND] == PLAIN) {
        encode_plain(args, &out, row);
    } else {
        efm_static s = efm_static_open(args, args->state, 0);

        for (uint32_t c = 0; c < args->channels; c++) {
            encode_channel(&s, &out, c, row);
        }
    }
    *bytes = efm_bits_close(&out, code);
}

/* A row whose code is none gets zeros. */
static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    uint32_t kind = args->tables[EFM_STATIC_KIND];
    int good = 1;
    uint8_t *to = (uint8_t *)row;
    efm_near in;

    efm_near_open(&in, code, bytes, args->width);
    if (kind >= EFM_QUICK) {
        good = efm_quick_decode(args, &in, to);
    } else if (kind == PLAIN) {
        good = decode_plain(args, &in, to);
    } else {
        efm_static s = efm_static_open(args, args->state, 0);

        for (uint32_t c = 0; good && c < args->channels; c++) {
            good = decode_channel(&s, &in, c, to);
        }
    }
    if (!good || !efm_near_done(&in)) {
        memset(row, 0, args->width * args->channels);
        return EFM_BAD_CODEC;
    }
    return EFM_OK;
}

static void skip(const efm_codec_args *args, const int8_t *row)
{
    if (args->tables[EFM_STATIC_KIND] % EFM_QUICK != PLAIN) {
        efm_static_skip(args, args->state, row);
    }
}

static void recall(const efm_codec_args *args, const int8_t *row)
{
    if (args->tables[EFM_STATIC_KIND] % EFM_QUICK != PLAIN) {
        efm_static_recall(args, args->state, row);
    }
}

const efm_codec_class efm_codec_rice = {
    .id = EFM_CODEC_RICE,
    .check = check,
    .state_bytes = efm_static_bytes,
    .encode = encode,
    .decode = decode,
    .skip = skip,
    .recall = recall,
};
