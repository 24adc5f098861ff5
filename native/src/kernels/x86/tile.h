/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of CONV: up to EFM_TILE pixels by a block of channels, whose sums stay in registers. There is a
 * function for each number of pixels and of vectors, so that no unneeded pixel is computed. The file that includes
 * this has EFM_VECTORS, the vectors of a block at most, EFM_WEIGHTS, the bytes of a vector's weights for a dword of
 * inputs, and load_weights(). */
#ifndef EFM_X86_TILE_H
#define EFM_X86_TILE_H

#include "finish.h"
#include "row.h"

enum { EFM_TILE = 6 };

typedef struct tile {
    const efm_own_head *own;
    const efm_own_block *block;
    const uint8_t *x;       /* [pixels] at `stride`, `steps` dwords each */
    const uint8_t *weights; /* [steps][vectors] */
    uint32_t stride, steps;
    const int32_t *add;     /* [pixels], to every channel; or null */
    int32_t *carry;         /* [pixels][EFM_OWN_BLOCK] */
    int8_t *const *out;     /* [pixels] */
    int goes_on, stays;     /* sums begin as `carry`; they end there, in order of vectors */
    int raw;                /* sums without bias end in `carry`, in order of channels */
} tile;

/* Four bytes for every lane. */
EFM_VECTOR vec repeat(const uint8_t *x)
{
    int32_t dword;
    memcpy(&dword, x, 4);
    return all32(dword);
}

EFM_VECTOR void start(const tile *t, const int pixels, const int vectors, vec sums[EFM_TILE][VECTORS])
{
    const int which = t->raw ? EFM_OWN_START : EFM_OWN_BIASED;
    EFM_EACH (j, vectors) {
        const vec first = load(constants_of(t->own, t->block, j) + which * LANES);
        EFM_EACH (p, pixels) {
            sums[p][j] = t->goes_on ? load(t->carry + p * EFM_OWN_BLOCK + j * LANES) : first;
            sums[p][j] = t->add ? add32(sums[p][j], all32(t->add[p])) : sums[p][j];
        }
    }
}

/* sums += the chunk's products. */
EFM_VECTOR void accumulate(const tile *t, const int pixels, const int vectors, vec sums[EFM_TILE][VECTORS])
{
    const uint8_t *w = t->weights, *x = t->x, *const end = x + 4 * (size_t)t->steps;
    const size_t stride = t->stride;
#pragma GCC unroll 4
    for (; x != end; x += 4, w += EFM_WEIGHTS * (size_t)vectors) {
        vec weights[VECTORS];
        EFM_EACH (j, vectors) {
            weights[j] = load_weights(w + EFM_WEIGHTS * (size_t)j);
        }
        EFM_EACH (p, pixels) {
            const vec four = repeat(x + (size_t)p * stride);
            EFM_EACH (j, vectors) {
                sums[p][j] = efm_mac(sums[p][j], four, weights[j]);
            }
        }
    }
}

EFM_VECTOR void keep(const tile *t, const int pixels, const int vectors, vec sums[EFM_TILE][VECTORS])
{
    EFM_EACH (p, pixels) {
        int32_t *to = t->carry + p * EFM_OWN_BLOCK;
        if (!t->stays) {
            put_sums(sums[p], vectors, to);
            continue;
        }
        EFM_EACH (j, vectors) {
            store(to + j * LANES, sums[p][j]);
        }
    }
}

EFM_VECTOR void finish(const tile *t, const int pixels, const int vectors, vec sums[EFM_TILE][VECTORS])
{
    const limits l = limits_of(t->own->low, t->own->high);
    const uint32_t first = t->block->first, channels = t->block->channels;
    EFM_EACH (j, vectors) {
        const scale s = scale_of(constants_of(t->own, t->block, j));
        if (t->block->finish == EFM_OWN_RELU) {
            EFM_EACH (p, pixels) {
                sums[p][j] = finish_relu(sums[p][j], &s);
            }
        } else {
            EFM_EACH (p, pixels) {
                sums[p][j] = finish_signed(sums[p][j], &s);
            }
        }
    }
    EFM_EACH (p, pixels) {
        put(sums[p], vectors, &l, t->out[p] + first, channels);
    }
}

EFM_VECTOR void make(const tile *t, const int pixels, const int vectors)
{
    vec sums[EFM_TILE][VECTORS];
    start(t, pixels, vectors, sums);
    accumulate(t, pixels, vectors, sums);
    if (t->stays || t->raw) {
        keep(t, pixels, vectors, sums);
    } else {
        finish(t, pixels, vectors, sums);
    }
}

#define EFM_TILE_OF(pixels, vectors) \
    static EFM_TARGET __attribute__((noinline)) void make_##pixels##x##vectors(const tile *t) \
    { \
        make(t, pixels, vectors); \
    }
#define EFM_TILES_OF(vectors) \
    EFM_TILE_OF(1, vectors) \
    EFM_TILE_OF(2, vectors) \
    EFM_TILE_OF(3, vectors) \
    EFM_TILE_OF(4, vectors) \
    EFM_TILE_OF(5, vectors) \
    EFM_TILE_OF(6, vectors)
#define EFM_TILE_ROW(vectors) \
    {make_1x##vectors, make_2x##vectors, make_3x##vectors, make_4x##vectors, make_5x##vectors, make_6x##vectors}

EFM_TILES_OF(1)
EFM_TILES_OF(2)
#if EFM_VECTORS == 4
EFM_TILES_OF(4)
#endif

/* [vectors / 2][pixels - 1] */
static void (*const makers[][EFM_TILE])(const tile *t) = {
    EFM_TILE_ROW(1),
    EFM_TILE_ROW(2),
#if EFM_VECTORS == 4
    EFM_TILE_ROW(4),
#endif
};

#endif
