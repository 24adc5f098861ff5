/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for x86-64 with AVX2. */
#include "../config.h"

#if EFM_KERNEL_X86
#include <immintrin.h>

#define EFM_TARGET __attribute__((target("avx2")))
#include "by_taps.h"

static int usable(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

/* The sums of four vectors. */
static inline EFM_TARGET __m128i sums_of(const __m256i v[4])
{
    __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

static inline EFM_TARGET __m256i widen(const int8_t *p)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* s[patch][row] += 16 products */
static inline EFM_TARGET void step(__m256i x0, __m256i x1, const int8_t *const w[4], size_t k, __m256i s[2][4])
{
    for (int r = 0; r < 4; r++) {
        __m256i v = widen(w[r] + k);
        s[0][r] = _mm256_add_epi32(s[0][r], _mm256_madd_epi16(x0, v));
        s[1][r] = _mm256_add_epi32(s[1][r], _mm256_madd_epi16(x1, v));
    }
}

/* The last depth % 16 values come with the last 16, of which those already taken become zero. */
static inline EFM_TARGET void dots_by_four(const int8_t *x0, const int8_t *x1, const int8_t *const w[4], size_t depth,
                                           int32_t *sums0, int32_t *sums1)
{
    static const int16_t keep[32] = {[16] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    __m256i zero = _mm256_setzero_si256();
    __m256i s[2][4] = {{zero, zero, zero, zero}, {zero, zero, zero, zero}};
    size_t k = 0;
    for (; depth - k >= 16; k += 16) {
        step(widen(x0 + k), widen(x1 + k), w, k, s);
    }
    if (k < depth) {
        __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)(keep + (depth - k)));
        k = depth - 16;
        step(_mm256_and_si256(widen(x0 + k), mask), _mm256_and_si256(widen(x1 + k), mask), w, k, s);
    }
    __m128i *to0 = (__m128i *)(void *)sums0, *to1 = (__m128i *)(void *)sums1;
    _mm_storeu_si128(to0, _mm_add_epi32(_mm_loadu_si128(to0), sums_of(s[0])));
    _mm_storeu_si128(to1, _mm_add_epi32(_mm_loadu_si128(to1), sums_of(s[1])));
}

/* Few products: one by one. */
static EFM_TARGET void dots_of_few(const int8_t *x0, const int8_t *x1, const int8_t *const w[4], size_t depth,
                                   int32_t *sums0, int32_t *sums1)
{
    for (int r = 0; r < 4; r++) {
        for (size_t k = 0; k < depth; k++) {
            sums0[r] = (int32_t)((uint32_t)sums0[r] + (uint32_t)(x0[k] * w[r][k]));
            sums1[r] = (int32_t)((uint32_t)sums1[r] + (uint32_t)(x1[k] * w[r][k]));
        }
    }
}

static EFM_TARGET void dots(const int8_t *const x[EFM_PAIR], const int8_t *w, size_t stride, uint32_t rows,
                            uint32_t count, int32_t sums[EFM_PAIR][EFM_BLOCK])
{
    for (uint32_t r = 0; r < rows; r += 4) {
        const int8_t *four[4];
        efm_four_rows(w, stride, r, rows, four);
        (count < 16 ? dots_of_few : dots_by_four)(x[0], x[1], four, count, sums[0] + r, sums[1] + r);
    }
}

/* efm_requant_twice of eight values, multiplier >= 0. Products are made of the even and of the odd
   lanes, and bits 31 .. 62 of each are kept. */
static inline EFM_TARGET __m256i scale(__m256i v, __m256i multiplier, __m256i shift)
{
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi32(1);
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 30);
    __m256i right = _mm256_sub_epi32(zero, _mm256_min_epi32(shift, zero));
    v = _mm256_sllv_epi32(v, _mm256_max_epi32(shift, zero));
    __m256i even = _mm256_mul_epi32(v, multiplier);
    __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(v, 32), _mm256_srli_epi64(multiplier, 32));
    even = _mm256_srli_epi64(_mm256_add_epi64(even, half), 31);
    odd = _mm256_slli_epi64(_mm256_add_epi64(odd, half), 1);
    __m256i high = _mm256_blend_epi32(even, odd, 0xAA);
    __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
    __m256i limit = _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_srai_epi32(high, 31));
    __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), limit);
    return _mm256_sub_epi32(_mm256_srav_epi32(high, right), up);
}

/* Word `at` of the records of eight channels. */
static inline EFM_TARGET __m256i fields(const uint8_t *records, int at)
{
    const __m256i step = _mm256_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21);
    return _mm256_i32gather_epi32((const int *)(const void *)(records + at), step, 4);
}

static EFM_TARGET void requantize(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count,
                                  int8_t *out)
{
    const efm_table t = *table;
    const __m256i zero_point = _mm256_set1_epi32(t.zero_point), most_shift = _mm256_set1_epi32(EFM_SHIFT_MAX);
    const __m256i least = _mm256_set1_epi32(t.low), most = _mm256_set1_epi32(t.high);
    const __m256i positive = _mm256_set1_epi32(INT32_MAX), six = _mm256_set1_epi32(63);
    uint32_t i = 0;
    for (; !(t.flags & EFM_TABLE_ROUND_ONCE) && count - i >= 8; i += 8) {
        const uint8_t *at = t.channels + (size_t)EFM_CHANNEL_BYTES * (first + i);
        __m256i shift = _mm256_and_si256(_mm256_srli_epi32(fields(at, EFM_CHANNEL_AT_SHIFT), 22), six);
        shift = _mm256_min_epi32(_mm256_add_epi32(shift, _mm256_set1_epi32(EFM_SHIFT_MIN)), most_shift);
        __m256i v = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(sums + i)),
                                     fields(at, EFM_CHANNEL_AT_BIAS));
        v = scale(v, _mm256_and_si256(fields(at, EFM_CHANNEL_AT_MULTIPLIER), positive), shift);
        v = _mm256_add_epi32(v, zero_point);
        v = _mm256_min_epi32(_mm256_max_epi32(v, least), most);
        __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packs_epi16(words, words));
    }
    for (; i < count; i++) {
        efm_channel c = efm_channel_read(&t, first + i);
        out[i] = efm_requantize(&t, &c, sums[i]);
    }
}

static EFM_TARGET void taps(const int8_t *const *x, uint32_t count, const int8_t *w, int32_t w_zero, uint32_t channels,
                            int32_t *sums)
{
    efm_any_taps(x, count, w, w_zero, channels, sums);
}

static EFM_TARGET void conv(const efm_conv_call *call)
{
    efm_conv_by_rows(call, dots, requantize);
}

static EFM_TARGET void depthwise(const efm_depthwise_call *call)
{
    efm_depthwise_by_taps(call, taps, requantize);
}

const efm_kernel efm_kernel_x86 = {.usable = usable,
                                   .conv_packings = 1u << EFM_PACKING_ROWS,
                                   .depthwise_packings = 1u << EFM_PACKING_ROWS,
                                   .alignment = 1,
                                   .run_bytes = UINT32_MAX,
                                   .pixels = 2,
                                   .conv = conv,
                                   .depthwise = depthwise,
                                   .conv_scratch = efm_portable_conv_scratch,
                                   .depthwise_scratch = efm_portable_depthwise_scratch};

#endif
