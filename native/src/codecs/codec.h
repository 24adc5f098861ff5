/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of every codec: an entry in one const table.
 *
 * A map is coded row by row, in order. The executor keeps each coded row's length (2 bytes) in a
 * directory. A row whose code would not be shorter than the row itself is stored as it is, with
 * length == row bytes. So encode() may give up. The executor never calls decode() for such a row,
 * but skip(), which updates the state. When rows change their steps, it calls recall() with the
 * row above in the new steps. */
#ifndef EFM_CODEC_H
#define EFM_CODEC_H

#include <stdint.h>

#include "edgefm_status.h"

typedef struct efm_codec_args {
    uint32_t width;          /* pixels of a row */
    uint32_t channels;       /* values of a pixel; a row is int8 [width][channels] */
    int32_t zero_point;
    const uint8_t *tables;   /* learned, in the container, any alignment */
    uint32_t tables_bytes;
    uint8_t *state;          /* state_bytes(), 8-byte aligned; one per cursor; lives for one map */
    uint32_t y;              /* row number; 0 starts a map (the state holds anything then) */
    const int8_t *reference; /* this row in the previous frame, for codecs that refer to it; null: none */
} efm_codec_args;

typedef struct efm_codec_class {
    uint8_t id;
    /* Refuses tables that encode() or decode() could not use safely. */
    efm_status (*check)(const efm_codec_args *args);
    uint32_t (*state_bytes)(const efm_codec_args *args);
    /* Writes at most `capacity` bytes; *bytes is the code's length, or 0 when it does not fit. */
    void (*encode)(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes);
    /* Reads at most `bytes`; writes a whole row for any code. Returns EFM_BAD_CODEC if the code is not used up exactly
       or holds something that no encoder writes. */
    efm_status (*decode)(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row);
    /* The row was stored as it is (called by encoder and decoder). */
    void (*skip)(const efm_codec_args *args, const int8_t *row);
    /* Use this row as the row above; keep what was learned (called by both sides, y > 0). */
    void (*recall)(const efm_codec_args *args, const int8_t *row);
} efm_codec_class;

/* The codec with this id, or null when it is unknown or switched off. */
const efm_codec_class *efm_codec_find(uint32_t id);

#endif
