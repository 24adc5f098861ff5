/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN over all rows and pixels, which takes its input row by row, and ROW_MEAN over the pixels of each row. Also sums,
 * and a pool over the whole map. */
#include "sums.h"

enum { MULTIPLIER, SHIFT, MODE, CLAMP, PARAMS = CLAMP + 2 };
enum { MULTIPLY, DIVIDE_AWAY, DIVIDE_UP };

static void scale_sums(const efm_sums *run)
{
    for (uint32_t c = efm_scale_fast(run); c < run->count; c++) {
        int32_t v = efm_possible_sum(run->at[c], run->pixels) - run->offset * run->pixels;
        v = efm_requant_twice(v, run->factor.multiplier, run->factor.shift);
        run->out[c] = (int8_t)(efm_clamp(v, run->low - run->zero, run->high - run->zero) + run->zero);
    }
}

/* Writes the pixel that `count` pixels with these sums come to. */
static void finish(const efm_op_args *args, const int32_t *sums, int32_t count, uint8_t *to)
{
    const efm_rows *in = &args->in[0];
    const int32_t mode = efm_param(args, MODE), zero = mode == MULTIPLY ? args->out[0].zero_point : 0;
    const efm_sums run = {.at = sums,
                          .out = (int8_t *)to,
                          .count = in->channels,
                          .pixels = count,
                          .offset = in->zero_point,
                          .factor = {efm_param(args, MULTIPLIER), efm_param(args, SHIFT)},
                          .zero = zero,
                          .low = efm_param(args, CLAMP),
                          .high = efm_param(args, CLAMP + 1)};
    if (mode == MULTIPLY) {
        scale_sums(&run);
    } else {
        efm_divide_sums(&run, mode == DIVIDE_UP);
    }
}

static void run(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0];
    int32_t *sums = (int32_t *)(void *)args->scratch;
    if (args->first == 0) {
        memset(sums, 0, (size_t)in->channels * 4);
    }
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        efm_sum_pixels(in, y, 0, in->width, sums);
    }
    if (args->count == in->height - args->first) {
        finish(args, sums, (int32_t)(in->height * in->width), efm_row(&args->out[0], 0));
    }
}

static void run_rows(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0];
    int32_t *sums = (int32_t *)(void *)args->scratch;
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        memset(sums, 0, (size_t)in->channels * 4);
        efm_sum_pixels(in, y, 0, in->width, sums);
        finish(args, sums, (int32_t)in->width, efm_row(&args->out[0], y));
    }
}

/* `height`: rows of the output, `rows`: of the input, that one pixel is the mean of. */
static efm_status check_of(const efm_op_args *args, uint32_t height, uint32_t rows)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    if (!efm_has_operands(args, 1, 1, PARAMS) || in->element != 1 || out->element != 1 || out->height != height
        || out->width != 1 || in->channels != out->channels || rows > EFM_CELLS_MAX / in->width
        || args->scratch_bytes / 4 < in->channels || args->weights_bytes != 0) {
        return EFM_BAD_OPERATOR;
    }
    if (!efm_is_factor(args, MULTIPLIER) || !efm_param_within(args, MODE, MULTIPLY, DIVIDE_UP)
        || !efm_is_clamp(args, CLAMP)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static efm_status check(const efm_op_args *args)
{
    return check_of(args, 1, args->in[0].height);
}

static efm_status check_rows(const efm_op_args *args)
{
    return check_of(args, args->in[0].height, 1);
}

const efm_op_class efm_op_mean = {
    .id = EFM_OP_MEAN, .flags = EFM_OP_ACCUMULATES, .check = check, .need = efm_need_same, .run = run};
const efm_op_class efm_op_row_mean = {
    .id = EFM_OP_ROW_MEAN, .check = check_rows, .need = efm_need_same, .run = run_rows};
