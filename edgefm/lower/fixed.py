# SPDX-License-Identifier: Apache-2.0
"""Factors and clamps as the container holds them, in the int8 domain."""

from __future__ import annotations

import math

import numpy as np

from edgefm.graph import Array, Tensor
from edgefm.ops import fixed

TWICE, ONCE = 0, 1  # how CONV and DEPTHWISE round; docs/FORMAT.md
SHIFT_MAX = 30
_LOW_BITS = 22

# What an 8-bit type has to lose to become int8.
SHIFT = {"int8": 0, "uint8": 128}


def signed(values: Array) -> Array:
    """8-bit values as int8: uint8 moves by 128, int8 stays."""
    return (values.astype(np.int16) - SHIFT[str(values.dtype)]).astype(np.int8)


def pairs(reals: float | list[float]) -> Array:
    """int64 [N, 2]: each real >= 0 as (m, shift), meaning m * 2**(shift - 31)."""
    by = fixed.factor(reals)
    return np.stack((by.m, by.shift), axis=1)


def exact(real: float) -> tuple[int, int, int]:
    """`real` >= 0 to its last bit as (high, low, shift): (high * 2**22 + low) * 2**(shift - 53)."""
    fraction, shift = math.frexp(real)
    if fraction == 0 or shift < -31:
        return 0, 0, 0
    high, low = divmod(int(fraction * (1 << 53)), 1 << _LOW_BITS)
    return high, low, shift


def clamps(output: Tensor, activation: str | None) -> tuple[int, int]:
    """The int8 values between which a fused activation clamps."""
    low, high = fixed.activation_range(output, activation)
    return low - SHIFT[output.dtype], high - SHIFT[output.dtype]
