/* SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <string.h>

#include "edgefm_bytes.h"

enum { WHOLE = 0x3f800000, VALUE = 0x7fffffff };

int64_t efm_thousandths(int64_t code, uint32_t scale)
{
    const uint64_t limit = (uint64_t)1 << 60;
    uint64_t size = code < 0 ? (uint64_t)-code : (uint64_t)code;
    uint64_t mantissa = (scale & 0x7fffffu) | (scale >> 23 != 0 ? 0x800000u : 0);
    uint64_t product = (size > UINT32_MAX ? UINT32_MAX : size) * mantissa;
    int32_t shift = (int32_t)(scale >> 23 & 0xff) - 150;
    for (; product >> 53 != 0; product >>= 1) {
        shift++;
    }
    product *= 1000;
    if (shift < 0) {
        product = shift < -63 ? 0 : (product + ((uint64_t)1 << (-shift - 1))) >> -shift;
    } else {
        product = shift > 40 || product > limit >> shift ? limit : product << shift;
    }
    return code < 0 ? -(int64_t)product : (int64_t)product;
}

bool efm_value_code(const efm_tensor *tensor, const uint8_t *at, uint32_t index, int64_t *code, uint32_t *scale)
{
    *scale = tensor->scale_bits != 0 ? tensor->scale_bits : WHOLE;
    switch (tensor->type) {
    case EFM_TYPE_INT8:
        *code = (int8_t)at[index] - (int64_t)tensor->zero_point;
        return true;
    case EFM_TYPE_UINT8:
        *code = at[index] - (int64_t)tensor->zero_point;
        return true;
    case EFM_TYPE_INT32:
        *code = efm_load_le32s(at + 4 * index) - (int64_t)tensor->zero_point;
        return true;
    case EFM_TYPE_FLOAT32:
        *scale = efm_load_le32(at + 4 * index) & VALUE;
        *code = efm_load_le32s(at + 4 * index) < 0 ? -1 : 1;
        return true;
    default:
        return false;
    }
}

static float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* value / scale, rounded half away from zero. */
static int8_t quantized(float value, float scale, int32_t zero_point)
{
    float quotient = value / scale;
    if (!(quotient > -512)) { /* also what is not a number */
        return INT8_MIN;
    }
    if (quotient > 512) {
        return INT8_MAX;
    }
    int32_t whole = (int32_t)quotient;
    float rest = quotient - (float)whole;
    whole += zero_point + (rest >= 0.5f) - (rest <= -0.5f);
    return (int8_t)(whole < INT8_MIN ? INT8_MIN : whole > INT8_MAX ? INT8_MAX : whole);
}

void efm_values_quantize(const efm_tensor *tensor, const uint8_t *floats, uint8_t *codes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        codes[i] = (uint8_t)quantized(as_float(efm_load_le32(floats + 4 * i)), as_float(tensor->scale_bits),
                                      tensor->zero_point);
    }
}

uint32_t efm_values_error(const efm_tensor *tensor, const uint8_t *at, const uint8_t *floats, uint32_t count)
{
    float sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t code;
        uint32_t scale;
        float gap = -as_float(efm_load_le32(floats + 4 * i));
        if (efm_value_code(tensor, at, i, &code, &scale)) {
            gap += (float)(int32_t)code * as_float(scale);
        }
        sum += gap * gap;
    }
    sum /= (float)count;
    uint32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return bits;
}
