/* SPDX-License-Identifier: Apache-2.0 */
/* Which code a tile has, and what all codes have in common. */
#include <string.h>

#include "../config.h"
#include "weights.h"

efm_status efm_weights_decode(uint32_t code, const uint16_t *table, const uint8_t *coded, uint32_t bytes, int8_t *to,
                              uint32_t count)
{
    if (count > EFM_WEIGHTS_MOST_BYTES || bytes > EFM_WEIGHTS_MOST_BYTES) {
        return EFM_BAD_CODEC;
    }
    switch (code) {
    case EFM_WEIGHTS_RAW:
        if (bytes != count) {
            return EFM_BAD_CODEC;
        }
        memcpy(to, coded, count);
        return EFM_OK;
#if EFM_WITH_WEIGHT_CODES
    case EFM_WEIGHTS_HUFFMAN:
        return efm_weights_huffman(table, coded, bytes, to, count);
    case EFM_WEIGHTS_PACKED:
        return efm_weights_packed(coded, bytes, to, count);
#endif
    default:
        (void)table;
        return EFM_BAD_FEATURE;
    }
}
