/* SPDX-License-Identifier: Apache-2.0 */
/* What rice and tans share: prediction from two neighbors, and a class of what it will miss.
 *
 * A row is coded channel by channel, eight pixels (a group) at a time. Inside, values count from 0:
 * offset value = value + 128. The state holds, for every channel, the row above and one activity
 * per group of it. */
#ifndef EFM_STATIC_H
#define EFM_STATIC_H

#include <string.h>

#include "../../bits.h"
#include "../shared.h"
#include "lookahead.h"

/* The front of both codecs' tables; the classes follow. */
enum {
    EFM_STATIC_KIND = 0,   /* how many class maps there are; the high half is the codec's own */
    EFM_STATIC_W = 1,      /* taps of W and N, 1/64; together at most 64 */
    EFM_STATIC_N = 2,
    EFM_STATIC_START = 3,  /* activity before the first row and after a row stored as it is */
    EFM_STATIC_HEAD = 4,
    EFM_STATIC_HEIGHTS = 9,
    EFM_STATIC_CLASSES = 9 * EFM_STATIC_HEIGHTS,
    EFM_STATIC_MAPS = 8,   /* at most */
    EFM_STATIC_GROUP = 8
};

/* One channel of a row, from its first group to its last. */
typedef struct efm_static {
    const uint8_t *classes;   /* this channel's map */
    const uint8_t *maps;
    const uint8_t *which;     /* [channels] map of each channel; null: there is one */
    uint32_t tap_w, tap_n, offset;
    uint32_t width, stride;   /* values of a channel; bytes from one to the next in a row */
    uint32_t groups;
    uint8_t *above;           /* [width] this channel, the row above; behind x the row itself */
    uint8_t *activity;        /* [groups] likewise */
    uint32_t west;            /* offset value of the pixel before */
    uint32_t before;          /* activity of the group before */
} efm_static;

static inline uint32_t efm_static_groups(const efm_codec_args *args)
{
    return (args->width + EFM_STATIC_GROUP - 1) / EFM_STATIC_GROUP;
}

static inline uint32_t efm_static_bytes(const efm_codec_args *args)
{
    return args->channels * (args->width + efm_static_groups(args));
}

/* Bytes of the tables from the head to the last class. */
static inline uint32_t efm_static_front(const efm_codec_args *args)
{
    return EFM_STATIC_HEAD + EFM_STATIC_CLASSES * (args->tables[EFM_STATIC_KIND] & 15u);
}

/* The largest of `count` bytes, `step` apart; 0 of none. */
uint32_t efm_static_most(const uint8_t *bytes, uint32_t count, uint32_t step);

/* Tables with `own` bytes of the codec's behind the classes, then the channels' maps; taps that keep
   every prediction between its neighbors; no class above `most`. */
int efm_static_check(const efm_codec_args *args, uint32_t own, uint32_t most);

/* Before row 0, and what a row stored as it is leaves behind. */
void efm_static_begin(const efm_codec_args *args, uint8_t *state);

/* `state` has efm_static_bytes(); `own` as in efm_static_check(). */
efm_static efm_static_open(const efm_codec_args *args, uint8_t *state, uint32_t own);

/* As a codec's recall and skip. */
void efm_static_recall(const efm_codec_args *args, uint8_t *state, const int8_t *row);
void efm_static_skip(const efm_codec_args *args, uint8_t *state, const int8_t *row);

/* Begins channel c: its map, and what lies before its first pixel and group. */
EFM_SHARED void efm_static_channel(efm_static *s, uint32_t c)
{
    if (s->which != 0) {
        s->classes = s->maps + EFM_STATIC_CLASSES * s->which[c];
    }
    s->west = s->above[c * s->width];
    s->before = s->activity[c * s->groups];
}

/* Where the group that begins at `above` ends. */
static inline const uint8_t *efm_static_stop(const uint8_t *above, const uint8_t *end)
{
    return end - above < EFM_STATIC_GROUP ? end : above + EFM_STATIC_GROUP;
}

/* Classes of group g of a channel by the height of the prediction; *around is for efm_static_learn. */
static inline const uint8_t *efm_static_classes(const efm_static *s, const uint8_t *activity, uint32_t g,
                                                uint32_t *around)
{
    *around = s->before + activity[g + (g + 1 < s->groups)];
    return s->classes + EFM_STATIC_HEIGHTS * efm_log2(*around + 1);
}

static inline uint32_t efm_static_predict(const efm_static *s, uint32_t north)
{
    return (s->tap_w * s->west + s->tap_n * north + s->offset) >> 6;
}

/* The class of a prediction; a byte whose meaning is the codec's. */
static inline uint32_t efm_static_class(const uint8_t *classes, uint32_t prediction)
{
    return classes[efm_log2(prediction + 1)];
}

/* Which distance `u` an offset value has, counted from the prediction to both sides, and upwards
   only where the other side ends at `low`, 0 or 1. */
static inline uint32_t efm_static_fold(uint32_t value, uint32_t prediction, uint32_t low)
{
    int32_t room = (int32_t)(prediction - low); /* -1: nothing below, as with 0 */
    int32_t e = (int32_t)(value - prediction);

    return e > room ? value - low : (uint32_t)(e * 2) ^ (uint32_t)(e >> 31);
}

static inline uint32_t efm_static_unfold(uint32_t u, uint32_t prediction, uint32_t low)
{
    int32_t room = (int32_t)(prediction - low);

    return (int32_t)u > 2 * room ? u + low : prediction + ((u >> 1) ^ (0u - (u & 1)));
}

/* What a distance counts in a group of `count`, 128ths. */
static inline uint32_t efm_static_weight(uint32_t count)
{
    static const uint8_t weight[EFM_STATIC_GROUP] = {64, 32, 21, 16, 13, 11, 9, 8};

    return weight[count - 1];
}

/* A group's new activity: a quarter of `around` and half its mean distance. */
static inline uint32_t efm_static_learned(uint32_t around, uint32_t weight, uint32_t sum)
{
    uint32_t a = (32 * around + weight * sum) >> 7;

    return a < 255 ? a : 255;
}

static inline void efm_static_learn(efm_static *s, uint8_t *activity, uint32_t around, uint32_t count, uint32_t sum)
{
    s->before = efm_static_learned(around, efm_static_weight(count), sum);
    *activity = (uint8_t)s->before;
}

/* What a codec does with a value of a known class and prediction: writes *value, or reads it, above 255 when there is
   none. Its distance for learning. */
typedef uint32_t (*efm_static_coder)(void *with, uint32_t mode, uint32_t prediction, uint32_t *value);

/* Before a group; 0 when it cannot be read. */
typedef int (*efm_static_ready)(void *with);

/* Codes channel c of a row through `coder`. With `ready` it decodes into the row; without, it encodes the row and leaves
   it as it is. Both are known where this is called. 0 when there was something that cannot be read. */
static EFM_WITHIN int efm_static_code(const efm_static *shared, uint32_t c, uint8_t *row, efm_static_coder coder,
                                      efm_static_ready ready, void *with)
{
    efm_static s = *shared;
    uint8_t *above = s.above + c * s.width, *activity = s.activity + c * s.groups;
    const uint8_t *end = above + s.width;

    efm_static_channel(&s, c);
    row += c;
    for (uint32_t g = 0; above != end; g++) {
        uint32_t around, sum = 0;
        const uint8_t *classes = efm_static_classes(&s, activity, g, &around);
        const uint8_t *start = above, *stop = efm_static_stop(above, end);

        if (ready != 0 && !ready(with)) {
            return 0;
        }
        do {
            uint32_t p = efm_static_predict(&s, *above);

            s.west = *row ^ 128u;
            sum += coder(with, efm_static_class(classes, p), p, &s.west);
            if (ready != 0 && s.west > 255) {
                return 0;
            }
            *above++ = (uint8_t)s.west;
            if (ready != 0) {
                *row = (uint8_t)(s.west ^ 128);
            }
            row += s.stride;
        } while (above != stop);
        efm_static_learn(&s, activity + g, around, (uint32_t)(stop - start), sum);
    }
    return 1;
}

#endif
