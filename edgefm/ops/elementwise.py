# SPDX-License-Identifier: Apache-2.0
"""add, sub, mul, logistic, relu and relu6.

Sources of the integer arithmetic: TFLite's add.cc, sub.cc, mul.cc and activations.cc. Which
products and quotients of scales are float32 and which are double is part of the result.
"""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed
from edgefm.ops.call import Call, activated


def add(call: Call) -> Array:
    """a + b."""
    return _sum(call, 1)


def sub(call: Call) -> Array:
    """a - b."""
    return _sum(call, -1)


def mul(call: Call) -> Array:
    """a * b; the factor is computed in float32."""
    a, b = call.values
    if call.is_float:
        return activated(a * b, call.activation)
    product = fixed.centred(a, call.inputs[0]) * fixed.centred(b, call.inputs[1])
    by = fixed.factor(mul_factor(call.inputs[0], call.inputs[1], call.output))
    return fixed.requantized(product, by, call.output, call.activation)


def logistic(call: Call) -> Array:
    """1 / (1 + exp(-x)); quantized maps go through a table of 256 float32 results."""
    x = call.values[0]
    if call.is_float:
        return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)
    low, high = fixed.type_range(call.inputs[0].dtype)
    every = np.arange(low, high + 1)
    real = (np.float32(call.inputs[0].scale)
            * (every - call.inputs[0].zero_point).astype(np.float32))
    with np.errstate(over="ignore"):  # infinity is right: its reciprocal is 0
        exps = np.exp(-real.astype(np.float64)).astype(np.float32)
    y = np.float32(1) / (np.float32(1) + exps)
    steps = fixed.round_away(y * (np.float32(1) / np.float32(call.output.scale)))
    table = fixed.clamped(steps.astype(np.int64) + call.output.zero_point, call.output)
    return table[x.astype(np.int64) - low]


def relu(call: Call) -> Array:
    """max(x, 0), requantized."""
    return _rectified(call, "relu")


def relu6(call: Call) -> Array:
    """min(max(x, 0), 6), requantized."""
    return _rectified(call, "relu6")


def sum_factors(a: Tensor, b: Tensor, y: Tensor) -> tuple[float, float, float]:
    """The factors of add and sub: of each input, shifted left by 20, and of their sum."""
    twice = float(np.float32(2) * max(np.float32(a.scale), np.float32(b.scale)))
    shifted = float(np.float32(1 << 20) * np.float32(y.scale))
    return a.scale / twice, b.scale / twice, twice / shifted


def mul_factor(a: Tensor, b: Tensor, y: Tensor) -> float:
    """Product steps per output step: two float32 operations."""
    return float(np.float32(a.scale) * np.float32(b.scale) / np.float32(y.scale))


def _sum(call: Call, sign: int) -> Array:
    a, b = call.values
    if call.is_float:
        return activated(a + sign * b, call.activation)
    factors = sum_factors(call.inputs[0], call.inputs[1], call.output)
    of_a, of_b, of_sum = (fixed.factor(real) for real in factors)
    total = (fixed.scale(fixed.centred(a, call.inputs[0]) << 20, of_a)
             + sign * fixed.scale(fixed.centred(b, call.inputs[1]) << 20, of_b))
    return fixed.requantized(total, of_sum, call.output, call.activation)


def _rectified(call: Call, activation: str) -> Array:
    x = call.values[0]
    if call.is_float:
        return activated(x, activation)
    by = fixed.factor(float(np.float32(call.inputs[0].scale) / np.float32(call.output.scale)))
    return fixed.requantized(fixed.centred(x, call.inputs[0]), by, call.output, activation)
