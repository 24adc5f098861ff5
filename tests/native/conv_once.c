/* SPDX-License-Identifier: Apache-2.0 */
/* CONV once, with the kernel that this build chooses: reads an operator, its map and its tile from stdin, prints what
 * the check says and, where that is EFM_OK, every byte of the output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgefm_bytes.h"
#include "ops/op.h"

extern const efm_op_class efm_op_conv;

enum { PARAMS = 8, SIZES = 9 };

static uint8_t *read_bytes(size_t n)
{
    uint8_t *p = malloc(n ? n : 1); /* exactly: emulators and sanitizers see a byte too far */
    if (p == NULL || fread(p, 1, n, stdin) != n) {
        exit(2);
    }
    return p;
}

static efm_rows map(const uint32_t *size)
{
    uint32_t pixel = size[2], row = pixel * size[1];
    return (efm_rows){.row_stride = row,
                      .capacity = size[0],
                      .pixel_stride = pixel,
                      .height = size[0],
                      .width = size[1],
                      .channels = size[2],
                      .element = 1};
}

int main(void)
{
    uint32_t sizes[SIZES]; /* input and output: rows, pixels, channels; packing, bytes of tile and scratch */
    uint8_t *head = read_bytes(4 * (SIZES + PARAMS));
    for (int i = 0; i < SIZES; i++) {
        sizes[i] = efm_load_le32(head + 4 * i);
    }
    efm_rows in = map(sizes), out = map(sizes + 3);
    in.base = read_bytes((size_t)in.row_stride * in.height);
    efm_op_args args = {.params = head + 4 * SIZES,
                        .n_params = PARAMS,
                        .weights = read_bytes(sizes[7]),
                        .weights_bytes = sizes[7],
                        .packing = sizes[6],
                        .in = &in,
                        .n_in = 1,
                        .out = &out,
                        .n_out = 1,
                        .scratch_bytes = sizes[8],
                        .count = out.height};
    efm_status status = efm_op_conv.check(&args);
    printf("%d\n", (int)status);
    if (status == EFM_OK) {
        size_t bytes = (size_t)out.row_stride * out.height;
        out.base = calloc(1, bytes);
        args.scratch = malloc(args.scratch_bytes + 1);
        if (out.base == NULL || args.scratch == NULL) {
            return 2;
        }
        efm_op_conv.run(&args);
        fwrite(out.base, 1, bytes, stdout);
    }
    return 0;
}
