/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EFM_LANES_AVX2_H
#define EFM_LANES_AVX2_H

#include <immintrin.h>

#define EFM_TARGET __attribute__((target("avx2")))
enum { LANES = 8, BYTES = 16 };

typedef __m256i lanes;

typedef struct lanes_factor {
    __m256i multiplier, left, right;
    __m256i mask, half; /* the bits that are shifted out, and less than half of them */
} lanes_factor;

typedef struct lanes_limits {
    __m128i zero, low, high;
} lanes_limits;

static inline int usable(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

static inline EFM_TARGET lanes_factor factor_of(const efm_factor *f, int32_t before)
{
    const int32_t right = f->shift > 0 ? 0 : -f->shift, mask = (int32_t)((1u << right) - 1);
    return (lanes_factor){_mm256_set1_epi32(f->multiplier), _mm256_set1_epi32(before + (f->shift > 0 ? f->shift : 0)),
                          _mm256_set1_epi32(right), _mm256_set1_epi32(mask), _mm256_set1_epi32(mask >> 1)};
}

static inline EFM_TARGET lanes_limits limits_of(int32_t zero, int32_t low, int32_t high)
{
    return (lanes_limits){_mm_set1_epi16((int16_t)zero), _mm_set1_epi8((int8_t)low), _mm_set1_epi8((int8_t)high)};
}

static inline EFM_TARGET lanes load(const int8_t *from)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
}

static inline EFM_TARGET void store(int8_t *to, lanes v, const lanes_limits *l)
{
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    words = _mm_adds_epi16(words, l->zero);
    __m128i bytes = _mm_min_epi8(_mm_max_epi8(_mm_packs_epi16(words, words), l->low), l->high);
    _mm_storel_epi64((__m128i *)(void *)to, bytes);
}

static inline EFM_TARGET lanes load_sums(const int32_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

static inline EFM_TARGET void store_sums(int32_t *to, lanes v)
{
    _mm256_storeu_si256((__m256i *)(void *)to, v);
}

static inline EFM_TARGET lanes all(int32_t x)
{
    return _mm256_set1_epi32(x);
}

static inline EFM_TARGET lanes plus(lanes a, lanes b)
{
    return _mm256_add_epi32(a, b);
}

static inline EFM_TARGET lanes minus(lanes a, lanes b)
{
    return _mm256_sub_epi32(a, b);
}

static inline EFM_TARGET lanes times(lanes a, lanes b)
{
    return _mm256_mullo_epi32(a, b);
}

static inline EFM_TARGET lanes flipped(lanes a, lanes bits)
{
    return _mm256_xor_si256(a, bits);
}

static inline EFM_TARGET lanes minus_all(lanes v, int32_t x)
{
    return minus(v, all(x));
}

#define left(v, bits) _mm256_slli_epi32(v, bits)

/* Products are made of the even and of the odd lanes, and bits 31 .. 62 of each are kept. */
static inline EFM_TARGET lanes multiply_high(lanes v, lanes multiplier)
{
    const __m256i round = _mm256_set1_epi64x((int64_t)1 << 30);
    __m256i even = _mm256_mul_epi32(v, multiplier), odd = _mm256_mul_epi32(_mm256_srli_epi64(v, 32), multiplier);
    even = _mm256_srli_epi64(_mm256_add_epi64(even, round), 31);
    odd = _mm256_slli_epi64(_mm256_add_epi64(odd, round), 1);
    return _mm256_blend_epi32(even, odd, 0xAA);
}

static inline EFM_TARGET lanes scaled_right(lanes v, const lanes_factor *f)
{
    v = multiply_high(v, f->multiplier);
    v = _mm256_add_epi32(v, _mm256_add_epi32(_mm256_srai_epi32(v, 31), f->half));
    return _mm256_srav_epi32(_mm256_add_epi32(v, _mm256_set1_epi32(1)), f->right);
}

static inline EFM_TARGET lanes scaled(lanes v, const lanes_factor *f)
{
    v = multiply_high(_mm256_sllv_epi32(v, f->left), f->multiplier);
    __m256i limit = _mm256_sub_epi32(f->half, _mm256_srai_epi32(v, 31));
    __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(v, f->mask), limit);
    return _mm256_sub_epi32(_mm256_srav_epi32(v, f->right), up);
}

static inline EFM_TARGET lanes shifted(lanes v, int32_t bits)
{
    return _mm256_sra_epi32(v, _mm_cvtsi32_si128(bits));
}

static inline EFM_TARGET lanes upper(lanes v, uint32_t by)
{
    const __m256i twice = all((int32_t)by);
    __m256i even = _mm256_mul_epu32(v, twice), odd = _mm256_mul_epu32(_mm256_srli_epi64(v, 32), twice);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

static inline EFM_TARGET lanes within(lanes v, int32_t low, int32_t high)
{
    return _mm256_min_epi32(_mm256_max_epi32(v, all(low)), all(high));
}

static inline EFM_TARGET lanes look_up(const uint8_t *table, lanes index)
{
    return _mm256_i32gather_epi32((const int *)(const void *)table, index, 4);
}

typedef __m128i bytes;

static inline EFM_TARGET bytes load_bytes(const int8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static inline EFM_TARGET void store_bytes(int8_t *to, bytes v)
{
    _mm_storeu_si128((__m128i *)(void *)to, v);
}

static inline EFM_TARGET bytes larger(bytes a, bytes b)
{
    return _mm_max_epi8(a, b);
}

#endif
