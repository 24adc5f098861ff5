/* SPDX-License-Identifier: Apache-2.0 */
#include "capability.h"

#include <string.h>

#include "edgefm.h"
#include "edgefm_bytes.h"

enum { BOARD_NAME_BYTES = 15, KERNELS_BYTES = 8, TARGET_BYTES = 16, CODEC_IDS = 32, OPERATOR_IDS = 64 };
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
    AT_RESULTS = 72,
    AT_PACKINGS = 76,
    AT_KERNELS = 80,
    AT_TARGET = 88
};

static void store_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (uint8_t)(v >> (56 - 8 * i));
    }
}

/* Sets bit `id` for each id below `ids` that this build has. */
static void mark(uint8_t *bits, int (*has)(uint32_t id), uint32_t ids)
{
    for (uint32_t id = 0; id < ids; id++) {
        bits[id / 8] |= (uint8_t)(has(id) << id % 8);
    }
}

static void put_text(uint8_t *field, const char *text, uint32_t most)
{
    for (uint32_t i = 0; text != NULL && i < most && text[i] != 0; i++) {
        field[i] = (uint8_t)text[i];
    }
}

void efm_capability_fill(uint8_t record[EFM_CAPABILITY_BYTES], const efm_board *board, bool timer_works)
{
    bool external = board->external.begin_read != NULL;
    uint32_t features = efm_features();
    memset(record, 0, EFM_CAPABILITY_BYTES);
    mark(record + AT_DECODERS, efm_has_codec, CODEC_IDS);
    mark(record + AT_OPERATORS, efm_has_operator, OPERATOR_IDS);
    if (!external) {
        features &= ~(uint32_t)EFM_FEATURE_EXTERNAL;
        if ((features & EFM_FEATURE_CAPPED) == 0) { /* no page pool either, so that no row is ever stored */
            record[AT_OPERATORS] &= (uint8_t)~(1u << EFM_OP_LOAD | 1u << EFM_OP_STORE);
        }
    }
    if (efm_load_le32(record + AT_DECODERS) == 1) { /* raw alone */
        features &= ~(uint32_t)(EFM_FEATURE_CODED | EFM_FEATURE_PAIRED);
    }
    store_be64(record + AT_BUILD, EFM_BUILD_ID);
    put_text(record + AT_BOARD, board->name, BOARD_NAME_BYTES);
    efm_store_le32(record + AT_FEATURES, features);
    efm_store_le32(record + AT_FAST, board->arena_bytes);
    efm_store_le32(record + AT_EXTERNAL, external ? board->external_bytes : 0);
    efm_store_le16(record + AT_MAJOR, EFM_FORMAT_MAJOR);
    efm_store_le16(record + AT_MINOR, EFM_FORMAT_MINOR);
    efm_store_le16(record + AT_ALIGNMENT, external ? (uint16_t)board->external_alignment : 1);
    record[AT_UNIT] = (uint8_t)board->unit;
    record[AT_TIMER] = timer_works;
    efm_store_le32(record + AT_TICKS, board->ticks_per_second);
    efm_store_le32(record + AT_RESULTS, board->results_bytes);
    efm_store_le32(record + AT_PACKINGS, efm_packings());
    put_text(record + AT_KERNELS, efm_kernels(), KERNELS_BYTES);
    put_text(record + AT_TARGET, board->target, TARGET_BYTES);
}

void efm_capability_store(uint8_t record[EFM_CAPABILITY_BYTES], uint32_t bytes, uint32_t largest)
{
    efm_store_le32(record + AT_STORE, bytes);
    efm_store_le32(record + AT_LARGEST, largest);
}
