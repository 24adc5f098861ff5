/* SPDX-License-Identifier: Apache-2.0 */
/* What the codecs share: their ids, their classes, and runs of zeros. */
#ifndef EFM_LOSSLESS_H
#define EFM_LOSSLESS_H

#include "codec.h"

/* A function whose frame and registers are its own, and one that has none. */
#if defined(__GNUC__)
#define EFM_APART __attribute__((noinline))
#define EFM_WITHIN inline __attribute__((always_inline))
#else
#define EFM_APART
#define EFM_WITHIN inline
#endif

/* Ids of docs/FORMAT.md; never renumbered. Raw rows have no code, so raw has no class. */
enum {
    EFM_CODEC_RAW = 0,
    EFM_CODEC_RLE = 1,
    EFM_CODEC_ZVC = 2,
    EFM_CODEC_EBPC = 3,
    EFM_CODEC_CONTEXT = 4,
    EFM_CODEC_RICE = 5,
    EFM_CODEC_TANS = 6,
    EFM_CODEC_DCTCM = 7,
    EFM_CODEC_GF2 = 8,
    EFM_CODEC_TEMPORAL = 9,
    EFM_CODEC_MIX = 10,
};

extern const efm_codec_class efm_codec_rle, efm_codec_zvc, efm_codec_ebpc, efm_codec_context;
extern const efm_codec_class efm_codec_rice, efm_codec_tans, efm_codec_dctcm, efm_codec_gf2, efm_codec_temporal;
extern const efm_codec_class efm_codec_mix;

static inline int8_t efm_int8(uint32_t byte)
{
    return (int8_t)((int32_t)(byte ^ 0x80u) - 128);
}

/* Where in the row the i-th value is when a row is read channel by channel. */
static inline uint32_t efm_planar(const efm_codec_args *args, uint32_t i)
{
    return i % args->width * args->channels + i / args->width;
}

/* Zero points from the i-th value on, channel by channel; at most `longest`. */
uint32_t efm_zero_run(const efm_codec_args *args, const int8_t *row, uint32_t i, uint32_t longest);

/* check, state_bytes, skip and recall of a codec that has neither tables nor state. */
efm_status efm_no_tables(const efm_codec_args *args);
uint32_t efm_no_state(const efm_codec_args *args);
void efm_no_skip(const efm_codec_args *args, const int8_t *row);

#endif
