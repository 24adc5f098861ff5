# SPDX-License-Identifier: Apache-2.0
"""softmax and log_softmax over the last axis.

The quantized form is TFLite's reference kernel (softmax.h, over gemmlowp's fixedpoint.h): the
differences to the row's maximum are scaled to Q5.26, exponentiated to Q0.31, summed in Q12.19, and
multiplied by the reciprocal of the sum. Results are in 256ths from the type's smallest value on.
"""

from __future__ import annotations

import math

import numpy as np

from edgefm.network.graph import Array
from edgefm.ops import fixed
from edgefm.ops.call import Call

_QUARTER = 1 << 24  # 1/4 in Q5.26
# exp(-2**(i - 2)) for i = 0..6, Q0.31
_EXP = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_EIGHTH, _THIRD = 1895147668, 715827883  # exp(-1/8) and 1/3, Q0.31
# log 2, the square and fourth roots of a half, and the coefficients of the logarithm, Q0.31
_LOG_2, _SQRT_HALF, _FOURTH_ROOT_HALF = 1488522236, 1518500250, 1805811301
_LOG_N, _LOG_D, _LOG_I, _LOG_F = 117049297, 127690142, 1057819769, 638450708
_48_17, _32_17 = 1515870810, 1010580540  # 48/17 and 32/17, Q2.29


def softmax(call: Call) -> Array:
    """exp(beta * x) over its sum."""
    x, beta = call.values[0], float(call.attrs["beta"])
    if call.is_float:
        e = np.exp((x - x.max(axis=-1, keepdims=True)) * np.float32(beta))
        return np.asarray(e / e.sum(axis=-1, keepdims=True), np.float32)
    wide = x.astype(np.int64)
    exps = table(beta * call.inputs[0].scale)[wide.max(axis=-1, keepdims=True) - wide]
    total = fixed.shift_right(exps, 12).sum(axis=-1, keepdims=True)
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # total in [2**(bits-1), 2**bits)
    scale = reciprocal((total << (32 - bits)) - (1 << 31))
    steps = fixed.shift_right(fixed.high_multiply(scale, exps), bits + 3)
    return fixed.clamped(steps + fixed.type_range(call.output.dtype)[0], call.output)


def log_softmax(call: Call) -> Array:
    """x less the logarithm of the sum of exp(x); quantized results are in 16ths below the type's
    largest value."""
    x = call.values[0]
    if call.is_float:
        rest = x - x.max(axis=-1, keepdims=True)
        total = np.exp(rest.astype(np.float64)).sum(axis=-1, keepdims=True)
        return np.asarray(rest - np.log(total), np.float32)
    below = x.astype(np.int64).max(axis=-1, keepdims=True) - x.astype(np.int64)
    step = call.inputs[0].scale
    total = fixed.shift_right(table(step)[below], 12).sum(axis=-1, keepdims=True)
    steps = fixed.shift_right(differences(step)[below] - logarithm(total), 22)
    return fixed.clamped(steps + fixed.type_range(call.output.dtype)[1], call.output)


def differences(step: float) -> Array:
    """-d * step in Q5.26 for d = 0..255, less than -31 where the kernel leaves the value out."""
    by = fixed.factor(min(step * (1 << 26), float(fixed.INT32_MAX)))
    left = int(by.shift[0])
    d = -np.arange(256, dtype=np.int64)
    inside = -d <= math.floor(31 * (1 << 26) / (1 << left))
    made = fixed.high_multiply(np.where(inside, d, 0) << left, by.m)
    return np.where(inside, made, -fixed.INT32_MAX - 1)


def logarithm(x: Array) -> Array:
    """The natural logarithm of x >= 1, Q12.19 to Q5.26: a power of two, and a rational function."""
    bits = np.frexp(x.astype(np.float64))[1].astype(np.int64)
    quarter = 1 << 23  # in Q6.25
    near = fixed.shift_left_saturating(fixed.high_multiply(x << (31 - bits), _SQRT_HALF), 1)
    low = fixed.high_multiply(x, _SQRT_HALF)
    low_bits = np.frexp(low.astype(np.float64))[1].astype(np.int64)
    far = np.clip(x << (31 - low_bits), None, fixed.INT32_MAX)
    power = np.maximum((12 - (32 - bits) << 25) + quarter, (12 - (31 - low_bits) << 25) - quarter)
    r = np.minimum(near, far)
    p, q = (r + _FOURTH_ROOT_HALF + 1) >> 1, 2 * (r - _FOURTH_ROOT_HALF)
    square = fixed.high_multiply(q, q)
    above = fixed.high_multiply(q, r) + fixed.high_multiply(fixed.high_multiply(q, square), _LOG_N)
    below = fixed.high_multiply(p, _LOG_I + q + fixed.high_multiply(square, _LOG_D))
    share = reciprocal(below + fixed.high_multiply(q, _LOG_F))
    made = fixed.high_multiply(power, _LOG_2) + fixed.high_multiply(
        fixed.shift_right(above, 6), share)
    return fixed.shift_left_saturating(made, 1)


def table(step: float) -> Array:
    """exp(-d * step) in Q0.31 for d = 0..255; 0 where the kernel leaves the value out."""
    by = fixed.factor(min(step * (1 << 26), float(fixed.INT32_MAX)))
    left = int(by.shift[0])
    radius = math.floor(31 * (1 << 26) / (1 << left))
    difference = -np.arange(min(radius, 255) + 1, dtype=np.int64)
    exps = np.zeros(256, np.int64)
    exps[:len(difference)] = exp_negative(fixed.high_multiply(difference << left, by.m))
    return exps


def exp_negative(x: Array) -> Array:
    """exp of x <= 0 in Q5.26, as Q0.31: a Taylor series around -1/8, then factors by bits."""
    low = (x & (_QUARTER - 1)) - _QUARTER
    a = (low << 5) + (1 << 28)
    a2 = fixed.high_multiply(a, a)
    a3, a4 = fixed.high_multiply(a2, a), fixed.high_multiply(a2, a2)
    tail = fixed.high_multiply(fixed.shift_right(a4, 2) + a3, _THIRD) + a2
    series = a + fixed.shift_right(tail, 1)
    y = _EXP_EIGHTH + fixed.high_multiply(series, _EXP_EIGHTH)
    for i, by in enumerate(_EXP):
        y = np.where((low - x) & (_QUARTER << i), fixed.high_multiply(y, by), y)
    return np.where(x == 0, fixed.INT32_MAX, y)


def reciprocal(x: Array) -> Array:
    """1 / (1 + x) for x in [0, 1), both Q0.31: three Newton steps."""
    half = (x + fixed.INT32_MAX + 1) >> 1  # the halved denominator; the sum is never negative
    y = _48_17 + fixed.high_multiply(half, -_32_17)
    for _ in range(3):
        error = (1 << 29) - fixed.high_multiply(half, y)
        y = y + fixed.shift_left_saturating(fixed.high_multiply(y, error), 2)
    return fixed.shift_left_saturating(y, 1)
