/* SPDX-License-Identifier: Apache-2.0 */
/* Means of channels from their sums. */
#include "../elements.h"

#if EFM_ELEMENTS_VECTORS
#include "lanes.h"

static EFM_TARGET uint32_t scale(const efm_sums *run, uint32_t count)
{
    const lanes_factor factor = factor_of(&run->factor, 0);
    const lanes_limits limits = limits_of(run->zero, run->low, run->high);
    const int32_t offset = run->offset * run->pixels, least = -128 * run->pixels, most = 127 * run->pixels;
    for (uint32_t c = 0; c < count; c += LANES) {
        lanes sum = within(load_sums(run->at + c), least, most);
        store(run->out + c, scaled(minus_all(sum, offset), &factor), &limits);
    }
    return count;
}

uint32_t efm_scale_fast(const efm_sums *run)
{
    uint32_t count = whole(run->count, LANES);
    return count > 0 ? scale(run, count) : 0;
}

/* Of divisors up to this one: a quotient below 2^8 is the upper half of a product with 2^32 / divisor, rounded up. */
enum { DIVISOR_MOST = 1 << 12 };

/* Sums that are made positive before and less again after it: by the sign, or by 128 for each pixel. */
static EFM_TARGET uint32_t divide(const efm_sums *run, int up, uint32_t count)
{
    const int32_t n = run->pixels, raised = (up ? 128 * n : 0) + n / 2;
    const uint32_t part = UINT32_MAX / (uint32_t)n + 1;
    const lanes_limits limits = limits_of(up ? -128 : 0, run->low, run->high);
    for (uint32_t c = 0; c < count; c += LANES) {
        lanes sum = within(load_sums(run->at + c), -128 * n, 127 * n), sign = up ? all(0) : shifted(sum, 31);
        sum = plus(minus(flipped(sum, sign), sign), all(raised));
        sum = upper(sum, part);
        store(run->out + c, minus(flipped(sum, sign), sign), &limits);
    }
    return count;
}

uint32_t efm_divide_fast(const efm_sums *run, int up)
{
    uint32_t count = run->pixels > 1 && run->pixels <= DIVISOR_MOST ? whole(run->count, LANES) : 0;
    return count > 0 ? divide(run, up, count) : 0;
}

#endif
