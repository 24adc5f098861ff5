/* SPDX-License-Identifier: Apache-2.0 */
/* Coarser steps in front of any codec: a row of a capped map is stored in as many bytes as it may take,
 * whatever is in it. Its first byte says by how many bits its values were shifted towards the zero point;
 * at the last shift nothing is left of them, and that byte is all. */
#ifndef EFM_SHIFT_H
#define EFM_SHIFT_H

#include "codec.h"
#include "tiles.h"

/* Bytes at `code` beyond a row and its first byte: a code is as long as it is, not as what it had written
   before it left out the zeros at its end. */
enum { EFM_SHIFT_SPARE = 8 };

/* One side of a capped map at one row. */
typedef struct efm_shift {
    const efm_codec_class *codec;
    efm_codec_args *args;
    efm_quality_tiles tiles;
    int8_t *other;          /* room for a row; between rows, where there are tiles, the row above */
    uint32_t signal_bytes;  /* behind the first byte: what tells the tiles' offsets */
} efm_shift;

/* Bytes of the first byte and the signal behind it; the last shift has none. */
uint32_t efm_shift_head(const efm_shift *s, uint32_t shift);

/* Stores a row in 1 .. room bytes at `code`, with the least shift from *shift on that fits. *shift becomes
   the one that was taken. `fresh`: the codec begins as with a map's first row. `code` has room for a row,
   the first byte and EFM_SHIFT_SPARE more; its signal is there already. */
uint32_t efm_shift_encode(const efm_shift *s, const int8_t *row, uint32_t room, uint32_t fresh, uint8_t *code,
                          uint32_t *shift);

/* The row of `bytes` >= 1 bytes at `code`; writes a whole row whatever they say. EFM_BAD_CODEC when no
   encoder writes them. */
EFM_MUST_CHECK efm_status efm_shift_decode(const efm_shift *s, const uint8_t *code, uint32_t bytes, int8_t *row);

#endif
