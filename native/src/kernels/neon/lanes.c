/* SPDX-License-Identifier: Apache-2.0 */
/* SDOT by lane: four pixels by sixteen channels in registers, weights [depth / 4][channels][4], so that a loaded
 * vector of a pixel serves sixteen SDOT. 64 SDOT take 4 loads of activations and 4 of weights, four vectors each. */
#include "conv.h"

#if EFM_KERNEL_NEON_DOT

enum { PIXELS = 4, VECTORS = 4 };

typedef struct tile {
    int32x4_t sum[PIXELS][VECTORS];
} tile;

#define ALL_PIXELS  _Pragma("GCC unroll 4") for (uint32_t p = 0; p < pixels; p++)
#define ALL_VECTORS _Pragma("GCC unroll 4") for (uint32_t v = 0; v < vectors; v++)

/* Weights of one step in depth. */
typedef struct step {
    int8x16_t w[VECTORS];
} step;

EFM_INLINE EFM_DOT step load_step(const int8_t *w, uint32_t vectors)
{
    step s;
    if (vectors == 4) {
        int8x16x4_t four = vld1q_s8_x4(w);
        s.w[0] = four.val[0], s.w[1] = four.val[1], s.w[2] = four.val[2], s.w[3] = four.val[3];
    } else if (vectors == 2) {
        int8x16x2_t two = vld1q_s8_x2(w);
        s.w[0] = two.val[0], s.w[1] = two.val[1];
    } else {
        s.w[0] = vld1q_s8(w);
    }
    return s;
}

#define STEP(lane) \
    do { \
        step s = load_step(w, vectors); \
        w += 16 * vectors; \
        EFM_NEON_IN_ORDER(w); \
        ALL_PIXELS \
        { \
            ALL_VECTORS \
            { \
                t.sum[p][v] = vdotq_laneq_s32(t.sum[p][v], s.w[v], x[p], lane); \
            } \
        } \
    } while (0)

EFM_INLINE EFM_DOT int8x16_t load_four(const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/* Sums of all inputs of `pixels` pixels from pixel `first` on. */
EFM_INLINE EFM_DOT tile add(const efm_neon_job *job, uint32_t first, tile t, uint32_t pixels, uint32_t vectors)
{
    const int8_t *w = job->w;
    for (uint32_t run = 0; run < job->runs; run++) {
        const int8_t *from[PIXELS];
        int8x16_t x[PIXELS];
        ALL_PIXELS
        {
            from[p] = job->in[(first + p) * job->runs + run];
        }
        uint32_t left = job->run_bytes;
        for (; left >= 16; left -= 16) {
            ALL_PIXELS
            {
                x[p] = vld1q_s8(from[p]);
                from[p] += 16;
            }
            STEP(0);
            STEP(1);
            STEP(2);
            STEP(3);
        }
        for (; left >= 4; left -= 4) {
            ALL_PIXELS
            {
                x[p] = load_four(from[p]);
                from[p] += 4;
            }
            STEP(0);
        }
        if (left > 0) { /* the last four: weights of those that were taken are zero */
            ALL_PIXELS
            {
                x[p] = load_four(from[p] + left - 4);
            }
            STEP(0);
        }
    }
    return t;
}

EFM_INLINE EFM_DOT void store(const efm_neon_job *job, uint32_t first, const tile *t, uint32_t pixels, uint32_t vectors)
{
    ALL_PIXELS
    {
        int32_t *to = job->sums + (size_t)(first + p) * EFM_NEON_BLOCK;
        ALL_VECTORS
        {
            vst1q_s32(to + EFM_NEON_LANES * v, t->sum[p][v]);
        }
    }
}

/* Bytes of a pixel. */
EFM_INLINE EFM_DOT void put(int8_t *to, const int32x4_t v[VECTORS], uint32_t vectors, const efm_neon_result *r,
                            int16x8_t zero, uint32_t full)
{
    if (vectors == 4) {
        int8x16_t bytes = vcombine_s8(efm_neon_eight(v[0], v[1], zero), efm_neon_eight(v[2], v[3], zero));
        if (!full) {
            bytes = vminq_s8(vmaxq_s8(bytes, vdupq_n_s8((int8_t)r->low)), vdupq_n_s8((int8_t)r->high));
        }
        vst1q_s8(to, bytes);
    } else {
        int8x8_t bytes = efm_neon_eight(v[0], v[vectors - 1], zero);
        if (!full) {
            bytes = vmin_s8(vmax_s8(bytes, vdup_n_s8((int8_t)r->low)), vdup_n_s8((int8_t)r->high));
        }
        if (vectors == 2) {
            vst1_s8(to, bytes);
        } else {
            uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
            memcpy(to, &four, 4);
        }
    }
}

EFM_INLINE EFM_DOT void requantize(const efm_neon_job *job, uint32_t first, const tile *t, uint32_t pixels,
                                   uint32_t vectors)
{
    const efm_neon_result *r = job->result;
    int16x8_t zero = vdupq_n_s16((int16_t)r->zero_point);
    uint32_t full = r->low == INT8_MIN && r->high == INT8_MAX;
    int32x4_t multiplier[VECTORS], shift[VECTORS];
    ALL_VECTORS
    {
        multiplier[v] = vld1q_s32(job->multiplier + EFM_NEON_LANES * v);
        shift[v] = vld1q_s32(job->shift + EFM_NEON_LANES * v);
    }
    ALL_PIXELS
    {
        int32x4_t scaled[VECTORS];
        ALL_VECTORS
        {
            scaled[v] = efm_neon_scale(t->sum[p][v], multiplier[v], shift[v]);
        }
        put(job->out[first + p] + job->out_at, scaled, vectors, r, zero, full);
    }
}

EFM_INLINE EFM_DOT void make(const efm_neon_job *job, uint32_t first, uint32_t pixels, uint32_t vectors)
{
    tile t;
    const int32_t *start = job->start + first * job->start_step;
    ALL_PIXELS
    {
        ALL_VECTORS
        {
            t.sum[p][v] = vld1q_s32(start + p * job->start_step + EFM_NEON_LANES * v);
        }
    }
    t = add(job, first, t, pixels, vectors);
    if (job->sums) {
        store(job, first, &t, pixels, vectors);
    } else {
        requantize(job, first, &t, pixels, vectors);
    }
}

EFM_INLINE EFM_DOT void make_all(const efm_neon_job *job, uint32_t vectors)
{
    uint32_t first = 0, left = job->pixels;
    for (; left >= PIXELS; left -= PIXELS, first += PIXELS) {
        make(job, first, PIXELS, vectors);
    }
    if (left == 3) {
        make(job, first, 3, vectors);
    } else if (left == 2) {
        make(job, first, 2, vectors);
    } else if (left == 1) {
        make(job, first, 1, vectors);
    }
}

static EFM_DOT void by_lanes(const efm_neon_job *job)
{
    if (job->lanes == 4) {
        make_all(job, 4);
    } else if (job->lanes == 2) {
        make_all(job, 2);
    } else {
        make_all(job, 1);
    }
}

/* Four bytes, or any number above. */
static uint32_t pixel_bytes(uint32_t depth)
{
    return depth < 4 ? 4 : depth;
}

static uint32_t lane_bytes(uint32_t depth)
{
    return EFM_NEON_LANES * ((pixel_bytes(depth) + 3) / 4 * 4);
}

/* [steps][channels][4]. The last step ends with the last weights, and those that it has in common with the one before
   are zero. */
static void pack(const int8_t *w, uint32_t channels, uint32_t lanes, uint32_t depth, int8_t *to)
{
    uint32_t bytes = pixel_bytes(depth);
    for (uint32_t k = 0; k < bytes; k += 4) {
        uint32_t begin = k + 4 > bytes ? bytes - 4 : k;
        for (uint32_t r = 0; r < EFM_NEON_LANES * lanes; r++) {
            for (uint32_t i = 0; i < 4; i++, to++) {
                uint32_t at = begin + i;
                *to = r < channels && at >= k && at < depth ? w[(size_t)r * depth + at] : 0;
            }
        }
    }
}

const efm_neon_loops efm_neon_loops_dot = {.rows = efm_neon_rows_dot,
                                           .own = by_lanes,
                                           .own_safe = by_lanes,
                                           .lanes = EFM_NEON_LANES_MOST,
                                           .run_multiple = 4,
                                           .pixel_bytes = pixel_bytes,
                                           .lane_bytes = lane_bytes,
                                           .pack = pack};

#endif
