# SPDX-License-Identifier: Apache-2.0
"""Factors and clamps as the container holds them, in the int8 domain."""

from __future__ import annotations

import math

import numpy as np

from edgefm.network.affine import SHIFT as SHIFT
from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed

LARGEST = float(1 << 29)  # factor, so that no shift is beyond 30
_LOW_BITS = 22


def signed(values: Array) -> Array:
    """8-bit values as int8: uint8 moves by 128, int8 stays."""
    return (values.astype(np.int16) - SHIFT[str(values.dtype)]).astype(np.int8)


def pairs(reals: float | list[float]) -> Array:
    """int64 [N, 2]: each real >= 0 as (m, shift), meaning m * 2**(shift - 31)."""
    by = fixed.factor(reals)
    return np.stack((by.m, by.shift), axis=1)


def exact(real: float) -> tuple[int, int, int]:
    """`real` >= 0 as (high, shift, low), meaning (high * 2**22 + low) * 2**(shift - 53).

    The reference multiplies accumulators by `real` in double, which rounds the product, then rounds
    to an integer. The runtime's product is exact; where the rounded one turns a near half into a
    half, a last bit more or less in the factor gives the same integers. ValueError if none does.
    """
    fraction, shift = math.frexp(real)
    if fraction == 0 or shift < -31:
        return 0, 0, 0
    nearest = int(fraction * (1 << 53))
    for mantissa in (nearest, nearest + 1, nearest - 1):
        if mantissa < 1 << 53 and _rounds_alike(mantissa, 53 - shift, real):
            return mantissa >> _LOW_BITS, shift, mantissa % (1 << _LOW_BITS)
    raise ValueError(f"no 53-bit factor rounds like {real!r}")


def _rounds_alike(mantissa: int, bits: int, real: float) -> bool:
    """True when the accumulators at which results step up are the same for both.

    Results beyond 255 are clamped whatever the zero point, accumulators have 31 bits and a sign.
    """
    for step in range(1, 256):
        least = -(-((2 * step - 1) << (bits - 1)) // mantissa)
        if least > 1 << 31:
            return True
        if not (least - 1) * real < step - 0.5 <= least * real:
            return False
    return True


def clamps(output: Tensor, activation: str | None) -> tuple[int, int]:
    """The int8 values between which a fused activation clamps."""
    low, high = fixed.activation_range(output, activation)
    return low - SHIFT[output.dtype], high - SHIFT[output.dtype]
