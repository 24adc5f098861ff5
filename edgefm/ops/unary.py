# SPDX-License-Identifier: Apache-2.0
"""Operators that make one value from one value: a real function, and a table for 8-bit maps.

The table has 256 results: those of the real function, rounded, or, where TFLite's reference kernel
has arithmetic of its own, those of that arithmetic. Sources: TFLite's activations.cc, hard_swish.h
and leaky_relu.h. Which quotients of scales are float32 and which are double is part of the result.
"""

from __future__ import annotations

import math
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


def _by_table(real: Callable[[Array], Array]) -> Unary:
    """An operator whose kernel has a table of float32 results of `real` (float32 to float32)."""
    def codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
        del attrs
        return _rounded(real(np.float32(x.scale) * steps.astype(np.float32)), y)

    return Unary(lambda x, attrs: real(x), codes)


def _rounded(real: Array, y: Tensor) -> Array:
    """float32 results on the output's scale, by its reciprocal."""
    with np.errstate(over="ignore"):
        steps = fixed.round_away(real * (np.float32(1) / np.float32(y.scale)))
    return fixed.clamped(np.clip(steps, -1e6, 1e6).astype(np.int64) + y.zero_point, y)


def _in_double(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function of float64 as one of float32."""
    def single(x: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(function(x.astype(np.float64)), np.float32)

    return single


def _elu(x: Array) -> Array:
    """x, or exp(x) - 1 below zero."""
    return np.asarray(np.where(x < 0, np.expm1(np.minimum(x, 0).astype(np.float64)), x), np.float32)


def _gelu(x: Array, attrs: Attrs) -> Array:
    """x * (1 + erf(x / sqrt(2))) / 2, or an approximation of it by tanh."""
    half = np.float32(0.5) * x
    if attrs["approximate"]:
        cubic = x + np.float32(0.044715) * x * x * x
        inner = _in_double(np.tanh)(np.float32(math.sqrt(2 / math.pi)) * cubic)
        return np.asarray(half * (np.float32(1) + inner), np.float32)
    arguments = x * np.float32(-math.sqrt(0.5))
    erfc = np.array([math.erfc(value) for value in arguments.ravel().tolist()], np.float32)
    return np.asarray(half * erfc.reshape(x.shape), np.float32)


def _gelu_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    return _rounded(_gelu(np.float32(x.scale) * steps.astype(np.float32), attrs), y)


def _log(x: Array, attrs: Attrs) -> Array:
    """The natural logarithm; of what is not positive the least number there is."""
    del attrs
    with np.errstate(divide="ignore", invalid="ignore"):
        made = np.log(x.astype(np.float64)).astype(np.float32)
    return np.asarray(np.where(x > 0, made, np.finfo(np.float32).min), np.float32)


def _log_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    return _rounded(_log(np.float32(x.scale) * steps.astype(np.float32), attrs), y)


def _abs_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    del attrs
    if x.scale == y.scale:
        return fixed.clamped(np.abs(steps) + y.zero_point, y)
    by = fixed.factor(float(np.float32(x.scale) / np.float32(y.scale)))
    return fixed.requantized(np.abs(steps), by, y)


def _neg_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    """The kernel turns the sign of the stored value, whatever the zero points are."""
    del attrs
    return np.asarray(-(steps + x.zero_point)).astype(y.dtype)


def _sqrt(x: Array, attrs: Attrs) -> Array:
    """The square root; 0 below zero."""
    del attrs
    return np.sqrt(np.maximum(x, np.float32(0)))


def _sqrt_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    """The kernel leaves off what is behind the point."""
    root = _sqrt(np.float32(x.scale) * steps.astype(np.float32), attrs) / np.float32(y.scale)
    return fixed.clamped(np.minimum(root, 1e6).astype(np.int64) + y.zero_point, y)


def _rsqrt(x: Array, attrs: Attrs) -> Array:
    """1 / sqrt(x); the largest number there is of what is not positive."""
    del attrs
    with np.errstate(divide="ignore", invalid="ignore"):
        made = np.float32(1) / np.sqrt(x)
    return np.asarray(np.where(x > 0, made, np.finfo(np.float32).max), np.float32)


def _rsqrt_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    """In fixed point, by Newton's method."""
    del attrs
    by, fine = fixed.factor(1 / (float(np.sqrt(np.float32(x.scale))) * y.scale)), 20
    root = fixed.inverse_root(np.maximum(steps, 1))
    parts = fixed.scale(np.ones_like(steps), fixed.Factor(root.m, root.shift + fine))
    made = fixed.scale(parts, fixed.Factor(by.m, by.shift - fine)) + y.zero_point
    high = fixed.type_range(y.dtype)[1]
    return fixed.clamped(np.where(steps > 0, made, high), y)


def _relu_0_to_1(x: Array, attrs: Attrs) -> Array:
    """x clamped to 0 .. 1."""
    del attrs
    return np.clip(x, np.float32(0), np.float32(1))


def _relu_0_to_1_codes(steps: Array, x: Tensor, y: Tensor, attrs: Attrs) -> Array:
    del attrs
    by = fixed.factor(float(np.float32(x.scale) / np.float32(y.scale)))
    one = int(fixed.round_away(np.array(np.float32(1) / np.float32(y.scale), np.float32)))
    return fixed.clamped(np.clip(fixed.scale(steps, by), 0, one) + y.zero_point, y)


UNARY: Final[Mapping[str, Unary]] = MappingProxyType({
    "logistic": Unary(_logistic, _logistic_codes),
    "relu": _rectifier("relu"),
    "relu6": _rectifier("relu6"),
    "relu_n1_to_1": _rectifier("relu_n1_to_1"),
    "relu_0_to_1": Unary(_relu_0_to_1, _relu_0_to_1_codes),
    "tanh": _by_table(_in_double(np.tanh)),
    "elu": _by_table(_elu),
    "exp": _by_table(_in_double(np.exp)),
    "gelu": Unary(_gelu, _gelu_codes),
    "log": Unary(_log, _log_codes),
    "abs": Unary(lambda x, attrs: np.abs(x), _abs_codes),
    "neg": Unary(lambda x, attrs: -x, _neg_codes),
    "sqrt": Unary(_sqrt, _sqrt_codes),
    "rsqrt": Unary(_rsqrt, _rsqrt_codes),
    "hard_swish": Unary(_hard_swish, _hard_swish_codes),
    "leaky_relu": Unary(_leaky_relu, _leaky_relu_codes),
})
