/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE with a window of 3 x 3: four channels of three input rows become records of two columns, and sums are made
 * channel by channel along them. Of a column the rows 0 and 1 are one word (0, 1), row 2 shares a word with its
 * neighbor's: five multiplications make a sum of nine products. */
#ifndef EFM_DSP_PLANES_H
#define EFM_DSP_PLANES_H

#include "dsp.h"

enum { EFM_DSP_LANES = 4 };

enum { EFM_DSP_RECORD = 3, EFM_DSP_WEIGHTS = 5 /* words of a channel */ };

/* Two columns, of each channel: rows 0 and 1 of the first and of the second, row 2 of both. */
typedef uint32_t efm_dsp_record[EFM_DSP_LANES][EFM_DSP_RECORD];

/* A channel's weights, twice what they are: rows 0 and 1 of the three columns, row 2 of columns 0 and 1, of 1 and 2.
   And what makes bytes of the sums. */
typedef struct efm_dsp_filter {
    uint32_t weights[EFM_DSP_WEIGHTS];
    efm_dsp_channel channel;
} efm_dsp_filter;

/* `count` records, at least one, of columns that lie in the map: rows[i] is the first one's word, the next is `stride`
   bytes further. */
void efm_dsp_gather(efm_dsp_record *to, const int8_t *const rows[3], uint32_t stride, uint32_t count);

/* A piece of a row: along the records, sums of channel after channel, bias and all; then bytes of them. */
typedef struct efm_dsp_lines {
    const uint32_t *records; /* the first channel of the first record; one record more than the sums need is there */
    const efm_dsp_filter *filter;
    int32_t *sums;           /* [count rounded up to even] */
    int8_t *out;             /* of the first channel; null: sums alone */
    uint32_t stride;         /* bytes from an output pixel to the next */
    uint32_t count;          /* output pixels, at least one */
    uint32_t channels;       /* at least one */
    uint32_t step;           /* of the window: 1 or 2 pixels */
} efm_dsp_lines;

void efm_dsp_make_lines(const efm_dsp_lines *lines);

/* DEPTHWISE of any window, without scratch. */
void efm_dsp_windows(const efm_depthwise_call *call);

/* a's and b's lower, or upper, halves side by side. */
static inline uint32_t efm_dsp_low_halves(uint32_t a, uint32_t b)
{
    uint32_t v;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(v) : "r"(a), "r"(b));
    return v;
}

static inline uint32_t efm_dsp_high_halves(uint32_t a, uint32_t b)
{
    uint32_t v;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(v) : "r"(b), "r"(a));
    return v;
}

#endif
