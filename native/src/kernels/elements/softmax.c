/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX of a pixel's channels: exponentials are looked up by what a value is less than the largest one. */
#include "../elements.h"

#if EFM_ELEMENTS_VECTORS
#include "lanes.h"

static inline EFM_TARGET lanes exponentials(const uint8_t *table, const int8_t *from, int32_t top)
{
    return look_up(table, within(minus(all(top), load(from)), 0, 255));
}

/* Half up, of what is not negative: twice the quotient, and one more, halved. */
static inline EFM_TARGET lanes rounded(lanes v, int32_t bits)
{
    return shifted(plus(shifted(v, bits - 1), all(1)), 1);
}

static EFM_TARGET uint32_t add(const uint8_t *table, const int8_t *from, int32_t top, uint32_t count, uint32_t *sum)
{
    lanes v = all(0);
    int32_t each[LANES];
    for (uint32_t c = 0; c < count; c += LANES) {
        v = plus(v, rounded(exponentials(table, from + c, top), EFM_EXPONENTIAL_SHIFT));
    }
    store_sums(each, v);
    for (uint32_t i = 0; i < LANES; i++) {
        *sum += (uint32_t)each[i];
    }
    return count;
}

uint32_t efm_exponentials_fast(const uint8_t *table, const int8_t *from, int32_t top, uint32_t count, uint32_t *sum)
{
    count = whole(count, LANES);
    return count > 0 ? add(table, from, top, count, sum) : 0;
}

static EFM_TARGET uint32_t share(const efm_shares *run, uint32_t count)
{
    const lanes_factor factor = factor_of(&(efm_factor){run->scale, 0}, 0);
    const lanes_limits limits = limits_of(-128, -128, 127);
    for (uint32_t c = 0; c < count; c += LANES) {
        lanes v = scaled(exponentials(run->table, run->from + c, run->top), &factor);
        store(run->to + c, rounded(v, run->shift), &limits);
    }
    return count;
}

uint32_t efm_shares_fast(const efm_shares *run)
{
    uint32_t count = run->scale >= 0 ? whole(run->count, LANES) : 0;
    return count > 0 ? share(run, count) : 0;
}

#endif
