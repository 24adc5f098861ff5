/* SPDX-License-Identifier: Apache-2.0 */
/* Coarser steps in front of any codec: a row of a capped map is stored in as many bytes as it may take,
 * whatever is in it. Its first byte says by how many bits its values were shifted towards the zero point;
 * at the last shift nothing is left of them, and that byte is all. */
#ifndef EFM_SHIFT_H
#define EFM_SHIFT_H

#include "codec.h"

/* Bytes at `code` beyond a row and its first byte: a code is as long as it is, not as what it had written
   before it left out the zeros at its end. */
enum { EFM_SHIFT_SPARE = 8 };

/* Bytes of `values` values with 8 - shift bits each, as a row is stored whose code is not shorter. */
static inline uint32_t efm_shift_packed(uint32_t values, uint32_t shift)
{
    return (values * (8 - shift) + 7) / 8;
}

/* Stores a row in 1 .. room bytes at `code`, with the least shift from *shift on that fits. *shift becomes
   the one that was taken. `fresh`: the codec begins as with a map's first row. `spare` has room for a row,
   `code` for a row, the first byte and EFM_SHIFT_SPARE more. */
uint32_t efm_shift_encode(const efm_codec_class *codec, efm_codec_args *args, const int8_t *row, int8_t *spare,
                          uint32_t room, uint32_t fresh, uint8_t *code, uint32_t *shift);

/* The row of `bytes` >= 1 bytes at `code`; writes a whole row whatever they say. EFM_BAD_CODEC when no
   encoder writes them. */
EFM_MUST_CHECK efm_status efm_shift_decode(const efm_codec_class *codec, efm_codec_args *args, const uint8_t *code,
                                           uint32_t bytes, int8_t *row);

#endif
