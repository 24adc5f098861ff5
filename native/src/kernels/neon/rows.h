/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of whole vectors: EFM_PIXELS pixels with four rows of weights, sixteen bytes in depth at a time. A file
 * that includes this supplies EFM_TARGET, EFM_PIXELS and, for each kind, `add(sums, x, w, kind)` and its half for
 * eight bytes. Kinds are constants, so that each makes loops of its own. */
#ifndef EFM_NEON_ROWS_H
#define EFM_NEON_ROWS_H

#include "conv.h"

enum { ROWS = EFM_NEON_LANES };

/* Where weights lie, and how their products are added. */
enum {
    KIND_ROWS = 0,  /* in rows; any weights */
    KIND_OWN = 1,   /* [steps][4][16]; any weights */
    KIND_NARROW = 2 /* the same; neighbors fit into 16 bits */
};

EFM_INLINE EFM_TARGET int32x4_t add(int32x4_t sum, int8x16_t x, int8x16_t w, uint32_t kind);
EFM_INLINE EFM_TARGET int32x4_t add_half(int32x4_t sum, int8x8_t x, int8x8_t w);

typedef struct tile {
    int32x4_t sum[EFM_PIXELS][ROWS];
} tile;

#define ALL_PIXELS EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)
#define ALL_ROWS   EFM_UNROLL(4) for (uint32_t r = 0; r < ROWS; r++)

/* Where the weights are read, or, in packing OWN, the first of them alone. */
typedef struct weights {
    const int8_t *row[ROWS];
} weights;

EFM_INLINE EFM_TARGET int8x16_t weights_of(const weights *w, uint32_t r, uint32_t at, uint32_t kind)
{
    return kind == KIND_ROWS ? vld1q_s8(w->row[r] + at) : vld1q_s8(w->row[0] + 16 * r);
}

/* Sixteen bytes in depth, `at` bytes on. */
EFM_INLINE EFM_TARGET void step(tile *t, const int8x16_t *x, weights *w, uint32_t at, uint32_t pixels, uint32_t kind)
{
    ALL_ROWS
    {
        int8x16_t row = weights_of(w, r, at, kind);
        ALL_PIXELS
        {
            t->sum[p][r] = add(t->sum[p][r], x[p], row, kind);
        }
    }
    if (kind != KIND_ROWS) {
        w->row[0] += 16 * ROWS;
    }
}

/* The last `left` bytes of a run of packing ROWS: taken twice where they fill no vector, and zero the first time. */
EFM_INLINE EFM_TARGET void last_of_rows(tile *t, const int8_t *const *x, weights *w, uint32_t bytes, uint32_t left,
                                        uint32_t pixels)
{
    int8x16_t some[EFM_PIXELS];
    if (bytes >= 16) {
        int8x16_t mask = efm_neon_last(left);
        ALL_PIXELS
        {
            some[p] = vandq_s8(vld1q_s8(x[p] + bytes - 16), mask);
        }
        step(t, some, w, bytes - 16, pixels, KIND_ROWS);
        return;
    }
    ALL_PIXELS
    {
        some[p] = efm_neon_part(x[p], left);
    }
    ALL_ROWS
    {
        int8x16_t row = efm_neon_part(w->row[r], left);
        ALL_PIXELS
        {
            t->sum[p][r] = add(t->sum[p][r], some[p], row, KIND_ROWS);
        }
    }
}

/* The same of packing OWN: weights of bytes that were taken before are zero. */
EFM_INLINE EFM_TARGET void last_of_own(tile *t, const int8_t *const *x, weights *w, uint32_t bytes, uint32_t left,
                                       uint32_t pixels, uint32_t kind)
{
    if (left > 8) {
        int8x16_t some[EFM_PIXELS];
        ALL_PIXELS
        {
            some[p] = vld1q_s8(x[p] + bytes - 16);
        }
        step(t, some, w, 0, pixels, kind);
        return;
    }
    int8x8_t some[EFM_PIXELS];
    ALL_PIXELS
    {
        some[p] = vld1_s8(x[p] + bytes - 8);
    }
    ALL_ROWS
    {
        int8x8_t row = vld1_s8(w->row[0] + 8 * r);
        ALL_PIXELS
        {
            t->sum[p][r] = add_half(t->sum[p][r], some[p], row);
        }
    }
}

EFM_INLINE EFM_TARGET void add_run(tile *t, const int8_t *const *x, weights *w, uint32_t bytes, uint32_t pixels,
                                   uint32_t kind)
{
    uint32_t at = 0;
    for (; bytes - at >= 16; at += 16) {
        int8x16_t all[EFM_PIXELS];
        ALL_PIXELS
        {
            all[p] = vld1q_s8(x[p] + at);
        }
        step(t, all, w, at, pixels, kind);
    }
    if (at < bytes && kind == KIND_ROWS) {
        last_of_rows(t, x, w, bytes, bytes - at, pixels);
    } else if (at < bytes) {
        last_of_own(t, x, w, bytes, bytes - at, pixels, kind);
    }
}

EFM_INLINE EFM_TARGET tile add_all(const efm_neon_job *job, uint32_t first, uint32_t pixels, uint32_t kind)
{
    tile t;
    weights w;
    ALL_ROWS
    {
        uint32_t row = r < job->channels ? r : job->channels - 1; /* the last stands in for those past it */
        w.row[r] = kind == KIND_ROWS ? job->w + row * job->w_step : job->w;
        ALL_PIXELS
        {
            t.sum[p][r] = vdupq_n_s32(0);
        }
    }
    for (uint32_t run = 0; run < job->runs; run++) {
        const int8_t *x[EFM_PIXELS];
        ALL_PIXELS
        {
            x[p] = job->in[(first + p) * job->runs + run];
        }
        add_run(&t, x, &w, job->run_bytes, pixels, kind);
        ALL_ROWS
        {
            w.row[r] += kind == KIND_ROWS ? job->run_bytes : 0;
        }
    }
    return t;
}

/* Bytes of one or two pixels, four channels each. */
EFM_INLINE EFM_TARGET void put(const efm_neon_job *job, uint32_t p, uint32_t n, int32x4_t a, int32x4_t b)
{
    const efm_neon_result *r = job->result;
    int8x8_t bytes = efm_neon_eight(a, b, vdupq_n_s16((int16_t)r->zero_point));
    bytes = vmin_s8(vmax_s8(bytes, vdup_n_s8((int8_t)r->low)), vdup_n_s8((int8_t)r->high));
    uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    memcpy(job->out[p] + job->out_at, &four, 4);
    if (n > 1) {
        four = vget_lane_u32(vreinterpret_u32_s8(bytes), 1);
        memcpy(job->out[p + 1] + job->out_at, &four, 4);
    }
}

EFM_INLINE EFM_TARGET void make(const efm_neon_job *job, uint32_t first, uint32_t pixels, uint32_t kind)
{
    tile t = add_all(job, first, pixels, kind);
    int32x4_t sum[EFM_PIXELS];
    ALL_PIXELS
    {
        sum[p] = efm_neon_fold(t.sum[p][0], t.sum[p][1], t.sum[p][2], t.sum[p][3]);
        sum[p] = vaddq_s32(sum[p], vld1q_s32(job->start + (first + p) * job->start_step));
    }
    if (job->sums) {
        ALL_PIXELS
        {
            vst1q_s32(job->sums + (size_t)(first + p) * EFM_NEON_BLOCK, sum[p]);
        }
        return;
    }
    int32x4_t multiplier = vld1q_s32(job->multiplier), shift = vld1q_s32(job->shift);
    ALL_PIXELS
    {
        sum[p] = efm_neon_scale(sum[p], multiplier, shift);
    }
    put(job, first, pixels, sum[0], sum[pixels > 1]);
    if (pixels > 2) {
        put(job, first + 2, pixels - 2, sum[2 % EFM_PIXELS], sum[(pixels - 1) % EFM_PIXELS]);
    }
}

EFM_INLINE EFM_TARGET void make_all(const efm_neon_job *job, uint32_t kind)
{
    uint32_t first = 0, left = job->pixels;
    for (; left >= EFM_PIXELS; left -= EFM_PIXELS, first += EFM_PIXELS) {
        make(job, first, EFM_PIXELS, kind);
    }
    if (EFM_PIXELS > 3 && left == 3) {
        make(job, first, 3 % (EFM_PIXELS + 1), kind);
    } else if (left >= 2) {
        make(job, first, 2, kind);
        first += 2;
    } else if (left == 1) {
        make(job, first, 1, kind);
    }
}

#endif
