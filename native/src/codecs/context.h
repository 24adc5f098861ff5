/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of `context`: predicts, and codes what the prediction misses, any run of a row's pixels at a
 * time. `temporal` codes runs with it too, some of them against the row of the frame before. */
#ifndef EFM_CONTEXT_H
#define EFM_CONTEXT_H

#include "lossless.h"
#include "range.h"

typedef struct efm_context {
    const efm_codec_args *args;
    const uint8_t *tables;
    uint32_t terms;          /* earlier channels that a prediction uses */
    uint32_t zero_flag;
    int32_t lowest;          /* value left once the zero flag has been read */
    int32_t offset;          /* of every prediction, 1/64 */
    uint16_t *average;       /* [channels] of the error, 1/64 */
    int16_t *surprise;       /* [channels] this pixel's value - prediction from neighbours, 1/64 */
    uint16_t *odds;          /* [CONTEXTS] of a one, 1/65536 */
    uint8_t *error;          /* [channels] of the last pixel, 1/4 */
    int8_t *above;           /* [width][channels], the row before */
    /* For pixels that are coded against the frame before; else null. */
    const int8_t *beside;    /* [width][channels], this row there */
    const int8_t *beside_above;  /* and the one above it */
    int32_t trust;           /* how much of what is missed there is missed here too, 1/64 */
} efm_context;

/* A codec's check, state_bytes and skip for `tables`, which are context's. */
efm_status efm_context_check(const efm_codec_args *args);
uint32_t efm_context_state_bytes(const efm_codec_args *args);
void efm_context_skip(const efm_codec_args *args, const int8_t *row);

/* Begins row args->y. */
void efm_context_begin(efm_context *m, const efm_codec_args *args);

/* Pixels from .. to - 1 of the row, whose earlier ones are there; reading sets *bad where no encoder writes
   what is met. */
void efm_context_write(efm_context *m, coder *k, const int8_t *row, uint32_t from, uint32_t to);
void efm_context_read(efm_context *m, coder *k, int8_t *row, uint32_t from, uint32_t to, uint32_t *bad);

/* How far the neighbours' predictions of those pixels, which are all there, are off together (1/64) at trusts
   of 0, 16, 32, 48 and 64 in `beside`. */
enum { EFM_CONTEXT_TRUSTS = 5, EFM_CONTEXT_TRUST_STEP = 16 };
void efm_context_misfits(const efm_context *m, const int8_t *row, uint32_t from, uint32_t to,
                         uint64_t misfits[EFM_CONTEXT_TRUSTS]);

/* The row is done. */
void efm_context_end(const efm_context *m, const int8_t *row);

#endif
