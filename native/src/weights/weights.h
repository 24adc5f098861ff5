/* SPDX-License-Identifier: Apache-2.0 */
/* Coded weights: one stream per tile, decoded into int8 values in the order in which kernels read them.
 *
 * docs/CODECS.md says why, edgefm/codecs/weights is the slow twin and the encoder. Nothing here keeps a state. */
#ifndef EFM_WEIGHTS_H
#define EFM_WEIGHTS_H

#include <stdint.h>

#include "edgefm_status.h"

enum { EFM_WEIGHTS_RAW = 0, EFM_WEIGHTS_HUFFMAN = 1, EFM_WEIGHTS_PACKED = 2 };

enum {
    EFM_WEIGHTS_LONGEST = 10,                         /* bits of a code */
    EFM_WEIGHTS_ENTRIES = 1 << EFM_WEIGHTS_LONGEST,   /* of a table: 2 KiB */
    EFM_WEIGHTS_MOST_BYTES = 1 << 26                  /* of a tile, coded or not */
};

/* Bytes of the record that begins at `record`, of which `most` are there; 0 when they are too few. */
uint32_t efm_weights_record_bytes(const uint8_t *record, uint32_t most);

/* Refuses a record that no encoder writes. */
efm_status efm_weights_check_record(const uint8_t *record, uint32_t bytes);

/* Fills table[EFM_WEIGHTS_ENTRIES] from a record of code lengths; EFM_BAD_CODEC for one that no encoder writes. */
efm_status efm_weights_build_table(const uint8_t *record, uint32_t bytes, uint16_t *table);

/* Refuses a ready table that decoding could not use safely. */
efm_status efm_weights_check_table(const uint16_t *table);

/* Writes `count` values, or at most that number and EFM_BAD_CODEC when the code is not exactly used up or is what no
 * encoder writes; reads at most `bytes`. `table` is a built or checked one; only EFM_WEIGHTS_HUFFMAN reads it.
 * EFM_BAD_FEATURE for a code that this build does not have. */
efm_status efm_weights_decode(uint32_t code, const uint16_t *table, const uint8_t *coded, uint32_t bytes, int8_t *to,
                              uint32_t count);

/* One code each; sizes are within EFM_WEIGHTS_MOST_BYTES. */
efm_status efm_weights_huffman(const uint16_t *table, const uint8_t *coded, uint32_t bytes, int8_t *to, uint32_t count);
efm_status efm_weights_packed(const uint8_t *coded, uint32_t bytes, int8_t *to, uint32_t count);

#endif
