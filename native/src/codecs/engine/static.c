/* SPDX-License-Identifier: Apache-2.0 */
#define EFM_SHARED_HERE
#include "static.h"

extern inline void efm_static_channel(efm_static *s, uint32_t c);

uint32_t efm_static_most(const uint8_t *bytes, uint32_t count, uint32_t step)
{
    uint32_t most = 0;

    for (; count > 0; count--, bytes += step) {
        most = *bytes > most ? *bytes : most;
    }
    return most;
}

int efm_static_check(const efm_codec_args *args, uint32_t own, uint32_t most)
{
    const uint8_t *t = args->tables;
    uint32_t maps = t[EFM_STATIC_KIND] & 15u, which = maps > 1 ? args->channels : 0;
    uint32_t front = efm_static_front(args);

    if (maps == 0 || maps > EFM_STATIC_MAPS || t[EFM_STATIC_W] + t[EFM_STATIC_N] > 64
        || args->tables_bytes != front + own + which) {
        return 0;
    }
    return efm_static_most(t + EFM_STATIC_HEAD, front - EFM_STATIC_HEAD, 1) <= most
           && efm_static_most(t + front + own, which, 1) < maps;
}

void efm_static_begin(const efm_codec_args *args, uint8_t *state)
{
    uint32_t values = args->channels * args->width;

    memset(state, args->zero_point + 128, values);
    memset(state + values, args->tables[EFM_STATIC_START], efm_static_bytes(args) - values);
}

efm_static efm_static_open(const efm_codec_args *args, uint8_t *state, uint32_t own)
{
    const uint8_t *t = args->tables;
    efm_static s;

    s.maps = s.classes = t + EFM_STATIC_HEAD;
    s.which = (t[EFM_STATIC_KIND] & 15u) > 1 ? t + efm_static_front(args) + own : 0;
    s.tap_w = t[EFM_STATIC_W];
    s.tap_n = t[EFM_STATIC_N];
    s.offset = (uint32_t)(args->zero_point + 128) * (64u - s.tap_w - s.tap_n) + 32u;
    s.width = args->width;
    s.stride = args->channels;
    s.groups = efm_static_groups(args);
    s.above = state;
    s.activity = state + args->channels * args->width;
    s.west = s.before = 0;
    if (args->y == 0) {
        efm_static_begin(args, state);
    }
    return s;
}

void efm_static_recall(const efm_codec_args *args, uint8_t *state, const int8_t *row)
{
    uint8_t *above = state;

    for (uint32_t c = 0; c < args->channels; c++) {
        for (uint32_t x = 0; x < args->width; x++) {
            *above++ = (uint8_t)(row[x * args->channels + c] + 128);
        }
    }
}

void efm_static_skip(const efm_codec_args *args, uint8_t *state, const int8_t *row)
{
    efm_static_begin(args, state);
    efm_static_recall(args, state, row);
}
