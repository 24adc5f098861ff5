/* SPDX-License-Identifier: Apache-2.0 */
/* RESHAPE and TRANSPOSE: the elements of a map in other rows. */
#include "operand.h"

enum { DIMS = 3, PARAMS = 2 * DIMS };
enum { ELEMENTS_MAX = 1 << 28 };

static uint32_t elements_of(const efm_rows *rows)
{
    return rows->width * rows->channels;
}

/* Both maps have rows without gaps, the same elements, and sizes that fit 32 bits. */
static int maps_fit(const efm_op_args *args)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    return in->element == out->element && efm_is_packed(in) && efm_is_packed(out)
           && in->height <= ELEMENTS_MAX / elements_of(in) && out->height <= ELEMENTS_MAX / elements_of(out)
           && in->height * elements_of(in) == out->height * elements_of(out);
}

/* -- RESHAPE: both maps are one run of bytes ------------------------------------------------------ */

static void reshape_row(const efm_rows *in, const efm_rows *out, uint32_t y)
{
    const uint32_t row_bytes = efm_row_bytes(in);
    uint32_t left = efm_row_bytes(out), at = y * left;
    uint8_t *to = efm_row(out, y);
    while (left > 0) {
        uint32_t skip = at % row_bytes, bytes = row_bytes - skip < left ? row_bytes - skip : left;
        memmove(to, efm_row(in, at / row_bytes) + skip, bytes);
        to += bytes;
        at += bytes;
        left -= bytes;
    }
}

static void reshape_rows(const efm_op_args *args)
{
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        reshape_row(&args->in[0], &args->out[0], y);
    }
}

static void reshape_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    const uint32_t row_bytes = efm_row_bytes(&args->in[input]), out_bytes = efm_row_bytes(&args->out[0]);
    *low = y * out_bytes / row_bytes;
    *high = (y * out_bytes + out_bytes - 1) / row_bytes;
}

static efm_status reshape_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, 0) || args->weights_bytes != 0 || !maps_fit(args)) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

/* -- TRANSPOSE: parameters are the input's three dimensions, then their order in the result ------- */

/* Distance, in elements of the input, between neighbors along each dimension of the result. */
static void steps_of(const efm_op_args *args, uint32_t dims[DIMS], uint32_t steps[DIMS])
{
    const uint32_t size[DIMS] = {(uint32_t)efm_param(args, 0), (uint32_t)efm_param(args, 1),
                                 (uint32_t)efm_param(args, 2)};
    const uint32_t step[DIMS] = {size[1] * size[2], size[2], 1};
    for (uint32_t d = 0; d < DIMS; d++) {
        dims[d] = size[efm_param(args, DIMS + d)];
        steps[d] = step[efm_param(args, DIMS + d)];
    }
}

static void transpose_row(const efm_op_args *args, uint32_t y)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const uint32_t per_row = elements_of(in), element = in->element;
    uint32_t dims[DIMS], steps[DIMS];
    steps_of(args, dims, steps);
    uint8_t *to = efm_row(out, y);
    for (uint32_t i = 0; i < elements_of(out); i++) {
        uint32_t at = y * elements_of(out) + i;
        uint32_t from = at % dims[2] * steps[2] + at / dims[2] % dims[1] * steps[1] + at / dims[2] / dims[1] * steps[0];
        memmove(to, efm_row(in, from / per_row) + (size_t)(from % per_row) * element, element);
        to += element;
    }
}

static void transpose_rows(const efm_op_args *args)
{
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        transpose_row(args, y);
    }
}

static void transpose_need(const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *low, uint32_t *high)
{
    (void)y;
    *low = 0;
    *high = args->in[input].height - 1;
}

static efm_status transpose_check(const efm_op_args *args)
{
    if (!efm_has_operands(args, 1, 1, PARAMS) || args->weights_bytes != 0 || !maps_fit(args)) {
        return EFM_BAD_OPERATOR;
    }
    uint32_t left = args->in[0].height * elements_of(&args->in[0]), seen = 0;
    for (uint32_t d = 0; d < DIMS; d++) {
        if (!efm_param_within(args, d, 1, ELEMENTS_MAX) || !efm_param_within(args, DIMS + d, 0, DIMS - 1)
            || left % (uint32_t)efm_param(args, d) != 0) {
            return EFM_BAD_OPERATOR;
        }
        left /= (uint32_t)efm_param(args, d);
        seen |= 1u << efm_param(args, DIMS + d);
    }
    return left == 1 && seen == (1u << DIMS) - 1 ? EFM_OK : EFM_BAD_OPERATOR;
}

const efm_op_class efm_op_reshape = {
    .id = EFM_OP_RESHAPE, .check = reshape_check, .need = reshape_need, .run = reshape_rows};
const efm_op_class efm_op_transpose = {
    .id = EFM_OP_TRANSPOSE, .check = transpose_check, .need = transpose_need, .run = transpose_rows};
