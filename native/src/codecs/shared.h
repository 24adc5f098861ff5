/* SPDX-License-Identifier: Apache-2.0 */
/* What the codecs share: functions with and without a frame of their own, and runs of zeros. */
#ifndef EFM_CODECS_SHARED_H
#define EFM_CODECS_SHARED_H

#include "../config.h"
#include "codec.h"
#include "list.h"

/* A function whose frame and registers are its own, and one that has none. */
#if defined(__GNUC__)
#define EFM_APART  __attribute__((noinline))
#define EFM_WITHIN inline __attribute__((always_inline))
#else
#define EFM_APART
#define EFM_WITHIN inline
#endif

EFM_SHARED_INLINE int8_t efm_int8(uint32_t byte)
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
