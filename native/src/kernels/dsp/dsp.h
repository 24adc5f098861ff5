/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for 32-bit Arm with the SIMD instructions of Cortex-M4, M7 and M33, and ARMv6 to 8-A, which multiply
 * two halves of a word at once. Activations and weights become such halves: the word (e) of the bytes 0 and 2 of
 * four, which SXTB16 makes, and the word (o) of the bytes 1 and 3. */
#ifndef EFM_DSP_H
#define EFM_DSP_H

#include <stddef.h>
#include <string.h>

#include "../kernel.h"
#include "../table.h"

enum {
    EFM_DSP_ACROSS = 3, /* pixels whose sums fit the registers, of two channels each */
    EFM_DSP_SHIFT_MOST = 22 /* right shifts up to here: the rounding term and 2^30 fit 31 bits */
};

/* A byte of v as below; t is free. */
#define EFM_DSP_FINISH(v, multiplier, rise, shift, t) \
    "smmlar " t ", " v ", " multiplier ", " rise "\n" \
    "add " v ", " t ", " v ", asr #31\n" \
    "asr " v ", " v ", " shift "\n" \
    "ssat " v ", #8, " v "\n"

/* What makes bytes of a channel's sums v, where the table proves it:
 *     (v * multiplier / 2^32 + rise - (v < 0)) >> shift,  v = 2 * sum + bias */
typedef struct efm_dsp_channel {
    int32_t bias;       /* twice that of the table */
    int32_t multiplier;
    int32_t rise;       /* (2 * zero point + 1) << (shift - 1) */
    int32_t shift;      /* to the right, 1 .. EFM_DSP_SHIFT_MOST */
} efm_dsp_channel;

/* A pair of channels of some groups of pixels. No address is kept in scratch, which packages place. */
typedef struct efm_dsp_block {
    efm_dsp_channel channel[2];
    const uint32_t *w;     /* [steps][e, o]: PAIRS two words, HALVES one */
    uint32_t steps;        /* of four inputs each, at least one */
    const uint32_t *x;     /* groups: [steps][e, o][pixels of the group] */
    const uint32_t *end;   /* behind the last group */
    uint32_t at[2];        /* of a pixel's bytes, those of the two channels; that of the first is written last */
    int8_t *const *out;    /* the pixels */
    int32_t *sums;         /* not null: sums go there, [group][2][pixels of the group], and no bytes to `out` */
} efm_dsp_block;

/* Of groups of EFM_DSP_ACROSS pixels, and of one. For sums of groups of one, `end` is `x` again: there is one group,
   of at[1] pairs of channels whose weights lie one after another: [pair][2]. */
void efm_dsp_pairs_across(const efm_dsp_block *block);
void efm_dsp_pairs_single(const efm_dsp_block *block);
void efm_dsp_halves_across(const efm_dsp_block *block);
void efm_dsp_halves_single(const efm_dsp_block *block);

/* Steps of four inputs, the last one filled up with zeros. */
static inline uint32_t efm_dsp_steps(uint32_t depth)
{
    return (depth + 3) / 4;
}

/* Pixels p .. p + n - 1 of a call, n = EFM_DSP_ACROSS or 1, become a group; what lies behind it. */
uint32_t *efm_dsp_widen_pixels(const efm_conv_call *call, uint32_t p, uint32_t n, uint32_t *to);

/* Two rows of `bytes` weights become pairs. What is multiplied by a strip's zeros behind them may be anything. */
void efm_dsp_widen_weights(uint32_t *to, const int8_t *first, const int8_t *second, uint32_t bytes,
                           int32_t weight_zero);

/* `words` words, an even number. */
void efm_dsp_copy(uint32_t *to, const uint32_t *from, uint32_t words);

/* CONV of packing ROWS, without scratch. */
void efm_dsp_rows(const efm_conv_call *call, const efm_table *table);

void efm_dsp_conv(const efm_conv_call *call);
efm_scratch efm_dsp_conv_scratch(const efm_tile *tile);
void efm_dsp_depthwise(const efm_depthwise_call *call);
uint32_t efm_dsp_depthwise_scratch(const efm_depthwise_call *call);

EFM_SHARED uint32_t efm_dsp_load(const void *p)
{
    uint32_t v; /* words may lie anywhere: those processors read them so */
    __builtin_memcpy(&v, p, 4);
    return v;
}

/* Bytes 0 and 2, or 1 and 3, as two signed halves. */
static inline uint32_t efm_dsp_even(uint32_t v)
{
    uint32_t halves;
    __asm("sxtb16 %0, %1" : "=r"(halves) : "r"(v));
    return halves;
}

static inline uint32_t efm_dsp_odd(uint32_t v)
{
    uint32_t halves;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(v));
    return halves;
}

/* 1 to 3 bytes as a word, zeros behind them. */
static inline uint32_t efm_dsp_rest(const int8_t *p, uint32_t bytes)
{
    uint32_t v = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        v |= (uint32_t)(uint8_t)p[i] << 8 * i;
    }
    return v;
}

/* Whether the short formula is proved for all channels whose shift it can do. */
static inline int efm_dsp_proved(const efm_table *table)
{
    return (table->flags & (EFM_TABLE_PROVED | EFM_TABLE_ROUND_ONCE)) == EFM_TABLE_PROVED
           && table->zero_point == (int8_t)table->zero_point;
}

/* Whether the short formula can do channel o's shift; what it takes. */
EFM_SHARED int efm_dsp_channel_read(const efm_table *table, uint32_t o, efm_dsp_channel *to)
{
    const uint8_t *at = table->channels + EFM_CHANNEL_BYTES * o;
    uint32_t shift = 31 - (efm_dsp_load(at + EFM_CHANNEL_AT_SHIFT) >> 22 & 63);
    to->bias = (int32_t)(efm_dsp_load(at + EFM_CHANNEL_AT_BIAS) << 1);
    to->multiplier = (int32_t)(efm_dsp_load(at + EFM_CHANNEL_AT_MULTIPLIER) & INT32_MAX);
    to->shift = (int32_t)shift;
    to->rise = (int32_t)((2 * (uint32_t)table->zero_point + 1) << ((shift - 1) & 31));
    return shift - 1 < EFM_DSP_SHIFT_MOST;
}

/* Bytes of the sums of channels first .. first + count - 1, which `sums` and `out` begin with, whatever the table is. */
void efm_dsp_requantize(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out);

/* What becomes of the sums of channels o .. o + count - 1 of pixel p of a call. */
void efm_dsp_settle(const efm_conv_call *call, const efm_table *table, uint32_t p, uint32_t o, uint32_t count,
                    int32_t *sums);

/* Brings bytes that the short formula made into the table's bounds. */
void efm_dsp_clamp(int8_t *bytes, uint32_t count, const efm_table *table);

static inline int efm_dsp_clamps(const efm_table *table)
{
    return table->low != INT8_MIN || table->high != INT8_MAX;
}

#endif
