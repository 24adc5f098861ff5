/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over a map and a second operand, row by row, in spans of elements that lie side by side in both. */
#include "pair.h"

enum { KIND, CONSTANT_ZERO };

/* What the second operand is: a stream of the same shape, a stream of one pixel, one constant per
   channel, a whole constant map. */
enum { OF_MAP, OF_PIXEL, OF_CHANNELS, OF_CONSTANT_MAP };

/* Row y of the second operand, and the bytes from one of its pixels to the next. */
static const int8_t *second_row(const efm_op_args *args, uint32_t y, uint32_t *stride, uint32_t head)
{
    const efm_rows *out = &args->out[0];
    switch (efm_param(args, KIND)) {
    case OF_MAP:
        *stride = args->in[1].pixel_stride;
        return (const int8_t *)efm_row(&args->in[1], y);
    case OF_PIXEL:
        *stride = 0;
        return (const int8_t *)efm_row(&args->in[1], 0);
    case OF_CHANNELS:
        *stride = 0;
        return (const int8_t *)args->weights + head;
    default:
        *stride = out->channels;
        return (const int8_t *)args->weights + head + (size_t)y * efm_row_bytes(out);
    }
}

void efm_pair_rows(const efm_op_args *args, efm_span_function *function, uint32_t head)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const int of_stream = efm_param(args, KIND) <= OF_PIXEL;
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        uint32_t b_stride, pixels = out->width;
        efm_span run = {(const int8_t *)efm_row(in, y),
                        second_row(args, y, &b_stride, head),
                        (int8_t *)efm_row(out, y),
                        out->channels,
                        in->zero_point,
                        of_stream ? args->in[1].zero_point : efm_param(args, CONSTANT_ZERO)};
        if (efm_is_packed(in) && efm_is_packed(out) && b_stride == out->channels) {
            run.elements *= pixels;
            pixels = 1;
        }
        for (uint32_t x = 0; x < pixels; x++) {
            function(args, &run);
            run.a += in->pixel_stride;
            run.b += b_stride;
            run.out += out->pixel_stride;
        }
    }
}

static int second_fits(const efm_op_args *args, uint32_t constants)
{
    const efm_rows *out = &args->out[0], *b = &args->in[1];
    switch (efm_param(args, KIND)) {
    case OF_MAP:
        return args->n_in == 2 && constants == 0 && b->element == 1 && efm_same_shape(b, out);
    case OF_PIXEL:
        return args->n_in == 2 && constants == 0 && b->element == 1 && b->height == 1 && b->width == 1
               && b->channels == out->channels;
    case OF_CHANNELS:
        return args->n_in == 1 && constants == out->channels;
    case OF_CONSTANT_MAP:
        return args->n_in == 1 && constants % efm_row_bytes(out) == 0 && constants / efm_row_bytes(out) == out->height;
    default:
        return 0;
    }
}

int efm_pair_fits(const efm_op_args *args, uint32_t n_params, uint32_t head)
{
    return args->n_in >= 1 && args->n_out == 1 && args->n_params == n_params && args->in[0].element == 1
           && args->out[0].element == 1 && efm_same_shape(&args->in[0], &args->out[0])
           && efm_param_within(args, CONSTANT_ZERO, -128, 127) && args->weights_bytes >= head
           && second_fits(args, args->weights_bytes - head);
}

void efm_pair_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    *low = *high = input == 1 && efm_param(args, KIND) == OF_PIXEL ? 0 : y;
}
