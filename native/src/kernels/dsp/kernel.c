/* SPDX-License-Identifier: Apache-2.0 */
#define EFM_SHARED_HERE
#include "dsp.h"

#if EFM_KERNEL_DSP

/* Those functions of the header that a build for size does not inline. */
extern inline uint32_t efm_dsp_load(const void *p);
extern inline int efm_dsp_channel_read(const efm_table *table, uint32_t o, efm_dsp_channel *to);

/* efm_requant_once; where the low word of the product is shifted out, nothing but its carry counts. */
static inline int32_t scale_once(int32_t v, const efm_channel *c)
{
    if (c->shift >= -1) {
        return efm_requant_once(v, c->multiplier, c->low, c->shift);
    }
    uint32_t size = v < 0 ? 0 - (uint32_t)v : (uint32_t)v, right = (uint32_t)(-1 - c->shift), most = 1u << 24;
    uint32_t low = (uint32_t)((uint64_t)size * c->low >> 22);
    uint32_t high = (uint32_t)(((uint64_t)size * (uint32_t)c->multiplier + low) >> 32);
    uint32_t rounded = (high + (1u << (right - 1))) >> right;
    int32_t result = (int32_t)(rounded < most ? rounded : most);
    return v < 0 ? -result : result;
}

void efm_dsp_requantize(const efm_table *table, const int32_t *sums, uint32_t first, uint32_t count, int8_t *out)
{
    const efm_table t = *table; /* a copy that out cannot alias */
    for (uint32_t i = 0; i < count; i++) {
        efm_channel c = efm_channel_read(&t, first + i);
        int32_t v = (int32_t)((uint32_t)sums[i] + (uint32_t)c.bias);
        v = t.flags & EFM_TABLE_ROUND_ONCE ? scale_once(v, &c) : efm_requant_twice(v, c.multiplier, c.shift);
        out[i] = (int8_t)efm_clamp((int32_t)((uint32_t)v + (uint32_t)t.zero_point), t.low, t.high);
    }
}

void efm_dsp_settle(const efm_conv_call *call, const efm_table *table, uint32_t p, uint32_t o, uint32_t count,
                    int32_t *sums)
{
    for (uint32_t i = 0; call->flags & EFM_SUMS_TAKE && i < count; i++) {
        sums[i] = (int32_t)((uint32_t)sums[i] + (uint32_t)call->sums[p][o + i]);
    }
    if (call->flags & EFM_SUMS_LEAVE) {
        memcpy(call->sums[p] + o, sums, 4 * (size_t)count);
    } else {
        efm_dsp_requantize(table, sums, o, count, call->out[p] + o);
    }
}

static inline void clamp_word(uint32_t *v, uint32_t low, uint32_t high)
{
    uint32_t t;
    __asm("ssub8 %1, %0, %2\n\tsel %0, %0, %2\n\tssub8 %1, %3, %0\n\tsel %0, %0, %3"
          : "+r"(*v), "=&r"(t)
          : "r"(low), "r"(high)
          : "cc");
}

void efm_dsp_clamp(int8_t *bytes, uint32_t count, const efm_table *table)
{
    uint32_t low = (uint8_t)table->low * 0x1010101u, high = (uint8_t)table->high * 0x1010101u;
    for (; count >= 4; count -= 4, bytes += 4) {
        uint32_t v = efm_dsp_load(bytes);
        clamp_word(&v, low, high);
        __builtin_memcpy(bytes, &v, 4);
    }
    for (; count > 0; count--, bytes++) {
        *bytes = (int8_t)efm_clamp(*bytes, table->low, table->high);
    }
}

static int usable(void)
{
    return 1; /* the compiler was told that they are there */
}

const efm_kernel efm_kernel_dsp = {.name = "dsp",
                                   .usable = usable,
                                   .conv_packings = EFM_WITH_CONV_ROWS << EFM_PACKING_ROWS | 1u << EFM_PACKING_HALVES
                                                    | 1u << EFM_PACKING_PAIRS,
                                   .depthwise_packings = 1u << EFM_PACKING_ROWS,
                                   .alignment = 4,
                                   .run_bytes = 32,
                                   .pixels = EFM_DSP_ACROSS,
                                   .conv = efm_dsp_conv,
                                   .depthwise = efm_dsp_depthwise,
                                   .conv_scratch = efm_dsp_conv_scratch,
                                   .depthwise_scratch = efm_dsp_depthwise_scratch};

#endif
