/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of zeros, channel by channel: 0 + 4 bits for 1 to 16 zero points, 1 + 8 bits for another
   value. */
#include "../bits.h"
#include "shared.h"

#define LONGEST 16u

static void encode(const efm_codec_args *args, const int8_t *row, uint8_t *code, uint32_t capacity, uint32_t *bytes)
{
    uint32_t values = args->width * args->channels;
    efm_bit_writer w = {code, capacity, 0};

    for (uint32_t i = 0; i < values;) {
        uint32_t run = efm_zero_run(args, row, i, LONGEST);

        if (run > 0) {
            efm_bits_write(&w, run - 1, 5);
            i += run;
        } else {
            efm_bits_write(&w, 0x100u | (uint8_t)row[efm_planar(args, i)], 9);
            i++;
        }
    }
    *bytes = efm_bits_written(&w);
}

static efm_status decode(const efm_codec_args *args, const uint8_t *code, uint32_t bytes, int8_t *row)
{
    uint32_t values = args->width * args->channels;
    efm_bit_reader r = {code, bytes, 0};
    uint32_t ran = LONGEST; /* length of the run just read: after a shorter one comes a value */
    uint32_t bad = 0;

    for (uint32_t i = 0; i < values;) {
        if (efm_bits_read(&r, 1)) {
            int8_t v = efm_int8(efm_bits_read(&r, 8));

            bad |= v == args->zero_point;
            row[efm_planar(args, i++)] = v;
            ran = LONGEST;
        } else {
            bad |= ran != LONGEST;
            ran = efm_bits_read(&r, 4) + 1;
            bad |= ran > values - i;
            for (uint32_t left = ran; left > 0 && i < values; left--) {
                row[efm_planar(args, i++)] = (int8_t)args->zero_point;
            }
        }
    }
    return efm_bits_spent(&r) && !bad ? EFM_OK : EFM_BAD_CODEC;
}

const efm_codec_class efm_codec_rle = {
    .id = EFM_CODEC_RLE,
    .check = efm_no_tables,
    .state_bytes = efm_no_state,
    .encode = encode,
    .decode = decode,
    .skip = efm_no_skip,
    .recall = efm_no_skip,
};
