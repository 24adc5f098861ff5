/* SPDX-License-Identifier: Apache-2.0 */
/* Quick tables that are plain: one parameter and center per channel: docs/FORMAT.md. */
#ifndef EFM_QUICK_PLAIN_H
#define EFM_QUICK_PLAIN_H

#include "lookahead.h"
#include "quick_numbers.h"
#include "static.h"

/* How many of `left` values may be read; 0 when bits were taken that the code does not have. */
static inline uint32_t efm_quick_part(efm_near_at *n, uint32_t left)
{
    if ((int32_t)n->at <= n->in->whole) {
        return left;
    }
    return !efm_near_on(n) ? 0 : left < EFM_NEAR_VALUES ? left : EFM_NEAR_VALUES;
}

/* Channels from c on as long as their zeros have no bit of their own; the next channel, or 0 when the code is used up.
   Short codes stand for the 2^k values nearest to the center, lowest first. A window has room for a short code and any
   other behind it. */
static EFM_APART uint32_t efm_quick_decode_around(const efm_codec_args *args, efm_near *in, uint8_t *row, uint32_t c)
{
    const uint8_t *modes = args->tables + EFM_STATIC_HEAD;
    uint32_t stride = args->channels, width = args->width;
    efm_near_at n = {in->code, in->at, in};

    do {
        uint32_t k = modes[c], center = modes[c + stride] ^ 128u;
        uint32_t base = center - (3u << k >> 1), stop = 1u << (23 + k);
        uint8_t *to = row + c;

        for (uint32_t left = width, count; left > 0; left -= count) {
            const uint8_t *end;

            count = efm_quick_part(&n, left);
            if (count == 0) {
                return 0;
            }
            end = to + count * stride;
            do {
                uint32_t window = efm_near_window(n.code, n.at);

                if (window >> 31 != 0) {
                    *to = (uint8_t)(base + (window >> (31 - k)));
                    to += stride;
                    n.at += k + 1;
                    window <<= k + 1;
                    if (to == end) {
                        break;
                    }
                }
                if (window >> 31 != 0) {
                    *to = (uint8_t)(base + (window >> (31 - k)));
                    n.at += k + 1;
                } else {
                    uint32_t u = efm_quick_long(window, k, stop, &n.at);

                    *to = (uint8_t)(center + ((u >> 1) ^ (0u - (u & 1))));
                }
                to += stride;
            } while (to != end);
        }
        c++;
    } while (c < stride && modes[c] < EFM_QUICK_FLAG);
    in->at = n.at;
    return c;
}

/* Likewise, as long as they have one. */
static EFM_APART uint32_t efm_quick_decode_above(const efm_codec_args *args, efm_near *in, uint8_t *row, uint32_t c)
{
    const uint8_t *modes = args->tables + EFM_STATIC_HEAD;
    uint32_t stride = args->channels, width = args->width;
    efm_near_at n = {in->code, in->at, in};

    do {
        uint32_t k = modes[c] - (uint32_t)EFM_QUICK_FLAG, base = 129 - (1u << k), stop = 1u << (23 + k);
        uint8_t *to = row + c;

        for (uint32_t left = width, count; left > 0; left -= count) {
            const uint8_t *end;

            count = efm_quick_part(&n, left);
            if (count == 0) {
                return 0;
            }
            end = to + count * stride;
            do {
                uint32_t window = efm_near_window(n.code, n.at);

                n.at++;
                if (window >> 31 != 0) {
                    *to = 128;
                    to += stride;
                    if (to == end) {
                        break;
                    }
                    n.at++;
                    window <<= 1;
                }
                if (window >> 31 != 0) {
                    *to = 128;
                } else if (window >> 30 != 0) {
                    *to = (uint8_t)(base + (window >> (30 - k)));
                    n.at += k + 1;
                } else {
                    *to = (uint8_t)(129 + efm_quick_long(window << 1, k, stop, &n.at));
                }
                to += stride;
            } while (to != end);
        }
        c++;
    } while (c < stride && modes[c] >= EFM_QUICK_FLAG);
    in->at = n.at;
    return c;
}

static inline int efm_quick_decode_plain(const efm_codec_args *args, efm_near *in, uint8_t *row)
{
    uint32_t c = 0;

    do {
        c = args->tables[EFM_STATIC_HEAD + c] < EFM_QUICK_FLAG ? efm_quick_decode_around(args, in, row, c)
                                                               : efm_quick_decode_above(args, in, row, c);
    } while (c != 0 && c < args->channels);
    return c != 0;
}

static inline void efm_quick_encode_around(efm_bits_out *out, uint32_t k, uint32_t center, const uint8_t *row,
                                           uint32_t width, uint32_t stride)
{
    uint32_t half = 1u << k >> 1, first = center - half;

    for (; width > 0; width--, row += stride) {
        uint32_t v = (uint8_t)(*row - first);

        if (v >> k == 0) {
            efm_bits_add(out, v | 1u << k, k + 1);
        } else {
            int32_t e = efm_int8((v - half) & 255u);
            uint32_t u = (uint32_t)(e * 2) ^ (uint32_t)(e >> 31);

            efm_bits_add(out, u, 2 - k + 2 * efm_log2(u));
        }
    }
}

static inline void efm_quick_encode_above(efm_bits_out *out, uint32_t k, const uint8_t *row, uint32_t width,
                                          uint32_t stride)
{
    for (; width > 0; width--, row += stride) {
        uint32_t u = (uint8_t)(*row - 129);

        if (u == 255) {
            efm_bits_add(out, 1, 1);
        } else {
            efm_quick_write(out, u, k, 1);
        }
    }
}

static EFM_APART void efm_quick_encode_plain(const efm_codec_args *args, efm_bits_out *to, const uint8_t *row)
{
    const uint8_t *mode = args->tables + EFM_STATIC_HEAD;
    uint32_t channels = args->channels, width = args->width;
    efm_bits_out out = *to;

    for (uint32_t c = 0; c < channels; c++, mode++, row++) {
        if (*mode < EFM_QUICK_FLAG) {
            efm_quick_encode_around(&out, *mode, mode[channels] ^ 128u, row, width, channels);
        } else {
            efm_quick_encode_above(&out, *mode - EFM_QUICK_FLAG, row, width, channels);
        }
    }
    *to = out;
}

#endif
