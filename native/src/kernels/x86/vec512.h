/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 512 bits: what conv.h and depthwise.h are made of. The file that includes this defines EFM_TARGET, and
 * efm_mac(). */
#ifndef EFM_X86_VEC512_H
#define EFM_X86_VEC512_H

#include <immintrin.h>
#include <string.h>

#define EFM_VECTOR static inline __attribute__((always_inline)) EFM_TARGET

typedef __m512i vec;
enum { LANES = 16, VECTORS = 4 };

EFM_VECTOR vec load(const void *p)
{
    return _mm512_loadu_si512(p);
}

EFM_VECTOR void store(void *p, vec v)
{
    _mm512_storeu_si512(p, v);
}

EFM_VECTOR vec zero(void)
{
    return _mm512_setzero_si512();
}

EFM_VECTOR vec all32(int32_t v)
{
    return _mm512_set1_epi32(v);
}

EFM_VECTOR vec add32(vec a, vec b)
{
    return _mm512_add_epi32(a, b);
}

EFM_VECTOR vec add64(vec a, vec b)
{
    return _mm512_add_epi64(a, b);
}

/* Products of even lanes, 64 bits each. */
EFM_VECTOR vec multiply(vec a, vec b)
{
    return _mm512_mul_epi32(a, b);
}

/* Odd lanes at even places. */
EFM_VECTOR vec odd(vec v)
{
    return _mm512_srli_epi64(v, 32);
}

/* The upper halves of even and odd products as lanes. */
EFM_VECTOR vec join(vec even, vec odd)
{
    return _mm512_castps_si512(_mm512_mask_movehdup_ps(_mm512_castsi512_ps(odd), 0x5555, _mm512_castsi512_ps(even)));
}

EFM_VECTOR vec signs(vec v)
{
    return _mm512_srai_epi32(v, 31);
}

EFM_VECTOR vec right(vec v, vec by)
{
    return _mm512_srav_epi32(v, by);
}

/* n ones, n <= 64 */
EFM_VECTOR __mmask64 first(uint32_t n)
{
    return n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
}

/* What bytes are clamped to, in a register for all pixels. */
typedef struct limits {
    vec low, high;
} limits;

EFM_VECTOR limits limits_of(int32_t low, int32_t high)
{
    return (limits){_mm512_set1_epi8((char)low), _mm512_set1_epi8((char)high)};
}

/* Saturates the lanes of a block, clamps them, and stores the first n in order. */
EFM_VECTOR void put(const vec *v, const int vectors, const limits *l, int8_t *out, uint32_t n)
{
    vec bytes;
    if (vectors == 1) {
        bytes = _mm512_castsi128_si512(_mm512_cvtsepi32_epi8(v[0]));
    } else if (vectors == 2) {
        bytes = _mm512_castsi256_si512(_mm512_cvtsepi16_epi8(_mm512_packs_epi32(v[0], v[1])));
    } else {
        bytes = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
    }
    bytes = _mm512_min_epi8(_mm512_max_epi8(bytes, l->low), l->high);
    if (n < (uint32_t)(vectors * LANES)) {
        _mm512_mask_storeu_epi8(out, first(n), bytes);
    } else if (vectors == 1) {
        _mm_storeu_si128((__m128i *)(void *)out, _mm512_castsi512_si128(bytes));
    } else if (vectors == 2) {
        _mm256_storeu_si256((__m256i *)(void *)out, _mm512_castsi512_si256(bytes));
    } else {
        store(out, bytes);
    }
}

/* The sums of a block in the order of its channels. */
EFM_VECTOR void put_sums(const vec *v, const int vectors, int32_t *sums)
{
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) {
        int32_t lanes[LANES];
        store(lanes, v[j]);
        for (int part = 0; part < 4; part++) {
            memcpy(sums + 4 * (part * vectors + j), lanes + 4 * part, 16);
        }
    }
}

#endif
