# SPDX-License-Identifier: Apache-2.0
"""Operators that make one value from one value: a real function, and a table for 8-bit maps.

The table has 256 results: those of the real function, rounded, or, where TFLite's reference kernel
has arithmetic of its own, those of that arithmetic. Sources: TFLite's activations.cc, hard_swish.h
and leaky_relu.h. Which quotients of scales are float32 and which are double is part of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed
from edgefm.ops.call import Call, activated
from edgefm.ops.quantize import quantized

Attrs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unary:
    """The meaning of a unary operator.

    `real` gives float32 results for float32 values. `codes` gives the results, in the output's
    type, for integers whose zero point is gone (int64), given input, output and attributes.
    """

    real: Callable[[Array, Attrs], Array]
    codes: Callable[[Array, Tensor, Tensor, Attrs], Array] | None = None

    def __call__(self, call: Call) -> Array:
        """The operator's result, of float32 or 8-bit maps."""
        x = call.values[0]
        if call.is_float:
            return self.real(x, call.attrs)
        low = fixed.type_range(call.inputs[0].dtype)[0]
        return self.table(call.inputs[0], call.output, call.attrs)[x.astype(np.int64) - low]

    def table(self, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
        """[256]: the result for every value of `x`, from the smallest on, in `y`'s type."""
        low, high = fixed.type_range(x.dtype)
        steps = np.arange(low, high + 1, dtype=np.int64) - x.zero_point
        if self.codes is not None:
            return self.codes(steps, x, y, attrs)
        return quantized(self.real((x.scale * steps).astype(np.float32), attrs), y)


def _logistic(x: Array, attrs: Attrs) -> Array:
    """1 / (1 + exp(-x))."""
    del attrs
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))), np.float32)


def _logistic_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    """The kernel's own table of float32 results."""
    del attrs
    real = np.float32(x.scale) * steps.astype(np.float32)
    with np.errstate(over="ignore"):  # infinity is right: its reciprocal is 0
        exps = np.exp(-real.astype(np.float64)).astype(np.float32)
    made = np.float32(1) / (np.float32(1) + exps)
    rounded = fixed.round_away(made * (np.float32(1) / np.float32(y.scale)))
    return fixed.clamped(rounded.astype(np.int64) + y.zero_point, y)


def _rectifier(activation: str) -> Unary:
    """An activation as an operator of its own, requantized."""
    def real(x: Array, attrs: Attrs) -> Array:
        del attrs
        return activated(x, activation)

    def codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
        del attrs
        by = fixed.factor(float(np.float32(x.scale) / np.float32(y.scale)))
        return fixed.requantized(steps, by, y, activation)

    return Unary(real, codes)


def _hard_swish(x: Array, attrs: Attrs) -> Array:
    """x * min(max(x + 3, 0), 6) / 6."""
    del attrs
    return np.asarray(x * np.clip(x + np.float32(3), 0, 6) / np.float32(6), np.float32)


def _hard_swish_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    """The kernel's product of two 16-bit numbers: the input in steps of the output, before a last
    shift to the right, and the gate, (x / 3 + 1) / 2 clamped to [0, 1] in Q0.15."""
    del attrs
    fine, unit = steps << 7, np.float32(x.scale) / np.float32(128)
    by, shift = _factor16(unit / np.float32(y.scale))
    gate = (_third(fine, *_factor16(unit / np.float32(3 / 32768))) + (1 << 15)) >> 1
    product = gate * _high16(fine, by)
    towards_zero = np.sign(product) * (np.abs(product) >> 15)
    return fixed.clamped(_shift_right16(towards_zero, -shift) + y.zero_point, y)


def _third(fine: Array, by: int, shift: int) -> Array:
    """x / 3 in Q0.15, clamped to [-1, 1)."""
    if shift <= 0:
        return _shift_right16(_high16(fine, by), -shift)
    return _saturated16(_high16(_saturated16(fine << (shift - 1)), by) << 1)


def _factor16(real: np.float32) -> tuple[int, int]:
    """`real` as (m, shift), meaning m * 2**(shift - 15)."""
    by = fixed.factor(float(real))
    return min((int(by.m[0]) + (1 << 15)) >> 16, (1 << 15) - 1), int(by.shift[0])


def _high16(a: Array, b: int) -> Array:
    """The upper half of 2 * a * b for 16-bit operands: halves go up."""
    return np.asarray((a * b + (1 << 14)) >> 15)


def _shift_right16(x: Array, bits: int) -> Array:
    """Round(x / 2**bits), halves away from zero; beyond 15 bits the kernel's mask is too small, and
    all that is left is the sign."""
    return fixed.shift_right(x, bits) if bits < 16 else np.where(x < 0, -1, 1)


def _saturated16(x: Array) -> Array:
    return np.clip(x, -(1 << 15), (1 << 15) - 1)


def _leaky_relu(x: Array, attrs: Attrs) -> Array:
    """x, or alpha * x below zero."""
    return np.asarray(np.where(x > 0, x, x * np.float32(attrs["alpha"])), np.float32)


def _leaky_relu_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    """A factor for each side of zero, both float32 quotients."""
    above = np.float32(x.scale) / np.float32(y.scale)
    below = np.float32(x.scale) * np.float32(attrs["alpha"]) / np.float32(y.scale)
    made = np.where(steps >= 0, *(fixed.scale(steps, fixed.factor(float(real)))
                                  for real in (above, below)))
    return fixed.clamped(made + y.zero_point, y)


UNARY: Final[Mapping[str, Unary]] = MappingProxyType({
    "logistic": Unary(_logistic, _logistic_codes),
    "relu": _rectifier("relu"),
    "relu6": _rectifier("relu6"),
    "hard_swish": Unary(_hard_swish, _hard_swish_codes),
    "leaky_relu": Unary(_leaky_relu, _leaky_relu_codes),
})
