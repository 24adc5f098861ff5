/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for x86-64 with AVX2. */
#include "kernel.h"

#if EFM_KERNEL_X86
#include <immintrin.h>

#define EFM_TARGET __attribute__((target("avx2")))
#include "taps.h"

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
    _mm_storeu_si128((__m128i *)(void *)sums0, sums_of(s[0]));
    _mm_storeu_si128((__m128i *)(void *)sums1, sums_of(s[1]));
}

static EFM_TARGET void dots(const int8_t *x, uint32_t x_stride, uint32_t patches, const int8_t *w, uint32_t w_stride,
                            uint32_t rows, uint32_t depth, int32_t sums[EFM_DOT_PATCHES][EFM_DOT_ROWS])
{
    const int8_t *x1 = patches > 1 ? x + x_stride : x;
    if (depth < 16) {
        efm_portable_dots(x, x_stride, patches, w, w_stride, rows, depth, sums);
        return;
    }
    for (uint32_t r = 0; r < rows; r += 4) {
        const int8_t *four[4];
        efm_four_rows(w, w_stride, r, rows, four);
        dots_by_four(x, x1, four, depth, sums[0] + r, sums[1] + r);
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

static inline EFM_TARGET __m256i load8(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static EFM_TARGET void requantize(const efm_requant *how, const int32_t *sums, uint32_t first, uint32_t count,
                                  int8_t *out)
{
    const __m256i zero_point = _mm256_set1_epi32(how->zero_point);
    const __m256i least = _mm256_set1_epi32(how->act_min), most = _mm256_set1_epi32(how->act_max);
    size_t i = 0;
    for (; how->rounding == 0 && count - i >= 8; i += 8) {
        size_t c = first + i;
        __m128i shift = _mm_loadl_epi64((const __m128i *)(const void *)(how->shift + c));
        __m256i v = _mm256_add_epi32(load8(sums + i), load8(how->bias + 4 * c));
        v = scale(v, load8(how->multiplier + 4 * c), _mm256_cvtepi8_epi32(shift));
        v = _mm256_add_epi32(v, zero_point);
        v = _mm256_min_epi32(_mm256_max_epi32(v, least), most);
        __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packs_epi16(words, words));
    }
    if (i < count) {
        efm_portable_requantize(how, sums + i, first + (uint32_t)i, count - (uint32_t)i, out + i);
    }
}

const efm_kernel efm_kernel_x86 = {usable, dots, taps, requantize};

#endif
