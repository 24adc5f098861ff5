/* SPDX-License-Identifier: Apache-2.0 */
#include "capability.h"

#include <string.h>

#include "edgefm.h"
#include "edgefm_bytes.h"

enum { BOARD_NAME_BYTES = 15, CODEC_IDS = 32, OPERATOR_IDS = 64 };
enum {
    AT_BUILD = 0,
    AT_BOARD = 8,
    AT_FEATURES = 24,
    AT_DECODERS = 28,
    AT_OPERATORS = 32,
    AT_FAST = 40,
    AT_EXTERNAL = 44,
    AT_STORE = 48,
    AT_LARGEST = 52,
    AT_MAJOR = 56,
    AT_MINOR = 58,
    AT_ALIGNMENT = 60,
    AT_UNIT = 64,
    AT_TIMER = 65,
    AT_TICKS = 68,
    AT_RESULTS = 72
};

static void store_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (uint8_t)(v >> (56 - 8 * i));
    }
}

/* Bit `id` for each id below `ids` that this build has. */
static uint64_t known(int (*has)(uint32_t id), uint32_t ids)
{
    uint64_t found = 0;
    for (uint32_t id = 0; id < ids; id++) {
        found |= (uint64_t)(uint32_t)has(id) << id;
    }
    return found;
}

void efm_capability_fill(uint8_t record[EFM_CAPABILITY_BYTES], const efm_board *board, bool timer_works)
{
    bool external = board->external.begin_read != NULL;
    uint32_t decodes = (uint32_t)known(efm_has_codec, CODEC_IDS), length = 0, features = efm_features();
    uint64_t runs = known(efm_has_operator, OPERATOR_IDS);
    if (!external) {
        features &= ~(uint32_t)EFM_FEATURE_EXTERNAL;
        if ((features & EFM_FEATURE_CAPPED) == 0) { /* no page pool either, so that no row is ever stored */
            runs &= ~((uint64_t)1 << EFM_OP_LOAD | (uint64_t)1 << EFM_OP_STORE);
        }
    }
    if (decodes == 1) { /* raw alone */
        features &= ~(uint32_t)(EFM_FEATURE_CODED | EFM_FEATURE_PAIRED);
    }
    memset(record, 0, EFM_CAPABILITY_BYTES);
    store_be64(record + AT_BUILD, EFM_BUILD_ID);
    while (length < BOARD_NAME_BYTES && board->name[length] != 0) {
        length++;
    }
    memcpy(record + AT_BOARD, board->name, length);
    efm_store_le32(record + AT_FEATURES, features);
    efm_store_le32(record + AT_DECODERS, decodes);
    efm_store_le32(record + AT_OPERATORS, (uint32_t)runs);
    efm_store_le32(record + AT_OPERATORS + 4, (uint32_t)(runs >> 32));
    efm_store_le32(record + AT_FAST, board->arena_bytes);
    efm_store_le32(record + AT_EXTERNAL, external ? board->external_bytes : 0);
    efm_store_le16(record + AT_MAJOR, EFM_FORMAT_MAJOR);
    efm_store_le16(record + AT_MINOR, EFM_FORMAT_MINOR);
    efm_store_le16(record + AT_ALIGNMENT, external ? (uint16_t)board->external_alignment : 1);
    record[AT_UNIT] = (uint8_t)board->unit;
    record[AT_TIMER] = timer_works;
    efm_store_le32(record + AT_TICKS, board->ticks_per_second);
    efm_store_le32(record + AT_RESULTS, board->results_bytes);
}

void efm_capability_store(uint8_t record[EFM_CAPABILITY_BYTES], uint32_t bytes, uint32_t largest)
{
    efm_store_le32(record + AT_STORE, bytes);
    efm_store_le32(record + AT_LARGEST, largest);
}
