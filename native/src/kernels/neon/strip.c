/* SPDX-License-Identifier: Apache-2.0 */
/* What strips of a DEPTHWISE tile are multiplied with, of any packing. */
#include "depthwise.h"

#if EFM_KERNEL_NEON

/* Whether sums of a window stay below 2^30 and shifts below 0. A tile loses its flag for one channel of another strip. */
static EFM_NEON int is_proved(const efm_neon_strip_weights *s, uint32_t taps, uint32_t count)
{
    int32x4_t low = vqabsq_s32(vld1q_s32(s->channels.bias)), high = vqabsq_s32(vld1q_s32(s->channels.bias + 4));
    int32_t most[EFM_NEON_STRIP];
    for (uint32_t t = 0; t < taps; t++) { /* each at most 255 * 128 */
        int16x8_t size = vabsq_s16(vld1q_s16(s->w[t]));
        low = vqaddq_s32(low, vshll_n_s16(vget_low_s16(size), 7));
        high = vqaddq_s32(high, vshll_n_s16(vget_high_s16(size), 7));
    }
    vst1q_s32(most, low);
    vst1q_s32(most + 4, high);
    for (uint32_t i = 0; i < count; i++) {
        int exact = s->channels.shift[i] < 0 && most[i] < 1 << 30;
        if (s->channels.multiplier[i] != 0 && !exact) {
            return 0;
        }
    }
    return 1;
}

static EFM_NEON int16x8_t past_byte(int16x8_t w)
{
    return vsubq_s16(w, vmovl_s8(vqmovn_s16(w)));
}

/* [taps][strip], and whether bytes are enough. */
static EFM_NEON void read_weights(const efm_tile *tile, int32_t weight_zero, uint32_t first, uint32_t count,
                                  efm_neon_strip_weights *to)
{
    const int8_t *from = tile->weights + first;
    int8x8_t zero = vdup_n_s8((int8_t)weight_zero);
    int16x8_t past = vdupq_n_s16(0);
    for (uint32_t t = 0; t < tile->depth; t++, from += tile->out) {
        int16x8_t w = vsubl_s8(efm_neon_load(from, count), zero);
        past = vorrq_s16(past, past_byte(w));
        vst1q_s16(to->w[t], w);
    }
    to->small = vget_lane_u64(vreinterpret_u64_s8(vqmovn_s16(past)), 0) == 0;
}

/* Rows of a column side by side, zero for the fourth. */
static EFM_NEON void read_columns(efm_neon_strip_weights *to)
{
    for (uint32_t j = 0; j < 3; j++) {
        int8x8x4_t rows = {{vmovn_s16(vld1q_s16(to->w[j])), vmovn_s16(vld1q_s16(to->w[3 + j])),
                            vmovn_s16(vld1q_s16(to->w[6 + j])), vdup_n_s8(0)}};
        vst4_s8(to->columns[j][0], rows);
    }
}

void efm_neon_read_strip(const efm_tile *tile, const efm_table *table, uint32_t first, uint32_t count,
                         efm_neon_strip_weights *to)
{
    efm_neon_read_channels(table, first, count, &to->channels);
    read_weights(tile, table->weight_zero, first, count, to);
    if (tile->depth == 9) {
        read_columns(to);
    }
    if (to->channels.mode == EFM_NEON_GENERAL && efm_neon_is_usual(table) && is_proved(to, tile->depth, count)) {
        to->channels.mode = EFM_NEON_FAST;
    }
}

/* -- Packing OWN --------------------------------------------------------------------------------------------- */

static size_t strip_bytes(uint32_t taps)
{
    size_t left_out = (size_t)(EFM_NEON_TAPS - taps) * EFM_NEON_STRIP * sizeof(int16_t);
    return sizeof(efm_neon_strip_weights) - left_out;
}

uint32_t efm_neon_depthwise_pack_bytes(const efm_tile *rows)
{
    if (rows->depth > EFM_NEON_TAPS || rows->out < EFM_NEON_STRIP || rows->out > UINT32_MAX / 4096) {
        return 0;
    }
    uint32_t strips = (rows->out + EFM_NEON_STRIP - 1) / EFM_NEON_STRIP;
    return (uint32_t)(sizeof(efm_neon_head) + strips * strip_bytes(rows->depth));
}

void efm_neon_depthwise_pack(const efm_tile *rows, uint8_t *to)
{
    const efm_table table = efm_table_read(rows->table);
    *(efm_neon_head *)(void *)to = (efm_neon_head){.result = efm_neon_read_result(&table)};
    to += sizeof(efm_neon_head);
    for (uint32_t first = 0; first < rows->out; first += EFM_NEON_STRIP, to += strip_bytes(rows->depth)) {
        efm_neon_strip_weights weights = {0};
        efm_neon_read_strip(rows, &table, efm_neon_strip_begin(first, rows->out), EFM_NEON_STRIP, &weights);
        memcpy(to, &weights, strip_bytes(rows->depth));
    }
}

const efm_neon_strip_weights *efm_neon_packed_strip(const efm_tile *own, uint32_t first)
{
    const uint8_t *strips = own->table + sizeof(efm_neon_head);
    return (const efm_neon_strip_weights *)(const void *)(strips + first / EFM_NEON_STRIP * strip_bytes(own->depth));
}

#endif
