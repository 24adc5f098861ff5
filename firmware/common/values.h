/* SPDX-License-Identifier: Apache-2.0 */
/* Real numbers that a tensor's bytes stand for, as MLPerf Tiny's reference firmware takes and gives them. */
#ifndef EFM_VALUES_H
#define EFM_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "edgefm.h"

/* code * scale in thousandths, to the nearest, within 2^60; `scale` are the bits of an IEEE single above 0. */
int64_t efm_thousandths(int64_t code, uint32_t scale);

/* Element `index` at `at`, as what it is multiplied with the scale; false: a type without values. */
bool efm_value_code(const efm_tensor *tensor, const uint8_t *at, uint32_t index, int64_t *code, uint32_t *scale);

/* IEEE singles as codes of an int8 tensor. */
void efm_values_quantize(const efm_tensor *tensor, const uint8_t *floats, uint8_t *codes, uint32_t count);

/* Mean of the squared differences between a tensor's elements and these IEEE singles, as the bits of one. */
uint32_t efm_values_error(const efm_tensor *tensor, const uint8_t *at, const uint8_t *floats, uint32_t count);

#endif
