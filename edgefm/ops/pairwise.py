# SPDX-License-Identifier: Apache-2.0
"""div, maximum, minimum, squared_difference and prelu.

Sources of the integer arithmetic: TFLite's div.h, maximum_minimum.cc, squared_difference.cc and
prelu.h. Which quotients of scales are float32 and which are double is part of the result.
"""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed
from edgefm.ops.call import Call, activated
from edgefm.ops.softmax import reciprocal

DIFFERENCE_SHIFT = 7  # of both operands of squared_difference, before they are on one scale


def maximum(call: Call) -> Array:
    """The larger one; 8-bit values are compared as they are stored."""
    return np.maximum(*call.values)


def minimum(call: Call) -> Array:
    """The smaller one, likewise."""
    return np.minimum(*call.values)


def prelu(call: Call) -> Array:
    """x, or x * slope below zero."""
    x, slope = call.values
    if call.is_float:
        return np.asarray(np.where(x >= 0, x, x * slope), np.float32)
    above, below = (fixed.factor(real) for real in prelu_factors(call.inputs[0], call.inputs[1],
                                                                   call.output))
    steps = fixed.centered(x, call.inputs[0])
    products = steps * fixed.centered(slope, call.inputs[1])
    made = np.where(steps >= 0, fixed.scale(steps, above), fixed.scale(products, below))
    return fixed.clamped(made + call.output.zero_point, call.output)


def prelu_factors(x: Tensor, slope: Tensor, y: Tensor) -> tuple[float, float]:
    """The factors above and below zero: float32 operations."""
    above = np.float32(x.scale) / np.float32(y.scale)
    below = np.float32(x.scale) * np.float32(slope.scale) / np.float32(y.scale)
    return float(above), float(below)


def squared_difference(call: Call) -> Array:
    """(a - b) squared."""
    a, b = call.values
    if call.is_float:
        return np.asarray((a - b) * (a - b), np.float32)
    factors = difference_factors(call.inputs[0], call.inputs[1], call.output)
    of_a, of_b, of_square = (fixed.factor(real) for real in factors)
    difference = (
        fixed.scale(fixed.centered(a, call.inputs[0]) << DIFFERENCE_SHIFT, of_a)
        - fixed.scale(fixed.centered(b, call.inputs[1]) << DIFFERENCE_SHIFT, of_b))
    return fixed.requantized(difference * difference, of_square, call.output)


def difference_factors(a: Tensor, b: Tensor, y: Tensor) -> tuple[float, float, float]:
    """The factors of both operands, shifted left, and of the square of their difference."""
    twice = float(np.float32(2) * max(np.float32(a.scale), np.float32(b.scale)))
    shifted = float(np.float32(1 << 2 * DIFFERENCE_SHIFT) * np.float32(y.scale))
    return a.scale / twice, b.scale / twice, twice * twice / shifted


def div(call: Call) -> Array:
    """a / b; an 8-bit b of zero, which TFLite refuses when it meets it, gives zero."""
    a, b = call.values
    if call.is_float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return activated(np.asarray(a / b, np.float32), call.activation)
    steps, by = (fixed.centered(v, t) for v, t in zip((a, b), call.inputs, strict=True))
    steps = np.where(by < 0, -steps, steps)
    inverse, bits = inverses(np.abs(by))
    room = _headroom(steps)
    quotient = fixed.high_multiply(steps << room, inverse)
    scale = fixed.factor(div_factor(call.inputs[0], call.inputs[1], call.output))
    shift = np.clip(bits + room - scale.shift, 0, 31)
    made = fixed.shift_right(fixed.high_multiply(quotient, scale.m), shift)
    return fixed.clamped(np.where(by == 0, 0, made) + call.output.zero_point, call.output,
                         call.activation)


def div_factor(a: Tensor, b: Tensor, y: Tensor) -> float:
    """Steps of the quotient per output step: two float32 operations."""
    return float(np.float32(a.scale) / (np.float32(b.scale) * np.float32(y.scale)))


def inverses(x: Array) -> tuple[Array, Array]:
    """1 / x of x >= 1 as m * 2**-(31 + bits); of 0 as of 1."""
    x = np.maximum(x, 1)
    digits = np.frexp(x.astype(np.float64))[1].astype(np.int64)
    return reciprocal((x << (32 - digits)) - (1 << 31)), digits - 1


def _headroom(x: Array) -> Array:
    """By how many bits an int32 can be shifted left and keep its value."""
    magnitude = np.where(x < 0, ~x, x)
    return np.asarray(31 - np.frexp(magnitude.astype(np.float64))[1].astype(np.int64))
