/* SPDX-License-Identifier: Apache-2.0 */
#include "capability.h"

#include <string.h>

#include "bytes.h"
#include "codecs/codec.h"
#include "config.h"
#include "format.h"
#include "ops/op.h"

enum { BOARD_NAME_BYTES = 15, CODEC_IDS = 32, OPERATOR_IDS = 64 };
enum {
    AT_BUILD = 0, AT_BOARD = 8, AT_FEATURES = 24, AT_DECODERS = 28, AT_OPERATORS = 32, AT_FAST = 40,
    AT_EXTERNAL = 44, AT_STORE = 48, AT_LARGEST = 52, AT_MAJOR = 56, AT_MINOR = 58, AT_ALIGNMENT = 60,
    AT_UNIT = 64, AT_TIMER = 65, AT_TICKS = 68, AT_RESULTS = 72
};

static void store_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint32_t decoders(void)
{
    uint32_t found = 1; /* raw */
    for (uint32_t id = 1; id < CODEC_IDS; id++)
        if (efm_codec_find(id) != NULL)
            found |= (uint32_t)1 << id;
    return found;
}

static uint64_t operators(bool stores)
{
    uint64_t found = (uint64_t)1 << EFM_OP_INPUT | (uint64_t)1 << EFM_OP_OUTPUT;
    if (stores)
        found |= (uint64_t)1 << EFM_OP_LOAD | (uint64_t)1 << EFM_OP_STORE;
    for (uint32_t id = EFM_OP_STORE + 1; id < OPERATOR_IDS; id++)
        if (efm_op_find(id) != NULL)
            found |= (uint64_t)1 << id;
    return found;
}

void efm_capability_fill(uint8_t record[EFM_CAPABILITY_BYTES], const efm_board *board, bool timer_works)
{
    bool external = board->external.begin_read != NULL;
    uint64_t runs = operators(external || EFM_WITH_CAPS); /* rows go to external memory or the page pool */
    uint32_t decodes = decoders(), length = 0;
    uint32_t coded = decodes != 1 ? EFM_FEATURE_CODED | EFM_FEATURE_PAIRED : 0;
    memset(record, 0, EFM_CAPABILITY_BYTES);
    store_be64(record + AT_BUILD, EFM_BUILD_ID);
    while (length < BOARD_NAME_BYTES && board->name[length] != 0)
        length++;
    memcpy(record + AT_BOARD, board->name, length);
    uint32_t capped = (EFM_WITH_CAPS ? EFM_FEATURE_CAPPED : 0) | (EFM_WITH_TILES ? EFM_FEATURE_QUALITY : 0);
    uint32_t temporal = EFM_WITH_TEMPORAL ? EFM_FEATURE_TEMPORAL : 0;
    store_le32(record + AT_FEATURES, (external ? EFM_FEATURE_EXTERNAL : 0) | coded | capped | temporal);
    store_le32(record + AT_DECODERS, decodes);
    store_le32(record + AT_OPERATORS, (uint32_t)runs);
    store_le32(record + AT_OPERATORS + 4, (uint32_t)(runs >> 32));
    store_le32(record + AT_FAST, board->arena_bytes);
    store_le32(record + AT_EXTERNAL, external ? board->external_bytes : 0);
    store_le16(record + AT_MAJOR, EFM_FORMAT_MAJOR);
    store_le16(record + AT_MINOR, EFM_FORMAT_MINOR);
    store_le16(record + AT_ALIGNMENT, external ? (uint16_t)board->external_alignment : 1);
    record[AT_UNIT] = (uint8_t)board->unit;
    record[AT_TIMER] = timer_works;
    store_le32(record + AT_TICKS, board->ticks_per_second);
    store_le32(record + AT_RESULTS, board->results_bytes);
}

void efm_capability_store(uint8_t record[EFM_CAPABILITY_BYTES], uint32_t bytes, uint32_t largest)
{
    store_le32(record + AT_STORE, bytes);
    store_le32(record + AT_LARGEST, largest);
}
