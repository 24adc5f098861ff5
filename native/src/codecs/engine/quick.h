/* SPDX-License-Identifier: Apache-2.0 */
/* The quick tables of rice: docs/FORMAT.md. A value is predicted as the mean of two neighbors, and
 * distances have codes without an escape that are read from one window each.
 *
 * Plain tables have a parameter and a center per channel. Others have a class per value, found from
 * the sum of the neighbors and how large distances were around. */
#ifndef EFM_QUICK_H
#define EFM_QUICK_H

#include "lookahead.h"
#include "quick_numbers.h"
#include "quick_plain.h"
#include "static.h"

enum {
    EFM_QUICK = 16,            /* the kind of plain tables; the number of class maps is added */
    EFM_QUICK_GROUP = 1,       /* pixels of a group, 8 to 16 */
    EFM_QUICK_WEIGHT = 2,      /* of a distance in its group's activity, 1/128 */
    EFM_QUICK_SUMS = 10,       /* classes by the binary digits of the neighbors' sum, most first */
    EFM_QUICK_CLASSES = 9 * EFM_QUICK_SUMS
};

static inline int efm_quick_check(const efm_codec_args *args, uint32_t most)
{
    const uint8_t *t = args->tables;
    uint32_t maps = t[EFM_STATIC_KIND] - (uint32_t)EFM_QUICK, group = t[EFM_QUICK_GROUP];
    uint32_t modes = maps == 0 ? args->channels : EFM_QUICK_CLASSES * maps;
    uint32_t rest = maps == 1 ? 0 : args->channels;
    uint32_t wrong = maps == 0 ? group | t[EFM_QUICK_WEIGHT] | t[EFM_STATIC_START]
                               : group < EFM_STATIC_GROUP || group > EFM_NEAR_VALUES || maps > EFM_STATIC_MAPS;

    if (wrong || args->tables_bytes != EFM_STATIC_HEAD + modes + rest) {
        return 0;
    }
    t += EFM_STATIC_HEAD;
    return efm_static_most(t, modes, 1) <= most && (maps == 0 || efm_static_most(t + modes, rest, 1) < maps);
}

/* Distance from half of `sum`, counted to both sides, and upwards only where the other side ends: to 510. */
static inline uint32_t efm_quick_fold(uint32_t value, uint32_t sum)
{
    int32_t e = (int32_t)((sum >> 1) - value);

    return value > sum ? value : (uint32_t)(e * 2) ^ (uint32_t)(e >> 31);
}

/* Above 255 when no value has this distance. */
static inline uint32_t efm_quick_unfold(uint32_t u, uint32_t sum)
{
    return u > sum ? u : (sum >> 1) - ((u >> 1) ^ (0u - (u & 1)));
}

/* The shape of a row's channels, and where in the state each has what. */
typedef struct efm_quick {
    uint32_t stride, width;   /* bytes from one value to the next in a row; values of a channel */
    uint32_t size, weight;    /* pixels of a group but the last; what a distance counts for its activity */
    uint8_t *above;           /* behind the values of this channel, of the row above or the row itself */
    uint8_t *activity;        /* of the next group, as the row above left it */
    const uint8_t *maps, *which;
} efm_quick;

/* How many zeros the sum of two values has in front, and an activity around, at least. */
enum { EFM_QUICK_ZEROS = 23 };

static inline efm_quick efm_quick_open(const efm_codec_args *args)
{
    const uint8_t *t = args->tables;
    uint32_t maps = t[EFM_STATIC_KIND] - (uint32_t)EFM_QUICK;
    efm_quick q;

    q.stride = args->channels;
    q.width = args->width;
    q.size = t[EFM_QUICK_GROUP];
    q.weight = t[EFM_QUICK_WEIGHT];
    q.above = args->state;
    q.activity = args->state + args->width * args->channels;
    q.maps = t + EFM_STATIC_HEAD;
    q.which = maps > 1 ? q.maps + EFM_QUICK_CLASSES * maps : 0;
    if (args->y == 0) {
        efm_static_begin(args, args->state);
    }
    return q;
}

/* Where channel c would have a class for no zeros in front of activity and sum. It may lie in front of the tables, so
   it is not a pointer; a pointer would also take one more addition per value. */
static inline uintptr_t efm_quick_map(const efm_quick *q, uint32_t c)
{
    return (uintptr_t)q->maps + EFM_QUICK_CLASSES * (q->which != 0 ? q->which[c] : 0u)
           - (EFM_QUICK_SUMS + 1) * EFM_QUICK_ZEROS;
}

static inline uint32_t efm_quick_mode(uintptr_t classes, uint32_t sum)
{
    return *(const uint8_t *)(classes + efm_zeros(sum));
}

/* Channels of a row, one after the other; stops at a code that is none. */
static EFM_APART int efm_quick_decode_classes(const efm_quick *q, efm_near *in, uint8_t *row)
{
    efm_near_at n = {in->code, in->at, in};
    uint32_t stride = q->stride;
    uint8_t *above = q->above, *activity = q->activity;

    for (uint32_t c = 0; c < stride; c++) {
        uint32_t west = *above, before = *activity;
        uint8_t *to = row + c;
        uintptr_t map = efm_quick_map(q, c);

        above += q->width;
        for (uint32_t left = q->width; left > 0;) {
            uint32_t around = before + *activity, sum = 0;
            uint32_t count = left < q->size ? left : q->size;
            uintptr_t classes = map + EFM_QUICK_SUMS * efm_zeros(around + 1);
            uint8_t *here = above - left, *stop = here + count;

            left -= count;
            if (!efm_near_on(&n)) {
                return 0;
            }
            do {
                uint32_t both = west + *here, k = efm_quick_mode(classes, both);
                uint32_t window = efm_near_window(n.code, n.at), u;

                if (k < EFM_QUICK_FLAG) {
                    u = efm_quick_read(window, k, &n.at);
                    sum += u;
                    west = efm_quick_unfold(u, both);
                    if (west > 255) {
                        return 0;
                    }
                } else {
                    n.at++;
                    if (window >> 31 != 0) {
                        sum += both & ~1u;
                        west = 0;
                    } else {
                        u = efm_quick_read(window << 1, k - EFM_QUICK_FLAG, &n.at);
                        sum += u;
                        west = efm_quick_unfold(u, both) + 1;
                        if (west > 255) {
                            return 0;
                        }
                    }
                }
                *here = (uint8_t)west;
                *to = (uint8_t)(west ^ 128);
                to += stride;
            } while (++here != stop);
            before = efm_static_learned(around, q->weight, sum);
            *activity++ = (uint8_t)before;
        }
    }
    in->at = n.at;
    return 1;
}

static EFM_APART void efm_quick_encode_classes(const efm_quick *q, efm_bits_out *to, const uint8_t *row)
{
    efm_bits_out out = *to;
    uint32_t stride = q->stride;
    uint8_t *above = q->above, *activity = q->activity;

    for (uint32_t c = 0; c < stride; c++) {
        uint32_t west = *above, before = *activity;
        const uint8_t *from = row + c;
        uintptr_t map = efm_quick_map(q, c);

        above += q->width;
        for (uint32_t left = q->width; left > 0;) {
            uint32_t around = before + *activity, sum = 0;
            uint32_t count = left < q->size ? left : q->size;
            uintptr_t classes = map + EFM_QUICK_SUMS * efm_zeros(around + 1);
            uint8_t *here = above - left, *stop = here + count;

            left -= count;
            do {
                uint32_t both = west + *here, k = efm_quick_mode(classes, both), u;

                west = *from ^ 128u;
                if (k < EFM_QUICK_FLAG) {
                    u = efm_quick_fold(west, both);
                    efm_quick_write(&out, u, k, 0);
                } else if (west == 0) {
                    u = both & ~1u;
                    efm_bits_add(&out, 1, 1);
                } else {
                    u = efm_quick_fold(west - 1, both);
                    efm_quick_write(&out, u, k - EFM_QUICK_FLAG, 1);
                }
                sum += u;
                *here = (uint8_t)west;
                from += stride;
            } while (++here != stop);
            before = efm_static_learned(around, q->weight, sum);
            *activity++ = (uint8_t)before;
        }
    }
    *to = out;
}

static inline void efm_quick_encode(const efm_codec_args *args, const uint8_t *row, efm_bits_out *out)
{
    if (args->tables[EFM_STATIC_KIND] == EFM_QUICK) {
        efm_quick_encode_plain(args, out, row);
    } else {
        efm_quick q = efm_quick_open(args);

        efm_quick_encode_classes(&q, out, row);
    }
}

/* 0 when the code is none. */
static inline int efm_quick_decode(const efm_codec_args *args, efm_near *in, uint8_t *row)
{
    efm_quick q;

    if (args->tables[EFM_STATIC_KIND] == EFM_QUICK) {
        return efm_quick_decode_plain(args, in, row);
    }
    q = efm_quick_open(args);
    return efm_quick_decode_classes(&q, in, row);
}

#endif
