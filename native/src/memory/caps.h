/* SPDX-License-Identifier: Apache-2.0 */
/* Hard caps: a token bucket per map, kept by coarser steps. Each row adds `rate` bytes to the map's credit,
 * of which at most `depth` are kept for later rows, so n rows in a row never take more than
 * n * rate + depth bytes, whatever the picture. */
#ifndef EFM_CAPS_H
#define EFM_CAPS_H

#include "cursor.h"

/* Codes row y of a capped map into `code` and pays for it; returns the bytes, header byte included. */
uint32_t efm_cap_encode(const efm_cursor *cursor, efm_codec_args *args, uint32_t y, uint8_t *code);

/* The row of `bytes` >= 1 bytes at `code`; writes a whole row whatever they say. */
EFM_MUST_CHECK efm_status efm_cap_decode(const efm_cursor *cursor, efm_codec_args *args, const uint8_t *code,
                                         uint32_t bytes, int8_t *row);

/* Bytes behind the codec's state of a cursor: a row, and the offset of each of its tiles. */
uint32_t efm_cap_scratch(const efm_cap_view *cap, const efm_codec_args *args, int writes);

#endif
