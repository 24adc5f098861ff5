/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 256 bits: what conv.h and depthwise.h are made of. The file that includes this defines EFM_TARGET, and
 * efm_mac(). */
#ifndef EFM_X86_VEC256_H
#define EFM_X86_VEC256_H

#include <immintrin.h>
#include <string.h>

#define EFM_VECTOR static inline __attribute__((always_inline)) EFM_TARGET

typedef __m256i vec;
enum { LANES = 8, VECTORS = 2 };

EFM_VECTOR vec load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

EFM_VECTOR void store(void *p, vec v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

EFM_VECTOR vec zero(void)
{
    return _mm256_setzero_si256();
}

EFM_VECTOR vec all32(int32_t v)
{
    return _mm256_set1_epi32(v);
}

EFM_VECTOR vec add32(vec a, vec b)
{
    return _mm256_add_epi32(a, b);
}

EFM_VECTOR vec add64(vec a, vec b)
{
    return _mm256_add_epi64(a, b);
}

/* Products of even lanes, 64 bits each. */
EFM_VECTOR vec multiply(vec a, vec b)
{
    return _mm256_mul_epi32(a, b);
}

/* Odd lanes at even places. */
EFM_VECTOR vec odd(vec v)
{
    return _mm256_srli_epi64(v, 32);
}

/* The upper halves of even and odd products as lanes. */
EFM_VECTOR vec join(vec even, vec odd)
{
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

EFM_VECTOR vec signs(vec v)
{
    return _mm256_srai_epi32(v, 31);
}

EFM_VECTOR vec right(vec v, vec by)
{
    return _mm256_srav_epi32(v, by);
}

/* The first n < 16 bytes. */
static EFM_TARGET __attribute__((noinline)) void store_some(int8_t *out, __m128i bytes, uint32_t n)
{
    if (n & 8) {
        _mm_storel_epi64((__m128i *)(void *)out, bytes);
        bytes = _mm_srli_si128(bytes, 8);
        out += 8;
    }
    int8_t some[16];
    _mm_storeu_si128((__m128i *)(void *)some, bytes);
    for (uint32_t i = 0; i < (n & 7); i++) {
        out[i] = some[i];
    }
}

/* What bytes are clamped to, in a register for all pixels. */
typedef struct limits {
    __m128i low, high;
} limits;

EFM_VECTOR limits limits_of(int32_t low, int32_t high)
{
    return (limits){_mm_set1_epi8((char)low), _mm_set1_epi8((char)high)};
}

/* Saturates the lanes of a block, clamps them, and stores the first n in order. */
EFM_VECTOR void put(const vec *v, const int vectors, const limits *l, int8_t *out, uint32_t n)
{
    vec words = _mm256_packs_epi32(v[0], v[vectors - 1]);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (vectors == 1) { /* each half came twice */
        bytes = _mm_shuffle_epi32(bytes, _MM_SHUFFLE(3, 1, 2, 0));
    }
    bytes = _mm_min_epi8(_mm_max_epi8(bytes, l->low), l->high);
    if (vectors > 1 && n == 16) {
        _mm_storeu_si128((__m128i *)(void *)out, bytes);
    } else if (vectors == 1 && n == 8) {
        _mm_storel_epi64((__m128i *)(void *)out, bytes);
    } else {
        store_some(out, bytes, n);
    }
}

/* The sums of a block in the order of its channels. */
EFM_VECTOR void put_sums(const vec *v, const int vectors, int32_t *sums)
{
#pragma GCC unroll 2
    for (int j = 0; j < vectors; j++) {
        _mm_storeu_si128((__m128i *)(void *)(sums + 4 * j), _mm256_castsi256_si128(v[j]));
        _mm_storeu_si128((__m128i *)(void *)(sums + 4 * (vectors + j)), _mm256_extracti128_si256(v[j], 1));
    }
}

#endif
