/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for x86-64 with AVX2: VPMADDWD of inputs and weights of 16 bits. */
#include "avx2.h"

#if EFM_KERNEL_X86
#define EFM_TARGET __attribute__((target("avx2")))
#include "vec256.h"

#include "own.h"
#include "row.h"

#define EFM_VECTORS 2
enum { EFM_GROUP = 2, EFM_ELEMENT = 2, EFM_WEIGHTS = 2 * LANES, EFM_ONES = 0x00010001, EFM_RAISED = 0 };

EFM_VECTOR vec efm_mac(vec sums, vec x, vec weights)
{
    return add32(sums, _mm256_madd_epi16(x, weights));
}

EFM_VECTOR void widen(const int8_t *x, uint8_t *to)
{
    store(to, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)x)));
}

EFM_VECTOR void widen_half(const int8_t *x, uint8_t *to)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)x)));
}

/* The rest after blocks of 16, or 8, comes with some that were there before. */
EFM_VECTOR void bring(const int8_t *x, uint32_t n, uint8_t *to)
{
    uint32_t i = 0;
    for (; n - i >= 16; i += 16) {
        widen(x + i, to + 2 * (size_t)i);
    }
    if (i == n) {
        return;
    }
    if (n > 16) {
        widen(x + (n - 16), to + 2 * (size_t)(n - 16));
    } else if (n >= 8) {
        widen_half(x, to);
        widen_half(x + (n - 8), to + 2 * (size_t)(n - 8));
    } else {
        for (; i < n; i++) {
            int16_t v = x[i];
            memcpy(to + 2 * (size_t)i, &v, 2);
        }
    }
}

/* Inputs whose weight is 0. */
EFM_VECTOR void bring_nothing(uint32_t n, uint8_t *to)
{
    memset(to, 0, 2 * (size_t)n);
}

/* Bytes that become 16 bits on their way: half of what would come from far caches. */
EFM_VECTOR vec load_weights(const uint8_t *w)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
}

#include "conv.h"

/* 16 channels of a pixel. */
EFM_VECTOR vec words_of(const int8_t *at)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

EFM_VECTOR void column_of(const row *rows, size_t offset, const int count, uint32_t channels, const int vectors, vec *v)
{
    vec a = words_of(pixel_of(rows, offset));
    vec b = count > 1 ? words_of(pixel_of(rows + 1, offset)) : zero();
    (void)channels;
    v[0] = _mm256_unpacklo_epi16(a, b);
    v[vectors - 1] = _mm256_unpackhi_epi16(a, b);
}

EFM_VECTOR vec padding_of(int32_t padding)
{
    return _mm256_set1_epi16((int16_t)padding);
}

#include "depthwise.h"

static const efm_own_shape conv_shape = {
    .lanes = LANES, .group = EFM_GROUP, .element = 1, .vectors = VECTORS, .least = 1};
static const efm_own_shape depthwise_shape = {
    .lanes = LANES, .group = EFM_GROUP, .element = EFM_ELEMENT, .vectors = VECTORS, .least = VECTORS, .overlap = 1};

int efm_avx2_usable(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

static uint32_t conv_pack_bytes(const efm_tile *rows)
{
    return efm_own_conv_bytes(rows, &conv_shape);
}

static void conv_pack(const efm_tile *rows, uint8_t *to)
{
    efm_own_conv_pack(rows, &conv_shape, to);
}

uint32_t efm_avx2_depthwise_pack_bytes(const efm_tile *rows)
{
    return efm_own_depthwise_bytes(rows, &depthwise_shape);
}

void efm_avx2_depthwise_pack(const efm_tile *rows, uint8_t *to)
{
    efm_own_depthwise_pack(rows, &depthwise_shape, to);
}

void efm_avx2_depthwise(const efm_depthwise_call *call)
{
    if (is_quick(call)) {
        depthwise_quickly(call);
    } else {
        depthwise_slowly(call);
    }
}

const efm_kernel efm_kernel_avx2 = {.name = "avx2",
                                    .usable = efm_avx2_usable,
                                    .conv_packings = EFM_X86_PACKINGS,
                                    .depthwise_packings = EFM_X86_PACKINGS,
                                    .alignment = EFM_OWN_ALIGNMENT,
                                    .run_bytes = EFM_X86_RUN_BYTES,
                                    .conv = conv,
                                    .depthwise = efm_avx2_depthwise,
                                    .conv_scratch = efm_portable_conv_scratch,
                                    .depthwise_scratch = depthwise_scratch,
                                    .conv_pack_bytes = conv_pack_bytes,
                                    .conv_pack = conv_pack,
                                    .depthwise_pack_bytes = efm_avx2_depthwise_pack_bytes,
                                    .depthwise_pack = efm_avx2_depthwise_pack};

#endif
