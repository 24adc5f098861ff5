/* SPDX-License-Identifier: Apache-2.0 */
/* LUT, QUANTIZE and DEQUANTIZE: each element by itself. The last two are the only way between
 * integers and float32. */
#include "operand.h"

enum { TABLE_BYTES = 256, SCALE_BYTES = 4 };

typedef void run_function(const efm_op_args *args, const uint8_t *from, uint8_t *to, uint32_t elements);

static float load_float(const uint8_t *p)
{
    uint32_t bits = efm_load_le32(p);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void store_float(uint8_t *p, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    efm_store_le32(p, bits);
}

static void look_up(const efm_op_args *args, const uint8_t *from, uint8_t *to, uint32_t elements)
{
    const uint8_t *const table = args->weights + TABLE_BYTES / 2;
    const int8_t *const at = (const int8_t *)from;
    uint32_t i = 0;
    for (; elements - i >= 4; i += 4) {
        to[i] = table[at[i]];
        to[i + 1] = table[at[i + 1]];
        to[i + 2] = table[at[i + 2]];
        to[i + 3] = table[at[i + 3]];
    }
    for (; i < elements; i++) {
        to[i] = table[at[i]];
    }
}

/* The nearest integer, halves away from zero; beyond +-512 (a NaN too) any value beyond +-511. */
static int32_t nearest(float x)
{
    if (!(x > -512.0f)) {
        return -512;
    }
    if (!(x < 512.0f)) {
        return 512;
    }
    int32_t whole = (int32_t)x;
    float rest = x - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

static void quantize(const efm_op_args *args, const uint8_t *from, uint8_t *to, uint32_t elements)
{
    const float scale = load_float(args->weights);
    const int32_t zero = args->out[0].zero_point;
    for (uint32_t i = 0; i < elements; i++) {
        to[i] = (uint8_t)efm_clamp(nearest(load_float(from + 4 * i) / scale) + zero, -128, 127);
    }
}

static void dequantize(const efm_op_args *args, const uint8_t *from, uint8_t *to, uint32_t elements)
{
    const float scale = load_float(args->weights);
    const int32_t zero = args->in[0].zero_point;
    for (uint32_t i = 0; i < elements; i++) {
        store_float(to + 4 * i, (float)((int8_t)from[i] - zero) * scale);
    }
}

static void run_rows(const efm_op_args *args, run_function *function)
{
    const efm_rows *in = &args->in[0], *out = &args->out[0];
    const int packed = efm_is_packed(in) && efm_is_packed(out);
    const uint32_t runs = packed ? 1 : in->width;
    const uint32_t elements = packed ? in->width * in->channels : in->channels;
    for (uint32_t y = args->first; y - args->first < args->count; y++) {
        const uint8_t *from = efm_row(in, y);
        uint8_t *to = efm_row(out, y);
        for (uint32_t x = 0; x < runs; x++) {
            function(args, from + (size_t)x * in->pixel_stride, to + (size_t)x * out->pixel_stride, elements);
        }
    }
}

static efm_status check(const efm_op_args *args, uint32_t in_element, uint32_t out_element, uint32_t weights_bytes)
{
    if (!efm_has_operands(args, 1, 1, 0) || args->in[0].element != in_element || args->out[0].element != out_element
        || !efm_same_shape(&args->in[0], &args->out[0]) || args->weights_bytes != weights_bytes) {
        return EFM_BAD_OPERATOR;
    }
    return EFM_OK;
}

static efm_status scale_check(const efm_op_args *args, uint32_t in_element, uint32_t out_element)
{
    efm_status status = check(args, in_element, out_element, SCALE_BYTES);
    if (status != EFM_OK || efm_comes_later(args)) {
        return status;
    }
    float scale = load_float(args->weights);
    return scale > 0.0f && scale <= 3.0e38f ? EFM_OK : EFM_BAD_OPERATOR;
}

static efm_status lut_check(const efm_op_args *args)
{
    return check(args, 1, 1, TABLE_BYTES);
}

static efm_status quantize_check(const efm_op_args *args)
{
    return scale_check(args, 4, 1);
}

static efm_status dequantize_check(const efm_op_args *args)
{
    return scale_check(args, 1, 4);
}

static void lut_rows(const efm_op_args *args)
{
    run_rows(args, look_up);
}

static void quantize_rows(const efm_op_args *args)
{
    run_rows(args, quantize);
}

static void dequantize_rows(const efm_op_args *args)
{
    run_rows(args, dequantize);
}

const efm_op_class efm_op_lut = {
    .id = EFM_OP_LUT, .flags = EFM_OP_SHARES | EFM_OP_LATE, .check = lut_check, .need = efm_need_same, .run = lut_rows};
const efm_op_class efm_op_quantize = {.id = EFM_OP_QUANTIZE,
                                      .flags = EFM_OP_SHARES | EFM_OP_LATE,
                                      .check = quantize_check,
                                      .need = efm_need_same,
                                      .run = quantize_rows};
const efm_op_class efm_op_dequantize = {.id = EFM_OP_DEQUANTIZE,
                                        .flags = EFM_OP_SHARES | EFM_OP_LATE,
                                        .check = dequantize_check,
                                        .need = efm_need_same,
                                        .run = dequantize_rows};
