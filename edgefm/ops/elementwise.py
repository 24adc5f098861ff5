# SPDX-License-Identifier: Apache-2.0
"""add, sub and mul.

Sources of the integer arithmetic: TFLite's add.cc, sub.cc and mul.cc. Which products and quotients
of scales are float32 and which are double is part of the result.
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
    product = fixed.centered(a, call.inputs[0]) * fixed.centered(b, call.inputs[1])
    by = fixed.factor(mul_factor(call.inputs[0], call.inputs[1], call.output))
    return fixed.requantized(product, by, call.output, call.activation)


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
    total = (fixed.scale(fixed.centered(a, call.inputs[0]) << 20, of_a)
             + sign * fixed.scale(fixed.centered(b, call.inputs[1]) << 20, of_b))
    return fixed.requantized(total, of_sum, call.output, call.activation)
