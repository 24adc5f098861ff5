/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for every processor, and the meaning of all others. */
#define EFM_TARGET
#include "by_taps.h"

#if defined(__GNUC__)
#define EFM_ALIGNED(at, bytes) __builtin_assume_aligned((at), (bytes))
#else
#define EFM_ALIGNED(at, bytes) (at)
#endif

enum { WORD = 4 };

/* Four weight rows against two pixels: each value that is loaded is used at least twice. Sums that a call takes
   over may be anything: they wrap. */
static inline void dots_by_four(const int8_t *restrict x0, const int8_t *restrict x1, const int8_t *restrict const w[4],
                                size_t count, int32_t *restrict sums0, int32_t *restrict sums1)
{
    const int8_t *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3];
    uint32_t s00 = (uint32_t)sums0[0], s01 = (uint32_t)sums0[1], s02 = (uint32_t)sums0[2], s03 = (uint32_t)sums0[3];
    uint32_t s10 = (uint32_t)sums1[0], s11 = (uint32_t)sums1[1], s12 = (uint32_t)sums1[2], s13 = (uint32_t)sums1[3];
    for (size_t k = 0; k < count; k++) {
        s00 += (uint32_t)(x0[k] * w0[k]);
        s01 += (uint32_t)(x0[k] * w1[k]);
        s02 += (uint32_t)(x0[k] * w2[k]);
        s03 += (uint32_t)(x0[k] * w3[k]);
        s10 += (uint32_t)(x1[k] * w0[k]);
        s11 += (uint32_t)(x1[k] * w1[k]);
        s12 += (uint32_t)(x1[k] * w2[k]);
        s13 += (uint32_t)(x1[k] * w3[k]);
    }
    sums0[0] = (int32_t)s00;
    sums0[1] = (int32_t)s01;
    sums0[2] = (int32_t)s02;
    sums0[3] = (int32_t)s03;
    sums1[0] = (int32_t)s10;
    sums1[1] = (int32_t)s11;
    sums1[2] = (int32_t)s12;
    sums1[3] = (int32_t)s13;
}

static void dots(const int8_t *const x[EFM_PAIR], const int8_t *w, size_t stride, uint32_t rows, uint32_t count,
                 int32_t sums[EFM_PAIR][EFM_BLOCK])
{
    for (uint32_t r = 0; r < rows; r += 4) {
        const int8_t *four[4];
        efm_four_rows(w, stride, r, rows, four);
        dots_by_four(x[0], x[1], four, count, sums[0] + r, sums[1] + r);
    }
}

/* Channels of a table whose flag says that they are proved, and that round twice. Compilers for processors that trap
   on other addresses read words at once where `at` is known to be aligned. */
static inline void requantize_proved(const efm_table *table, const int32_t *restrict sums, const uint8_t *restrict at,
                                     uint32_t count, int8_t *restrict out)
{
    const int32_t zero = table->zero_point, low = table->low, high = table->high;
    for (uint32_t i = 0; i < count; i++, at += EFM_CHANNEL_BYTES) {
        uint32_t v = (uint32_t)sums[i] + efm_load_le32(at + EFM_CHANNEL_AT_BIAS);
        uint32_t right = (uint32_t)-EFM_SHIFT_MIN - (efm_load_le32(at + EFM_CHANNEL_AT_SHIFT) >> 22 & 63);
        int32_t scaled =
            efm_requant_proved((int32_t)v, efm_load_le32(at + EFM_CHANNEL_AT_MULTIPLIER) & INT32_MAX, right);
        out[i] = (int8_t)efm_clamp((int32_t)((uint32_t)scaled + (uint32_t)zero), low, high);
    }
}

static void requantize(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out)
{
    const efm_table t = *table; /* a copy that out cannot alias */
    const uint8_t *at = t.channels + EFM_CHANNEL_BYTES * first;
    if ((t.flags & (EFM_TABLE_PROVED | EFM_TABLE_ROUND_ONCE)) == EFM_TABLE_PROVED) {
        if ((uintptr_t)at % WORD == 0) {
            requantize_proved(&t, sums, EFM_ALIGNED(at, WORD), count, out);
        } else {
            requantize_proved(&t, sums, at, count, out);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        efm_channel c = efm_channel_read(&t, first + i);
        out[i] = efm_requantize(&t, &c, sums[i]);
    }
}

void efm_portable_conv(const efm_conv_call *call)
{
    efm_conv_by_rows(call, dots, requantize);
}

void efm_portable_depthwise(const efm_depthwise_call *call)
{
    efm_depthwise_by_taps(call, efm_any_taps, requantize);
}

efm_scratch efm_portable_conv_scratch(const efm_tile *tile)
{
    (void)tile;
    return (efm_scratch){0, 0};
}

uint32_t efm_portable_depthwise_scratch(const efm_depthwise_call *call)
{
    return EFM_TAPS_SCRATCH * call->tile.out;
}

static int usable(void)
{
    return 1;
}

const efm_kernel efm_kernel_portable = {.name = "portable",
                                        .usable = usable,
                                        .conv_packings = 1u << EFM_PACKING_ROWS,
                                        .depthwise_packings = 1u << EFM_PACKING_ROWS,
                                        .alignment = 1,
                                        .run_bytes = UINT32_MAX,
                                        .pixels = 2,
                                        .conv = efm_portable_conv,
                                        .depthwise = efm_portable_depthwise,
                                        .conv_scratch = efm_portable_conv_scratch,
                                        .depthwise_scratch = efm_portable_depthwise_scratch};
