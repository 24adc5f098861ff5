/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#if EFM_KERNEL_X86
#include <immintrin.h>

#define EFM_TARGET __attribute__((target("avx2")))
#include "../by_taps.h"

enum { VECTOR = 16, PATCHES = 4096, PATCH_PIXELS = 32 };

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

static inline EFM_TARGET __m256i load8(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline EFM_TARGET void add_to(int32_t *sums, __m128i v)
{
    __m128i *at = (__m128i *)(void *)sums;
    _mm_storeu_si128(at, _mm_add_epi32(_mm_loadu_si128(at), v));
}

/* s[pixel][row] += 16 products */
static inline EFM_TARGET void step(__m256i x0, __m256i x1, const int8_t *const w[4], size_t k, __m256i s[2][4])
{
    for (int r = 0; r < 4; r++) {
        __m256i v = widen(w[r] + k);
        s[0][r] = _mm256_add_epi32(s[0][r], _mm256_madd_epi16(x0, v));
        s[1][r] = _mm256_add_epi32(s[1][r], _mm256_madd_epi16(x1, v));
    }
}

/* The last count % 16 values come with the last 16, of which those already taken become zero. */
static inline EFM_TARGET void dots_by_four(const int8_t *x0, const int8_t *x1, const int8_t *const w[4], size_t count,
                                           int32_t *sums0, int32_t *sums1)
{
    static const int16_t keep[32] = {[16] = -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    __m256i zero = _mm256_setzero_si256();
    __m256i s[2][4] = {{zero, zero, zero, zero}, {zero, zero, zero, zero}};
    size_t k = 0;
    for (; count - k >= 16; k += 16) {
        step(widen(x0 + k), widen(x1 + k), w, k, s);
    }
    if (k < count) {
        __m256i mask = load8(keep + (count - k));
        k = count - 16;
        step(_mm256_and_si256(widen(x0 + k), mask), _mm256_and_si256(widen(x1 + k), mask), w, k, s);
    }
    add_to(sums0, sums_of(s[0]));
    add_to(sums1, sums_of(s[1]));
}

/* Fewer bytes than a vector has. */
static void short_dots(const int8_t *const x[EFM_PAIR], const int8_t *w, size_t stride, uint32_t rows, uint32_t count,
                       int32_t sums[EFM_PAIR][EFM_BLOCK])
{
    for (uint32_t r = 0; r < rows; r++, w += stride) {
        int32_t sum0 = 0, sum1 = 0;
        for (uint32_t k = 0; k < count; k++) {
            sum0 += x[0][k] * w[k];
            sum1 += x[1][k] * w[k];
        }
        sums[0][r] = (int32_t)((uint32_t)sums[0][r] + (uint32_t)sum0);
        sums[1][r] = (int32_t)((uint32_t)sums[1][r] + (uint32_t)sum1);
    }
}

static EFM_TARGET void dots(const int8_t *const x[EFM_PAIR], const int8_t *w, size_t stride, uint32_t rows,
                            uint32_t count, int32_t sums[EFM_PAIR][EFM_BLOCK])
{
    if (count < VECTOR) {
        short_dots(x, w, stride, rows, count, sums);
        return;
    }
    for (uint32_t r = 0; r < rows; r += 4) {
        const int8_t *four[4];
        efm_four_rows(w, stride, r, rows, four);
        dots_by_four(x[0], x[1], four, count, sums[0] + r, sums[1] + r);
    }
}

/* efm_requant_twice of eight values. Products are made of the even and of the odd lanes, and bits 31 .. 62 of each
   are kept. */
static inline EFM_TARGET __m256i scale_twice(__m256i v, __m256i multiplier, __m256i shift)
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

/* size * factor * 2^-right, rounded half up and at most 2^24, of the even lanes; right >= 1. */
static inline EFM_TARGET __m256i scale_even(__m256i size, __m256i high, __m256i low, __m256i right)
{
    const __m256i one = _mm256_set1_epi64x(1), most = _mm256_set1_epi64x((int64_t)1 << 24);
    right = _mm256_and_si256(right, _mm256_set1_epi64x(63));
    __m256i v = _mm256_add_epi64(_mm256_mul_epu32(size, high), _mm256_srli_epi64(_mm256_mul_epu32(size, low), 22));
    v = _mm256_add_epi64(v, _mm256_sllv_epi64(one, _mm256_sub_epi64(right, one)));
    v = _mm256_srlv_epi64(v, right);
    return _mm256_blendv_epi8(v, most, _mm256_cmpgt_epi64(v, most));
}

/* efm_requant_once of eight values. */
static inline EFM_TARGET __m256i scale_once(__m256i v, __m256i high, __m256i low, __m256i shift)
{
    __m256i size = _mm256_abs_epi32(v), right = _mm256_sub_epi32(_mm256_set1_epi32(31), shift);
    __m256i even = scale_even(size, high, low, right);
    __m256i odd = scale_even(_mm256_srli_epi64(size, 32), _mm256_srli_epi64(high, 32), _mm256_srli_epi64(low, 32),
                             _mm256_srli_epi64(right, 32));
    __m256i both = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    __m256i sign = _mm256_srai_epi32(v, 31);
    return _mm256_sub_epi32(_mm256_xor_si256(both, sign), sign);
}

/* One field of eight channel records: value 3 * i + field of three vectors, which lies at that place modulo 8. */
static inline EFM_TARGET __m256i field(const __m256i v[3], int which)
{
    const __m256i places = _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5);
    __m256i all = which == 0   ? _mm256_blend_epi32(_mm256_blend_epi32(v[0], v[1], 0x92), v[2], 0x24)
                  : which == 1 ? _mm256_blend_epi32(_mm256_blend_epi32(v[0], v[1], 0x24), v[2], 0x49)
                               : _mm256_blend_epi32(_mm256_blend_epi32(v[0], v[1], 0x49), v[2], 0x92);
    return _mm256_permutevar8x32_epi32(all, _mm256_add_epi32(places, _mm256_set1_epi32(which)));
}

/* Eight results before the clamp. */
static inline EFM_TARGET __m256i results(const efm_table *t, const int32_t *sums, const uint8_t *channels)
{
    const __m256i records[3] = {load8(channels), load8(channels + 32), load8(channels + 64)};
    __m256i packed = field(records, 2);
    __m256i multiplier = _mm256_and_si256(field(records, 1), _mm256_set1_epi32(INT32_MAX));
    __m256i shift = _mm256_and_si256(_mm256_srli_epi32(packed, 22), _mm256_set1_epi32(63));
    shift = _mm256_add_epi32(shift, _mm256_set1_epi32(EFM_SHIFT_MIN));
    shift = _mm256_min_epi32(shift, _mm256_set1_epi32(EFM_SHIFT_MAX));
    __m256i v = _mm256_add_epi32(load8(sums), field(records, 0));
    v = t->flags & EFM_TABLE_ROUND_ONCE
            ? scale_once(v, multiplier, _mm256_and_si256(packed, _mm256_set1_epi32(0x3fffff)), shift)
            : scale_twice(v, multiplier, shift);
    return _mm256_add_epi32(v, _mm256_set1_epi32(t->zero_point));
}

EFM_TARGET void efm_x86_requantize(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count,
                                   int8_t *out)
{
    const efm_table t = *table; /* a copy that out cannot alias */
    const __m256i least = _mm256_set1_epi32(t.low), most = _mm256_set1_epi32(t.high);
    uint32_t i = 0;
    for (; count - i >= 8; i += 8) {
        __m256i v = results(&t, sums + i, t.channels + EFM_CHANNEL_BYTES * (size_t)(first + i));
        v = _mm256_min_epi32(_mm256_max_epi32(v, least), most);
        __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packs_epi16(words, words));
    }
    for (; i < count; i++) {
        efm_channel c = efm_channel_read(&t, first + i);
        out[i] = efm_requantize(&t, &c, sums[i]);
    }
}

/* Runs shorter than a vector are joined, some pixels at a time. */
static void conv_by_patches(const efm_conv_call *call)
{
    int8_t patches[PATCHES];
    const int8_t *in[PATCH_PIXELS];
    uint32_t depth = call->tile.depth, most = PATCHES / depth < PATCH_PIXELS ? PATCHES / depth : PATCH_PIXELS;
    efm_conv_call some = *call;
    some.runs = 1;
    some.run_bytes = depth;
    some.in = in;
    for (uint32_t p = 0; p < call->pixels; p += some.pixels) {
        int8_t *to = patches;
        some.pixels = call->pixels - p < most ? call->pixels - p : most;
        some.out = call->out + p;
        some.sums = call->flags ? call->sums + p : 0;
        for (uint32_t i = 0; i < some.pixels * call->runs; i++, to += call->run_bytes) {
            memcpy(to, call->in[(size_t)p * call->runs + i], call->run_bytes);
        }
        for (uint32_t i = 0; i < some.pixels; i++) {
            in[i] = patches + (size_t)i * depth;
        }
        efm_conv_by_rows(&some, dots, efm_x86_requantize);
    }
}

void efm_x86_rows_conv(const efm_conv_call *call)
{
    if (call->runs > 1 && call->run_bytes < VECTOR && call->tile.depth <= PATCHES) {
        conv_by_patches(call);
    } else {
        efm_conv_by_rows(call, dots, efm_x86_requantize);
    }
}

static EFM_TARGET void taps(const int8_t *const *x, uint32_t count, const int8_t *w, int32_t w_zero, uint32_t channels,
                            int32_t *sums)
{
    efm_any_taps(x, count, w, w_zero, channels, sums);
}

EFM_TARGET void efm_x86_rows_depthwise(const efm_depthwise_call *call)
{
    efm_depthwise_by_taps(call, taps, efm_x86_requantize);
}

#endif
