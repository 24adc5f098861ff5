/* SPDX-License-Identifier: Apache-2.0 */
/* Times CONV and DEPTHWISE on layers given as lines of standard input:
 *   depthwise(0|1) rows columns channels kernel stride pad_top out_rows out_columns out_channels
 * and prints for each the nanoseconds of the quickest of `argv[1]` runs. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/table.h"
#include "ops/convolution.h"

extern const efm_op_class efm_op_conv, efm_op_depthwise;

enum { PARAMS = 9, SHAPE = 10 };

static uint8_t *bytes_of(size_t n)
{
    uint8_t *p = malloc(n + 1);
    for (size_t i = 0; p && i < n; i++) {
        p[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    return p;
}

static efm_rows map_of(uint32_t height, uint32_t width, uint32_t channels)
{
    efm_rows rows = {bytes_of((size_t)height * width * channels),
                     width * channels,
                     height,
                     channels,
                     height,
                     width,
                     channels,
                     1,
                     -3};
    return rows;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Random weights behind a sane table. */
static uint8_t *tile_of(uint32_t channels, uint32_t weights, uint32_t *bytes)
{
    uint32_t head = EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * channels;
    uint8_t *tile = bytes_of(head + weights);
    if (!tile) {
        return tile;
    }
    memset(tile, 0, EFM_TABLE_HEAD_BYTES);
    tile[EFM_TABLE_AT_LOW] = 0x80, tile[EFM_TABLE_AT_HIGH] = 0x7f, tile[EFM_TABLE_AT_FLAGS] = EFM_TABLE_PROVED;
    for (uint32_t c = 0; c < channels; c++) {
        uint8_t *at = tile + EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * c;
        efm_store_le32(at + EFM_CHANNEL_AT_BIAS, c * 37);
        efm_store_le32(at + EFM_CHANNEL_AT_MULTIPLIER, 0x40000000u + c * 12345);
        efm_store_le32(at + EFM_CHANNEL_AT_SHIFT, (uint32_t)(-8 - EFM_SHIFT_MIN) << 22);
    }
    *bytes = head + weights;
    return tile;
}

static double bench(const uint32_t s[SHAPE], int runs)
{
    const efm_op_class *op = s[0] ? &efm_op_depthwise : &efm_op_conv;
    uint32_t window = s[4] * s[4], depth = window * (s[0] ? 1 : s[3]);
    uint32_t values[PARAMS] = {s[4], s[4], s[5], s[5], 1, 1, s[6], s[6], 1};
    uint8_t params[4 * PARAMS];
    for (int i = 0; i < PARAMS; i++) {
        efm_store_le32(params + 4 * i, values[i]);
    }
    efm_rows in = map_of(s[1], s[2], s[3]), out = map_of(s[7], s[8], s[9]);
    uint32_t scratch = 2 * depth + 5 * s[9];
    efm_op_args args = {.params = params,
                        .n_params = s[0] ? 9 : 8,
                        .in = &in,
                        .n_in = 1,
                        .out = &out,
                        .n_out = 1,
                        .scratch = bytes_of(scratch),
                        .scratch_bytes = scratch,
                        .first = 0,
                        .count = s[7]};
    uint8_t *tile = tile_of(s[9], depth * s[9], &args.weights_bytes);
    args.weights = tile;
    double best = -1;
    uint32_t own = efm_own_tile(&args, (int)s[0], NULL);
    uint8_t *memory = aligned_alloc(64, own / 64 * 64 + 64);
    if (own > 0 && memory != NULL) {
        (void)efm_own_tile(&args, (int)s[0], memory);
    }
    if (op->check(&args) == EFM_OK) {
        args.own = own > 0 ? memory : NULL;
        for (int i = 0; i < runs; i++) {
            double begin = now();
            op->run(&args);
            double took = now() - begin;
            best = best < 0 || took < best ? took : best;
        }
    }
    free(in.base), free(out.base), free(args.scratch), free(tile), free(memory);
    return best;
}

int main(int argc, char **argv)
{
    uint32_t s[SHAPE];
    int runs = argc > 1 ? atoi(argv[1]) : 3;
    for (;;) {
        for (int i = 0; i < SHAPE; i++) {
            if (scanf("%u", &s[i]) != 1) {
                return 0;
            }
        }
        printf("%.0f\n", bench(s, runs));
    }
}
