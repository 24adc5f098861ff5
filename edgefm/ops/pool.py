# SPDX-License-Identifier: Apache-2.0
"""average_pool, max_pool, and reductions.

Pools see only the cells inside the map and never rescale. mean requantizes with a multiplier that
has the division by the number of elements folded in. Sources: TFLite's pooling.h and reduce.h.
"""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array
from edgefm.ops import fixed
from edgefm.ops.call import Call, activated
from edgefm.ops.window import windows


def average_pool(call: Call) -> Array:
    """Mean of the cells inside; int8 rounds halves away from zero, uint8 up, on raw values."""
    x, kernel = call.values[0], call.attrs["kernel"]
    wide = x if call.is_float else x.astype(np.int64)
    total = windows(wide, kernel, call.attrs).sum(axis=(4, 5))
    cells = np.ones((1, *x.shape[1:3], 1), np.int64)
    count = windows(cells, kernel, call.attrs).sum(axis=(4, 5))
    if call.is_float:
        return activated((total / count).astype(np.float32), call.activation)
    magnitude = (np.abs(total) + count // 2) // count
    return fixed.clamped(np.sign(total) * magnitude, call.output, call.activation)


def max_pool(call: Call) -> Array:
    """Largest cell inside."""
    x, kernel = call.values[0], call.attrs["kernel"]
    if call.is_float:
        return activated(windows(x, kernel, call.attrs, -np.inf).max(axis=(4, 5)), call.activation)
    low = fixed.type_range(call.inputs[0].dtype)[0]
    largest = windows(x, kernel, call.attrs, low).max(axis=(4, 5))
    return fixed.clamped(largest, call.output, call.activation)


def mean(call: Call) -> Array:
    """Mean over `axes`."""
    x, axes = call.values[0], tuple(call.attrs["axes"])
    keep = bool(call.attrs.get("keep_dims", True))
    if call.is_float:
        return np.asarray(x.mean(axis=axes, dtype=np.float64, keepdims=keep), np.float32)
    count = int(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    by = mean_factor(call.inputs[0].scale / call.output.scale, count)
    return np.asarray(fixed.requantized(_total(call), by, call.output))


def total(call: Call) -> Array:
    """Sum over `axes`. TFLite's reference kernel takes int8 for uint8; its other kernel does not,
    nor does this."""
    x, axes, keep = call.values[0], tuple(call.attrs["axes"]), bool(call.attrs["keep_dims"])
    if call.is_float:
        return np.asarray(x.sum(axis=axes, dtype=np.float64, keepdims=keep), np.float32)
    by = fixed.factor(call.inputs[0].scale / call.output.scale)
    return np.asarray(fixed.requantized(_total(call), by, call.output))


def _total(call: Call) -> Array:
    """The sum of integers whose zero point is gone."""
    steps = fixed.centered(call.values[0], call.inputs[0])
    return np.asarray(steps.sum(axis=tuple(call.attrs["axes"]),
                                keepdims=bool(call.attrs.get("keep_dims", True))))


def largest(call: Call) -> Array:
    """Largest value over `axes`, as it is stored."""
    return np.asarray(call.values[0].max(axis=tuple(call.attrs["axes"]),
                                         keepdims=bool(call.attrs["keep_dims"])))


def smallest(call: Call) -> Array:
    """Smallest value over `axes`, likewise."""
    return np.asarray(call.values[0].min(axis=tuple(call.attrs["axes"]),
                                         keepdims=bool(call.attrs["keep_dims"])))


def mean_factor(ratio: float, count: int) -> fixed.Factor:
    """input scale / output scale / count: the 31-bit multiplier is divided, rounding down."""
    by = fixed.factor(ratio)
    extra = min(count.bit_length() - 1, 32, 31 + int(by.shift[0]))
    return fixed.Factor((by.m << extra) // count, by.shift - extra)
