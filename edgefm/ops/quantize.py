# SPDX-License-Identifier: Apache-2.0
"""quantize (from float32, or from one scale to another) and dequantize."""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed
from edgefm.ops.call import Call


def quantize(call: Call) -> Array:
    """The input on the output's scale."""
    if call.is_float:
        return quantized(call.values[0], call.output)
    by = fixed.factor(call.inputs[0].scale / call.output.scale)
    return fixed.requantized(fixed.centered(call.values[0], call.inputs[0]), by, call.output)


def dequantize(call: Call) -> Array:
    """scale * (q - zero_point) as float32."""
    return dequantized(call.values[0], call.inputs[0])


def quantized(x: Array, like: Tensor) -> Array:
    """float32 to the integers of `like`: a float32 quotient, halves away from zero, saturating."""
    steps = np.clip(x.astype(np.float32) / np.float32(like.scale), -(2.0**31), 2.0**31)
    steps = fixed.round_away(steps).astype(np.float64)
    low, high = fixed.type_range(like.dtype)
    return np.asarray(np.clip(steps + like.zero_point, low, high), like.dtype)


def dequantized(q: Array, like: Tensor) -> Array:
    """The integers of `like` to float32."""
    return (like.scale * (q.astype(np.float64) - like.zero_point)).astype(np.float32)
