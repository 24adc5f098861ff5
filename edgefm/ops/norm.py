# SPDX-License-Identifier: Apache-2.0
"""l2_normalization over the last axis. Source: TFLite's l2normalization.h."""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array
from edgefm.ops import fixed
from edgefm.ops.call import Call

SHIFT = 7  # results are in 128ths
_LEAST = np.float32(1e-6)


def l2_normalization(call: Call) -> Array:
    """x over the root of the sum of squares; int8 multiplies x itself, uint8 128 times x."""
    if call.is_float:
        x = call.values[0]
        root = np.sqrt((x * x).sum(axis=-1, keepdims=True, dtype=np.float32))
        return np.asarray(x / np.maximum(root, _LEAST), np.float32)
    steps = fixed.centered(call.values[0], call.inputs[0])
    root = fixed.inverse_root((steps * steps).sum(axis=-1, keepdims=True))
    before = SHIFT if call.inputs[0].dtype == "uint8" else 0
    made = fixed.scale(steps << before, fixed.Factor(root.m, root.shift + SHIFT - before))
    return fixed.clamped(made + call.output.zero_point, call.output)
