/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for x86-64 with AVX-512 VNNI: VPDPBUSD of unsigned inputs, x + 128, and signed weights. */
#include "avx2.h"

#if EFM_KERNEL_AVX512
#define EFM_TARGET __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#include "flip.h"
#include "own.h"
#include "row.h"
#include "vec512.h"

#define EFM_VECTORS 4

EFM_VECTOR vec efm_mac(vec sums, vec x, vec weights)
{
    return _mm512_dpbusd_epi32(sums, x, weights);
}

EFM_VECTOR vec flip(vec x)
{
    return _mm512_xor_si512(x, _mm512_set1_epi8((char)EFM_OWN_FLIP));
}

/* What follows the n bytes becomes anything, up to a vector. Stores that cross lines cost more than others. */
EFM_VECTOR void bring(const int8_t *x, uint32_t n, uint8_t *to)
{
    for (; n > 64; n -= 64, x += 64, to += 64) {
        store(to, flip(load(x)));
    }
    if (n > 32) {
        store(to, flip(_mm512_maskz_loadu_epi8(first(n), x)));
    } else if (n > 16) {
        __m256i v = _mm256_maskz_loadu_epi8((__mmask32)first(n), x);
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_xor_si256(v, _mm256_set1_epi8((char)EFM_OWN_FLIP)));
    } else if (n >= 8) {
        flip8(x, to);
        flip8(x + (n - 8), to + (n - 8));
    } else {
        __m128i v = _mm_maskz_loadu_epi8((__mmask16)first(n), x);
        _mm_storeu_si128((__m128i *)(void *)to, _mm_xor_si128(v, _mm_set1_epi8((char)EFM_OWN_FLIP)));
    }
}

/* Channels in every 128-bit part: all 16 of four vectors, the first 8 of two. */
EFM_VECTOR vec channels_of(const int8_t *at, uint32_t channels, const int vectors)
{
    if (vectors == 4) {
        return _mm512_maskz_loadu_epi8(first(channels), at);
    }
    const vec apart = _mm512_setr_epi64(0, 4, 1, 4, 2, 4, 3, 4);
    __m256i v = _mm256_maskz_loadu_epi8((__mmask32)first(channels), at);
    return _mm512_permutexvar_epi64(apart, _mm512_zextsi256_si512(v));
}

EFM_VECTOR void column_of(const row *rows, size_t offset, const int count, uint32_t channels, const int vectors, vec *v)
{
    vec x[4] = {zero(), zero(), zero(), zero()};
    EFM_EACH (i, 4) {
        x[i] = i < count ? flip(channels_of(pixel_of(rows + i, offset), channels, vectors)) : x[i];
    }
    vec low = _mm512_unpacklo_epi8(x[0], x[1]), high = _mm512_unpacklo_epi8(x[2], x[3]);
    v[0] = _mm512_unpacklo_epi16(low, high);
    v[1] = _mm512_unpackhi_epi16(low, high);
    if (vectors == 4) {
        low = _mm512_unpackhi_epi8(x[0], x[1]), high = _mm512_unpackhi_epi8(x[2], x[3]);
        v[2] = _mm512_unpacklo_epi16(low, high);
        v[3] = _mm512_unpackhi_epi16(low, high);
    }
}

#include "bytes.h"

static int usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
           && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

const efm_kernel efm_kernel_avx512 = EFM_BYTES_KERNEL("avx512");

#endif
