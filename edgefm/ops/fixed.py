# SPDX-License-Identifier: Apache-2.0
"""Fixed-point arithmetic as TFLite's reference kernels do it.

A real factor is a pair (m, shift) meaning m * 2**(shift - 31) with m a 31-bit integer. Applying it
rounds twice: once in the doubling high multiplication, once in the right shift. Sources: TFLite's
quantization_util.cc (QuantizeMultiplier, PreprocessSoftmaxScaling) and common.cc
(MultiplyByQuantizedMultiplier without TFLITE_SINGLE_ROUNDING), gemmlowp's fixedpoint.h; each
function is compared with ai-edge-litert 2.3.0 BUILTIN_REF bit for bit by tests/edgefm/ops.

Integer arrays are int64 unless said otherwise: wide enough that no step here overflows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.network.operators import ACTIVATIONS

INT32_MAX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Factor:
    """One real factor, or one per channel (last axis): m * 2**(shift - 31)."""

    m: Array
    shift: Array


def factor(real: float | Sequence[float]) -> Factor:
    """The fixed-point form of `real` (in double precision); of less than 2**-32 it is zero."""
    pairs = [_factor(value) for value in np.atleast_1d(np.asarray(real, np.float64)).tolist()]
    return Factor(np.array([m for m, _ in pairs], np.int64),
                  np.array([shift for _, shift in pairs], np.int64))


def _factor(real: float) -> tuple[int, int]:
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    m = math.floor(fraction * (1 << 31) + 0.5)
    if m == 1 << 31:
        m, shift = 1 << 30, shift + 1
    return (m, shift) if shift >= -31 else (0, 0)


def scale(x: Array, by: Factor) -> Array:
    """Round(x * factor) with both roundings; a left shift wraps at 32 bits as int32 does."""
    shifted = (x << np.maximum(by.shift, 0)).astype(np.int32).astype(np.int64)
    return shift_right(high_multiply(shifted, by.m), np.maximum(-by.shift, 0))


def high_multiply(a: Array, b: Array | int) -> Array:
    """The upper half of 2 * a * b for int32 operands: halves go up; saturates at -1 * -1."""
    product: Array = np.asarray(a * b, np.int64)
    return np.asarray(np.minimum((product + (1 << 30)) >> 31, INT32_MAX), np.int64)


def shift_right(x: Array, bits: Array | int) -> Array:
    """Round(x / 2**bits), halves away from zero."""
    mask = (np.int64(1) << bits) - 1
    threshold = (mask >> 1) + (x < 0)
    return np.asarray((x >> bits) + ((x & mask) > threshold), np.int64)


def inverse_root(x: Array) -> Factor:
    """1 / sqrt(x) of x >= 1, one factor for each: five Newton steps in Q3.28 from 1 on."""
    x = np.maximum(np.asarray(x, np.int64), 1)
    small, shift = x, np.full(x.shape, 11, np.int64)
    while (small >= 1 << 29).any():
        large = small >= 1 << 29
        small, shift = np.where(large, small // 4, small), shift + large
    pairs = (31 - np.frexp(small.astype(np.float64))[1].astype(np.int64)) // 2 - 1
    value, shift = small << 2 * pairs, shift - pairs
    half = shift_right(value >> 1, 1)
    y = np.full(x.shape, 1 << 28, np.int64)
    for _ in range(5):
        cube = shift_left_saturating(high_multiply(high_multiply(y, y), y), 6)
        y = shift_left_saturating(
            high_multiply(y, (1 << 28) + (1 << 27)) - high_multiply(half, cube), 3)
    y = high_multiply(y, 1518500250)  # sqrt(2) / 2 in Q0.31
    y = np.where(shift < 0, y << np.maximum(-shift, 0), y)
    one = x == 1
    return Factor(np.where(one, INT32_MAX, y), np.where(one, 0, -np.maximum(shift, 0)))


def shift_left_saturating(x: Array, bits: int) -> Array:
    """x * 2**bits, clamped to int32."""
    return np.asarray(np.clip(x << bits, -INT32_MAX - 1, INT32_MAX), np.int64)


def round_away(x: Array) -> Array:
    """To the nearest integer, halves away from zero, as C's round(); the type stays."""
    whole = np.trunc(x)
    return np.asarray(whole + np.copysign(np.abs(x - whole) >= 0.5, x), x.dtype)


def type_range(dtype: str) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def activation_range(output: Tensor, activation: str | None) -> tuple[int, int]:
    """The quantized values between which `activation` clamps `output` (float32 division)."""
    low, high = type_range(output.dtype)
    least, most = ACTIVATIONS[activation]
    if least > -math.inf:
        low = max(low, _quantized(least, output))
    if most < math.inf:
        high = min(high, _quantized(most, output))
    return low, high


def _quantized(real: float, like: Tensor) -> int:
    steps = np.array(np.float32(real) / np.float32(like.scale), np.float32)
    return like.zero_point + int(round_away(steps))


def requantized(x: Array, by: Factor, output: Tensor, activation: str | None = None) -> Array:
    """`x` (zero point already removed) times the factor, as values of `output`."""
    return clamped(output.zero_point + scale(x, by), output, activation)


def clamped(x: Array, output: Tensor, activation: str | None = None) -> Array:
    """Integers `x` clamped to the activation's range and stored in `output`'s type."""
    low, high = activation_range(output, activation)
    return np.clip(x, low, high).astype(output.dtype)


def centered(x: Array, tensor: Tensor) -> Array:
    """Quantized values minus their zero point, int64."""
    return x.astype(np.int64) - tensor.zero_point
