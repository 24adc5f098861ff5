/* SPDX-License-Identifier: Apache-2.0 */
/* RESIZE_NEAREST and RESIZE_BILINEAR. Where a result's row and pixel come from stands in two tables
 * of the weight section, so that no kernel has to divide. */
#include "operand.h"

enum { ROUNDING, BILINEAR_PARAMS };
enum { AWAY, UP };
enum { ONE = 1024, HALF = 1 << 19 };

/* A table entry: an index, and the weight of its successor in 1024ths. */
typedef struct blend {
    uint32_t index;
    int32_t next;
} blend;

static uint32_t nearest_at(const uint8_t *table, uint32_t i)
{
    return efm_load_le16(table + 2 * i);
}

static blend blend_at(const uint8_t *table, uint32_t i)
{
    blend b = {efm_load_le16(table + 4 * i), efm_load_le16(table + 4 * i + 2)};
    return b;
}

static void nearest_rows(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const uint8_t *columns = args->weights + 2 * out->height;
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const uint8_t *from = efm_row(in, nearest_at(args->weights, y));
        uint8_t *to = efm_row(out, y);
        for (uint32_t x = 0; x < out->width; x++) {
            memmove(to, from + (size_t)nearest_at(columns, x) * in->pixel_stride, efm_pixel_bytes(out));
            to += out->pixel_stride;
        }
    }
}

static void nearest_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    (void)input;
    *low = *high = nearest_at(args->weights, y);
}

/* Entries ascend and point into the map. */
static int nearest_fits(const uint8_t *table, uint32_t entries, uint32_t size)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < entries; i++) {
        if (nearest_at(table, i) < last || nearest_at(table, i) >= size) {
            return 0;
        }
        last = nearest_at(table, i);
    }
    return 1;
}

static int operands_fit(const efm_op_args *args, uint32_t n_params, uint32_t entry_bytes)
{
    if (!efm_has_operands(args, 1, 1, n_params)) {
        return 0;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    uint32_t entries = args->weights_bytes / entry_bytes;
    return in->channels == out->channels && in->element == out->element && args->weights_bytes % entry_bytes == 0
           && out->height <= entries && out->width == entries - out->height;
}

static efm_status nearest_check(const efm_op_args *args)
{
    if (!operands_fit(args, 0, 2)) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (!nearest_fits(args->weights, out->height, in->height)
        || !nearest_fits(args->weights + 2 * out->height, out->width, in->width)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* One pixel of the result from four of the input: rows a and b, pixels at and at + next. */
static void blend_pixel(const int8_t *a, const int8_t *b, uint32_t next, int32_t down, int32_t right, int32_t rounding,
                        int8_t *restrict to, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++) {
        int32_t left_side = a[c] * (ONE - down) + b[c] * down;
        int32_t right_side = a[next + c] * (ONE - down) + b[next + c] * down;
        int32_t sum = left_side * (ONE - right) + right_side * right;
        int32_t half = rounding == AWAY && sum < 0 ? HALF - 1 : HALF;
        to[c] = (int8_t)((sum + half) >> 20);
    }
}

static void bilinear_rows(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const uint8_t *columns = args->weights + 4 * out->height;
    const int32_t rounding = efm_param(args, ROUNDING);
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const blend row = blend_at(args->weights, y);
        const int8_t *a = (const int8_t *)efm_row(in, row.index);
        const int8_t *b = (const int8_t *)efm_row(in, row.index + (row.next > 0));
        int8_t *to = (int8_t *)efm_row(out, y);
        for (uint32_t x = 0; x < out->width; x++) {
            const blend pixel = blend_at(columns, x);
            const size_t at = (size_t)pixel.index * in->pixel_stride;
            blend_pixel(a + at, b + at, pixel.next > 0 ? in->pixel_stride : 0, row.next, pixel.next, rounding, to,
                        out->channels);
            to += out->pixel_stride;
        }
    }
}

static void bilinear_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    const blend row = blend_at(args->weights, y);
    (void)input;
    *low = row.index;
    *high = row.index + (row.next > 0);
}

/* Entries ascend, and an index and the successor it needs lie in the map. */
static int bilinear_fits(const uint8_t *table, uint32_t entries, uint32_t size)
{
    uint32_t low = 0, high = 0;
    for (uint32_t i = 0; i < entries; i++) {
        const blend b = blend_at(table, i);
        uint32_t last = b.index + (b.next > 0);
        if (b.index < low || last < high || last >= size || b.next >= ONE) {
            return 0;
        }
        low = b.index;
        high = last;
    }
    return 1;
}

static efm_status bilinear_check(const efm_op_args *args)
{
    if (!operands_fit(args, BILINEAR_PARAMS, 4) || args->in[0].element != 1
        || !efm_param_within(args, ROUNDING, AWAY, UP)) {
        return EFM_BAD_OPERATOR;
    }
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (!bilinear_fits(args->weights, out->height, in->height)
        || !bilinear_fits(args->weights + 4 * out->height, out->width, in->width)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

const efm_op_class efm_op_resize_bilinear = {.id = EFM_OP_RESIZE_BILINEAR,
                                             .flags = EFM_OP_SHARES,
                                             .check = bilinear_check,
                                             .need = bilinear_need,
                                             .run = bilinear_rows};
const efm_op_class efm_op_resize_nearest = {.id = EFM_OP_RESIZE_NEAREST,
                                            .flags = EFM_OP_SHARES,
                                            .check = nearest_check,
                                            .need = nearest_need,
                                            .run = nearest_rows};
