/* SPDX-License-Identifier: Apache-2.0 */
/* What ADD, MUL, MEAN, pools and SOFTMAX want of a processor, element by element. Each function does as many of the
 * first elements as it is good at, perhaps none, and says how many; the operator does the rest, and its loop is the
 * meaning: any parameters give its bits. Functions that no operator calls are not linked. */
#ifndef EFM_ELEMENTS_H
#define EFM_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "../config.h"

typedef struct efm_factor {
    int32_t multiplier; /* >= 0 */
    int32_t shift;      /* EFM_SHIFT_MIN .. EFM_SHIFT_MAX */
} efm_factor;

/* One of the two maps that ADD and MUL take. */
typedef struct efm_operand {
    const int8_t *at;
    int32_t zero;      /* as int8 */
    efm_factor factor; /* ADD: of (value - zero) * 2^EFM_LEFT_SHIFT */
    int32_t sign;      /* ADD: 1 or -1 */
} efm_operand;

typedef struct efm_elements {
    efm_operand a, b;
    int8_t *out;
    uint32_t count;
    efm_factor factor;       /* of the sum, of the product */
    int32_t zero, low, high; /* of the result, as int8 */
} efm_elements;

enum { EFM_LEFT_SHIFT = 20 };

/* TFLite gives the operand of the larger scale the factor 1/2, and the other one that is not larger. */
static inline int efm_is_half(const efm_operand *operand)
{
    return operand->factor.multiplier == 1 << 30 && operand->factor.shift == 0;
}

/* What nearly every ADD is: a half and another, both with their own sign. */
static inline int efm_is_half_sum(const efm_elements *run, const efm_operand **half, const efm_operand **other)
{
    const int first = efm_is_half(&run->a);
    *half = first ? &run->a : &run->b;
    *other = first ? &run->b : &run->a;
    return run->a.sign > 0 && run->b.sign > 0 && efm_is_half(*half);
}

#if EFM_ELEMENTS_VECTORS || EFM_ELEMENTS_DSP
uint32_t efm_add_fast(const efm_elements *run);
uint32_t efm_mul_fast(const efm_elements *run);
#else
#define efm_add_fast(run) ((void)(run), 0u)
#define efm_mul_fast(run) ((void)(run), 0u)
#endif

/* Adds each of the first channels over pixels that lie `stride` bytes apart. */
#if EFM_ELEMENTS_VECTORS || EFM_ELEMENTS_DSP
uint32_t efm_sum_fast(int32_t *sums, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels);
#else
#define efm_sum_fast(sums, at, stride, pixels, channels) 0u
#endif

/* Copies `size` bytes from each of `count` places that lie `from_step` apart. Bytes that overlap become anything. */
#if EFM_ELEMENTS_MVE
uint32_t efm_copy_fast(int8_t *to, size_t to_step, const int8_t *from, size_t from_step, uint32_t count, size_t size);
#else
#define efm_copy_fast(to, to_step, from, from_step, count, size) 0u
#endif

/* Keeps the largest of each of the first channels over such pixels, and of what `most` holds. */
#if EFM_ELEMENTS_VECTORS || EFM_ELEMENTS_DSP
uint32_t efm_max_fast(int8_t *most, const int8_t *at, size_t stride, uint32_t pixels, uint32_t channels);
#else
#define efm_max_fast(most, at, stride, pixels, channels) 0u
#endif

/* Sums of channels over `pixels`, 1 .. 2^22 of them; others than those of int8 are made the nearest that is. */
typedef struct efm_sums {
    const int32_t *at;
    int8_t *out;
    uint32_t count;
    int32_t pixels;
    int32_t offset; /* efm_scale_fast(): of each pixel */
    efm_factor factor; /* and of the sum less its offsets */
    int32_t zero, low, high; /* of the result, as int8 */
} efm_sums;

/* Scaled, and divided by the pixels: rounded half away from zero, or up; `zero` does not count then. */
#if EFM_ELEMENTS_VECTORS || EFM_ELEMENTS_DSP
uint32_t efm_scale_fast(const efm_sums *run);
#else
#define efm_scale_fast(run) ((void)(run), 0u)
#endif
#if EFM_ELEMENTS_VECTORS
uint32_t efm_divide_fast(const efm_sums *run, int up);
#else
#define efm_divide_fast(run, up) ((void)(run), 0u)
#endif

/* Adds the exponentials of values less `top`, in a table of 256, Q0.31 and not negative, as Q12.19. */
enum { EFM_EXPONENTIAL_SHIFT = 12 };

/* What of all they are: products with a scale of Q0.31, shifted by 1 .. 32, from -128 on. */
typedef struct efm_shares {
    const uint8_t *table;
    const int8_t *from;
    int8_t *to;
    uint32_t count;
    int32_t top, scale, shift;
} efm_shares;

#if EFM_ELEMENTS_VECTORS || EFM_ELEMENTS_DSP
uint32_t efm_exponentials_fast(const uint8_t *table, const int8_t *from, int32_t top, uint32_t count, uint32_t *sum);
uint32_t efm_shares_fast(const efm_shares *run);
#else
#define efm_exponentials_fast(table, from, top, count, sum) 0u
#define efm_shares_fast(run)                                ((void)(run), 0u)
#endif

#endif
