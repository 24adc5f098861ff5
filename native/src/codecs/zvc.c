/* SPDX-License-Identifier: Apache-2.0 */
/* Zero values as a mask, one bit per value, lowest bit first; then the other values as they are. */
#include "shared.h"

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    uint32_t values = args->width * args->channels;
    uint32_t at = (values + 7) / 8;

    *bytes = 0;
    if (at > capacity) {
        return;
    }
    for (uint32_t i = 0; i < values; i++) {
        uint8_t mask = (uint8_t)(i % 8 == 0 ? 0 : code[i / 8]);

        if (row[i] != args->zero_point) {
            if (at == capacity) {
                return;
            }
            mask = (uint8_t)(mask | 1u << i % 8);
            code[at++] = (uint8_t)row[i];
        }
        code[i / 8] = mask;
    }
    *bytes = at;
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    uint32_t values = args->width * args->channels;
    uint32_t at = (values + 7) / 8;
    uint32_t bad = at > bytes || (values % 8 != 0 && code[at - 1] >> values % 8 != 0);

    for (uint32_t i = 0; i < values; i++) {
        row[i] = (int8_t)args->zero_point;
        if (i / 8 < bytes && (code[i / 8] >> i % 8 & 1u)) {
            bad |= at >= bytes;
            row[i] = at < bytes ? efm_int8(code[at]) : row[i];
            bad |= row[i] == args->zero_point;
            at++;
        }
    }
    return at == bytes && !bad ? EFM_OK : EFM_BAD_CODEC;
}

const efm_codec_class efm_codec_zvc = {
    .id = EFM_CODEC_ZVC,
    .check = efm_no_tables,
    .state_bytes = efm_no_state,
    .encode = encode,
    .decode = decode,
    .skip = efm_no_skip,
    .recall = efm_no_skip,
};
