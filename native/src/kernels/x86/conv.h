/* SPDX-License-Identifier: Apache-2.0 */
/* CONV on tiles of own.h. The inputs of some pixels come into a strip on the stack, as dwords that an instruction
 * multiplies by the weights of a vector of channels at once; then each block of channels takes up to EFM_TILE pixels
 * at a time (tile.h). Deep pixels come in chunks, and sums wait in `carry` meanwhile. */
#ifndef EFM_X86_CONV_H
#define EFM_X86_CONV_H

#include "rows.h"
#include "tile.h"

enum {
    EFM_STRIP_BYTES = 12288, /* and a vector more, which bring() may overwrite */
    EFM_STRIP_PIXELS = 96,
    EFM_CHUNK = EFM_STRIP_BYTES / 4 / EFM_TILE, /* dwords of a pixel */
    EFM_BLOCKS = EFM_OWN_BLOCK / (LANES * VECTORS) /* that share a chunk */
};

/* Some pixels of a call, and a chunk of their inputs. */
typedef struct strip {
    const efm_conv_call *call;
    const efm_own_head *own;
    uint32_t first, pixels;    /* of the call's */
    uint32_t chunk, at, steps; /* dwords of a pixel: in a full chunk, before this one, in it */
    uint8_t *x;                /* [pixels][chunk] dwords */
    int32_t *add, *carry;
} strip;

/* `count` inputs of a pixel from input `at` on. Runs that touch come as one. */
EFM_VECTOR void bring_pixel(const efm_conv_call *call, uint32_t p, uint32_t at, uint32_t count, uint8_t *to)
{
    const int8_t *const *run = call->in + (size_t)p * call->runs;
    const uint32_t run_bytes = call->run_bytes;
    if (at > 0) {
        run += at / run_bytes;
        at %= run_bytes;
    }
    for (; count > 0; at = 0) {
        const int8_t *from = *run++ + at;
        uint32_t n = run_bytes - at;
        for (; n < count && *run == from + n; run++) {
            n += run_bytes;
        }
        n = n < count ? n : count;
        bring(from, n, to);
        to += n * EFM_ELEMENT;
        count -= n;
    }
}

/* The sum of a pixel's inputs in a strip. */
EFM_VECTOR int32_t sum_of(const uint8_t *x, uint32_t steps)
{
    const vec ones = all32(EFM_ONES);
    int32_t lanes[LANES] = {0}, sum = 0 - (int32_t)(steps * EFM_GROUP * EFM_RAISED);
    vec sums = zero();
    uint32_t left = steps;
    for (; left >= LANES; left -= LANES, x += sizeof(vec)) {
        sums = efm_mac(sums, load(x), ones);
    }
    memcpy(lanes, x, 4 * (size_t)left);
    store(lanes, efm_mac(sums, load(lanes), ones));
    for (int i = 0; i < LANES; i++) {
        sum += lanes[i];
    }
    return sum;
}

static EFM_TARGET void bring_strip(const strip *s)
{
    const uint32_t at = s->at * EFM_GROUP, left = s->call->tile.depth - at;
    const uint32_t count = left < s->steps * EFM_GROUP ? left : s->steps * EFM_GROUP;
    const size_t stride = 4 * (size_t)s->chunk;
    uint8_t *to = s->x;
    for (uint32_t p = 0; p < s->pixels; p++, to += stride) {
        if (s->call->runs == 1) {
            bring(s->call->in[s->first + p] + at, count, to);
        } else {
            bring_pixel(s->call, s->first + p, at, count, to);
        }
        if (count % EFM_GROUP > 0) {
            bring_nothing(s->steps * EFM_GROUP - count, to + (size_t)count * EFM_ELEMENT);
        }
    }
    for (uint32_t p = 0; s->own->weight_zero != 0 && p < s->pixels; p++) {
        uint32_t sum = (uint32_t)sum_of(s->x + p * stride, s->steps);
        s->add[p] = (int32_t)(0 - (uint32_t)s->own->weight_zero * sum);
    }
}

/* What raw sums in `carry` become. */
static void finish_raw(const strip *s, const efm_own_block *block, uint32_t p, int32_t *sums)
{
    const efm_conv_call *call = s->call;
    int32_t *theirs = call->flags ? call->sums[p] + block->first : 0;
    for (uint32_t c = 0; call->flags & EFM_SUMS_TAKE && c < block->channels; c++) {
        sums[c] = (int32_t)((uint32_t)sums[c] + (uint32_t)theirs[c]);
    }
    if (call->flags & EFM_SUMS_LEAVE) {
        memcpy(theirs, sums, 4 * (size_t)block->channels);
    } else {
        const efm_table table = efm_table_read((const uint8_t *)s->own + s->own->table);
        efm_x86_requantize(&table, sums, block->first, block->channels, call->out[p] + block->first);
    }
}

/* All pixels of a strip for a block of channels, in tiles of equal size. `carry` has room for those of a tile. */
static EFM_TARGET void make_block(const strip *s, const efm_own_block *block, int32_t *carry, int goes_on, int stays)
{
    tile t = {.own = s->own,
              .block = block,
              .stride = 4 * s->chunk,
              .steps = s->steps,
              .carry = carry,
              .goes_on = goes_on,
              .stays = stays,
              .raw = s->call->flags != 0 || block->finish == EFM_OWN_ANY};
    t.weights = (const uint8_t *)s->own + block->weights + (size_t)s->at * block->vectors * EFM_WEIGHTS;
    uint32_t tiles = (s->pixels + EFM_TILE - 1) / EFM_TILE;
    for (uint32_t i = 0, p = 0; i < tiles; i++) {
        uint32_t n = (s->pixels - p) / (tiles - i);
        t.x = s->x + (size_t)p * t.stride;
        t.add = s->own->weight_zero ? s->add + p : 0;
        t.out = s->call->out + s->first + p;
        makers[block->vectors / 2][n - 1](&t);
        for (uint32_t k = 0; t.raw && !stays && k < n; k++) {
            finish_raw(s, block, s->first + p + k, carry + k * EFM_OWN_BLOCK);
        }
        p += n;
    }
}

/* Blocks from `first` on for which sums wait together. */
static EFM_TARGET void make_chunks(strip *s, uint32_t first, uint32_t count, uint32_t steps)
{
    for (s->at = 0; s->at < steps; s->at += s->steps) {
        s->steps = s->chunk < steps - s->at ? s->chunk : steps - s->at;
        bring_strip(s);
        for (uint32_t b = 0; b < count; b++) {
            make_block(s, &s->own->block[first + b], s->carry + b % EFM_BLOCKS * LANES * VECTORS, s->at > 0,
                       s->at + s->steps < steps);
        }
    }
}

static EFM_TARGET void conv(const efm_conv_call *call)
{
    _Alignas(64) uint8_t x[EFM_STRIP_BYTES + sizeof(vec)];
    _Alignas(64) int32_t carry[EFM_TILE * EFM_OWN_BLOCK];
    int32_t add[EFM_STRIP_PIXELS];
    if (call->tile.packing == EFM_PACKING_ROWS) {
        efm_x86_rows_conv(call);
        return;
    }
    strip s = {.call = call, .own = efm_own(&call->tile), .x = x, .add = add, .carry = carry};
    uint32_t steps = (call->tile.depth + EFM_GROUP - 1) / EFM_GROUP, chunks = (steps + EFM_CHUNK - 1) / EFM_CHUNK;
    s.chunk = (steps + chunks - 1) / chunks;
    uint32_t most = EFM_STRIP_BYTES / 4 / s.chunk / EFM_TILE * EFM_TILE;
    most = most < EFM_STRIP_PIXELS ? most : EFM_STRIP_PIXELS;
    most = chunks == 1 ? most : EFM_TILE;
    uint32_t together = chunks == 1 ? s.own->blocks : EFM_BLOCKS;
    for (s.first = 0; s.first < call->pixels; s.first += s.pixels) {
        s.pixels = call->pixels - s.first < most ? call->pixels - s.first : most;
        for (uint32_t b = 0; b < s.own->blocks; b += together) {
            make_chunks(&s, b, s.own->blocks - b < together ? s.own->blocks - b : together, steps);
        }
    }
}

#endif
