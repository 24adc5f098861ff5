# SPDX-License-Identifier: Apache-2.0
"""concat, argmax and argmin."""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed
from edgefm.ops.call import Call


def concat(call: Call) -> Array:
    """Inputs one after another along `axis`, on the output's scale."""
    parts = [_on_scale(value, tensor, call.output)
             for value, tensor in zip(call.values, call.inputs, strict=True)]
    return np.concatenate(parts, axis=call.attrs["axis"])


def argmax(call: Call) -> Array:
    """Index of the first largest value along `axis`."""
    index = call.values[0].argmax(axis=call.attrs["axis"])
    return np.asarray(index, call.output.dtype).reshape(call.output.shape)


def argmin(call: Call) -> Array:
    """Index of the first smallest value along `axis`."""
    index = call.values[0].argmin(axis=call.attrs["axis"])
    return np.asarray(index, call.output.dtype).reshape(call.output.shape)


def _on_scale(x: Array, tensor: Tensor, output: Tensor) -> Array:
    """TFLite's ConcatenationWithScaling: float32, defined for uint8 and used here for int8 too."""
    if tensor.dtype == "float32" or (tensor.scale, tensor.zero_point) == (output.scale,
                                                                          output.zero_point):
        return x
    scale = np.float32(tensor.scale) * (np.float32(1) / np.float32(output.scale))
    bias = np.float32(-tensor.zero_point) * scale
    steps = fixed.round_away(x.astype(np.float32) * scale + bias)
    return fixed.clamped(steps.astype(np.int64) + output.zero_point, output)
