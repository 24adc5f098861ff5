/* SPDX-License-Identifier: Apache-2.0 */
/* SDOT by lane: four pixels by sixteen channels in registers, weights [depth / 4][channels][4], so that a loaded
 * vector of a pixel serves sixteen SDOT. 64 SDOT take 4 loads of activations and 4 of weights, four vectors each. */
#include "four.h"

#if EFM_KERNEL_NEON_DOT

enum { PIXELS = 4, VECTORS = 4 };

typedef struct tile {
    int32x4_t sum[PIXELS][VECTORS];
} tile;

#define ALL_PIXELS  EFM_UNROLL(4) for (uint32_t p = 0; p < pixels; p++)
#define ALL_VECTORS EFM_UNROLL(4) for (uint32_t v = 0; v < vectors; v++)

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

/* Four or eight bytes in the low lanes. */
EFM_INLINE EFM_DOT int8x16_t load_four(const int8_t *x)
{
    int8x16_t v;
    __asm__("ldr %s0, %1" : "=w"(v) : "m"(*(const int8_t(*)[4])x));
    return v;
}

EFM_INLINE EFM_DOT int8x16_t load_eight(const int8_t *x)
{
    return vcombine_s8(vld1_s8(x), vdup_n_s8(0));
}

#define LOAD(load, at) \
    ALL_PIXELS \
    { \
        x[p] = load(from[p] + (at)); \
    }

/* Sums of all inputs of pixels whose first runs are in[0], in[runs], .. */
EFM_INLINE EFM_DOT tile add(const efm_neon_job *job, const int8_t *const *in, uint32_t runs, tile t, uint32_t pixels,
                            uint32_t vectors)
{
    const int8_t *w = job->w;
    for (uint32_t run = 0; run < runs; run++, in++) {
        const int8_t *from[PIXELS];
        int8x16_t x[PIXELS];
        ALL_PIXELS
        {
            from[p] = in[p * runs];
        }
        uint32_t left = job->run_bytes;
        for (; left >= 32; left -= 32) {
            int8x16_t next[PIXELS];
            ALL_PIXELS
            {
                from[p] = efm_neon_load_two(from[p], &x[p], &next[p]);
            }
            STEP(0);
            STEP(1);
            STEP(2);
            STEP(3);
            ALL_PIXELS
            {
                x[p] = next[p];
            }
            STEP(0);
            STEP(1);
            STEP(2);
            STEP(3);
        }
        if (left >= 16) {
            LOAD(vld1q_s8, 0)
            ALL_PIXELS
            {
                from[p] += 16;
            }
            left -= 16;
            STEP(0);
            STEP(1);
            STEP(2);
            STEP(3);
        }
        if (left & 8) {
            LOAD(load_eight, 0)
            STEP(0);
            STEP(1);
        }
        if (left & 4) {
            LOAD(load_four, left & 8)
            STEP(0);
        }
        if (left & 3) { /* the last four: weights of those that were taken are zero */
            LOAD(load_four, (int32_t)left - 4)
            STEP(0);
        }
    }
    return t;
}

/* What the channels of a piece have in common with each other, or for all pixels. */
typedef struct formula {
    int32x4_t multiplier[VECTORS], shift[VECTORS];
    int16x8_t zero;
    int8x16_t low, high;
} formula;

EFM_INLINE EFM_DOT void load_vectors(const int32_t *from, int32x4_t to[VECTORS], uint32_t vectors)
{
    ALL_VECTORS
    {
        to[v] = vld1q_s32(from + EFM_NEON_LANES * v);
    }
    EFM_NEON_IN_ORDER(from); /* so that two go in an instruction */
}

EFM_INLINE EFM_DOT formula formula_of(const efm_neon_job *job, uint32_t vectors)
{
    formula f;
    load_vectors(job->multiplier, f.multiplier, vectors);
    load_vectors(job->shift, f.shift, vectors);
    f.zero = vdupq_n_s16((int16_t)job->result->zero_point);
    f.low = vdupq_n_s8((int8_t)job->result->low);
    f.high = vdupq_n_s8((int8_t)job->result->high);
    return f;
}

/* Bytes of a pixel. */
EFM_INLINE EFM_DOT void put(const efm_neon_job *job, int8_t *to, int32x4_t sum[VECTORS], const formula *f,
                            uint32_t vectors, int plain)
{
    int8x16_t bytes;
    ALL_VECTORS
    {
        sum[v] = efm_neon_scale(sum[v], f->multiplier[v], f->shift[v]);
    }
    if (vectors == 4) {
        bytes = vqmovn_high_s16(efm_neon_eight(sum[0], sum[1], f->zero),
                                vqaddq_s16(vqmovn_high_s32(vqmovn_s32(sum[2]), sum[3]), f->zero));
    } else {
        bytes = vcombine_s8(efm_neon_eight(sum[0], sum[vectors - 1], f->zero), vdup_n_s8(0));
    }
    if (!plain) {
        bytes = vminq_s8(vmaxq_s8(bytes, f->low), f->high);
    }
    if (!plain && job->channels < EFM_NEON_LANES * vectors) {
        efm_neon_put_part(to, bytes, job->channels);
    } else if (vectors == 4) {
        vst1q_s8(to, bytes);
    } else if (vectors == 2) {
        vst1_s8(to, vget_low_s8(bytes));
    } else {
        efm_neon_put_four(to, vget_low_s8(bytes), 0);
    }
}

EFM_INLINE EFM_DOT void make(const efm_neon_job *job, efm_neon_place *at, uint32_t pixels, uint32_t vectors, int plain)
{
    tile t;
    ALL_PIXELS
    {
        load_vectors(at->start + (plain ? 0 : p * job->start_step), t.sum[p], vectors);
    }
    t = add(job, at->in, plain ? 1 : job->runs, t, pixels, vectors);
    if (!plain && job->sums) {
        ALL_PIXELS
        {
            ALL_VECTORS
            {
                vst1q_s32(at->sums + p * EFM_NEON_BLOCK + EFM_NEON_LANES * v, t.sum[p][v]);
            }
        }
    } else {
        formula f = formula_of(job, vectors);
        ALL_PIXELS
        {
            put(job, at->out[p] + job->out_at, t.sum[p], &f, vectors, plain);
        }
    }
    efm_neon_go_on(at, job, pixels, plain);
}

EFM_INLINE EFM_DOT void make_all(const efm_neon_job *asked, uint32_t vectors, int plain)
{
    const efm_neon_job job = *asked; /* which no result can alias */
    efm_neon_place at = efm_neon_place_of(&job);
    uint32_t left = job.pixels;
    for (; left >= PIXELS; left -= PIXELS) {
        make(&job, &at, PIXELS, vectors, plain);
    }
    if (left == 3) {
        make(&job, &at, 3, vectors, plain);
    } else if (left == 2) {
        make(&job, &at, 2, vectors, plain);
    } else if (left == 1) {
        make(&job, &at, 1, vectors, plain);
    }
}

EFM_DOT void efm_neon_by_lanes(const efm_neon_job *job)
{
    int plain = efm_neon_is_plain(job);
    if (job->lanes == 4 && plain) {
        make_all(job, 4, 1);
    } else if (job->lanes == 4) {
        make_all(job, 4, 0);
    } else if (job->lanes == 2 && plain) {
        make_all(job, 2, 1);
    } else if (job->lanes == 2) {
        make_all(job, 2, 0);
    } else {
        make_all(job, 1, 0);
    }
}

#endif
