/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel for x86-64 with AVX-VNNI: VPDPBUSD in 256 bits, as processors have it that lack AVX-512. */
#include "avx2.h"

#if EFM_KERNEL_AVXVNNI
/* Built for AVX-512 VL instead, the same code can be tested on a processor that lacks AVX-VNNI. */
#if EFM_KERNEL_AVXVNNI == 2
#define EFM_TARGET  __attribute__((target("avx2,avx512f,avx512vl,avx512vnni")))
#define EFM_DOT     _mm256_dpbusd_epi32
#define EFM_HAS_DOT __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")
#else
#define EFM_TARGET  __attribute__((target("avx2,avxvnni")))
#define EFM_DOT     _mm256_dpbusd_avx_epi32
#define EFM_HAS_DOT has_dot()
#endif
#include "vec256.h"

#include "flip.h"
#include "row.h"

#define EFM_VECTORS 2

EFM_VECTOR vec efm_mac(vec sums, vec x, vec weights)
{
    return EFM_DOT(sums, x, weights);
}

EFM_VECTOR vec flip(vec x)
{
    return _mm256_xor_si256(x, _mm256_set1_epi8((char)EFM_OWN_FLIP));
}

EFM_VECTOR void flip16(const int8_t *x, uint8_t *to)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)x);
    _mm_storeu_si128((__m128i *)(void *)to, _mm_xor_si128(v, _mm_set1_epi8((char)EFM_OWN_FLIP)));
}

/* The rest after blocks of 16, or 8, comes with some that were there before. */
EFM_VECTOR void bring(const int8_t *x, uint32_t n, uint8_t *to)
{
    uint32_t i = 0;
    for (; n - i >= 32; i += 32) {
        store(to + i, flip(load(x + i)));
    }
    if (n - i >= 16) {
        flip16(x + i, to + i);
        i += 16;
    }
    if (i == n) {
        return;
    }
    if (n > 16) {
        flip16(x + (n - 16), to + (n - 16));
    } else if (n >= 8) {
        flip8(x, to);
        flip8(x + (n - 8), to + (n - 8));
    } else {
        for (; i < n; i++) {
            to[i] = (uint8_t)x[i] ^ EFM_OWN_FLIP;
        }
    }
}

/* 16 channels of a pixel, 8 in each 128-bit part. */
EFM_VECTOR vec channels_of(const int8_t *at)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
    return _mm256_permute4x64_epi64(_mm256_castsi128_si256(v), _MM_SHUFFLE(3, 1, 2, 0));
}

EFM_VECTOR void column_of(const row *rows, size_t offset, const int count, uint32_t channels, const int vectors, vec *v)
{
    vec x[4] = {zero(), zero(), zero(), zero()};
    (void)channels;
    EFM_EACH (i, 4) {
        x[i] = i < count ? channels_of(pixel_of(rows + i, offset)) : x[i];
    }
    vec low = flip(_mm256_unpacklo_epi8(x[0], x[1])), high = flip(_mm256_unpacklo_epi8(x[2], x[3]));
    v[0] = _mm256_unpacklo_epi16(low, high);
    v[vectors - 1] = _mm256_unpackhi_epi16(low, high);
}

#include "bytes.h"

#if EFM_KERNEL_AVXVNNI != 2
#include <cpuid.h>

/* The instruction costs microseconds where a machine is virtual: asked once. */
static int has_dot(void)
{
    static int known; /* 0: not yet; else 1 + the answer */
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (answer == 0) {
        unsigned a = 0, b, c, d;
        answer = 1 + (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1));
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer - 1;
}
#endif

static int usable(void)
{
    return efm_avx2_usable() && EFM_HAS_DOT; /* AVX2: the system saves the registers */
}

const efm_kernel efm_kernel_avxvnni = EFM_BYTES_KERNEL("avxvnni");

#endif
