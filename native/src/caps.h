/* SPDX-License-Identifier: Apache-2.0 */
/* Hard caps: a token bucket per map, kept by coarser steps. Each row adds `rate` bytes to the map's credit,
 * of which at most `depth` are kept for later rows, so n rows in a row never take more than
 * n * rate + depth bytes, whatever the picture. */
#ifndef EFM_CAPS_H
#define EFM_CAPS_H

#include "cursor.h"

/* Codes row y of a capped map into `code` and pays for it; returns the bytes, header byte included. */
uint32_t efm_cap_encode(const efm_cursor *cursor, efm_codec_args *args, uint32_t y, uint8_t *code);

/* The shift a row of the map begins with at least. */
uint32_t efm_cap_floor(const efm_cap_view *cap, uint32_t y);

#endif
