# SPDX-License-Identifier: Apache-2.0
"""resize_bilinear and resize_nearest.

TFLite interpolates int8 in integers with ten fractional bits, and uint8 and float32 in float32;
uint8 then adds a half and truncates. Sources: resize_bilinear.h, resize_nearest_neighbor.h.
"""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array
from edgefm.ops import fixed
from edgefm.ops.call import Call


def resize_nearest(call: Call) -> Array:
    """The value of one input pixel for each output pixel."""
    x = call.values[0]
    rows, columns = (nearest(x.shape[d], call.output.shape[d], call) for d in (1, 2))
    return x[:, rows][:, :, columns]


def resize_bilinear(call: Call) -> Array:
    """A weighted mean of up to four input pixels for each output pixel."""
    return _bilinear_integer(call) if call.inputs[0].dtype == "int8" else _bilinear_float(call)


def nearest(size: int, out: int, call: Call) -> Array:
    """The input index of each of `out` output indices (float32 arithmetic)."""
    align, half = call.attrs["align_corners"], call.attrs["half_pixel_centers"]
    position = (np.arange(out, dtype=np.float32) + np.float32(0.5 if half else 0)) * _step(
        size, out, align)
    index = fixed.round_away(position) if align else np.floor(position)
    return np.clip(index.astype(np.int64), 0, size - 1)


def _step(size: int, out: int, align: bool) -> np.float32:
    """Input pixels per output pixel."""
    if align and out > 1:
        return np.float32(size - 1) / np.float32(out - 1)
    return np.float32(size) / np.float32(out)


def grid_float(size: int, out: int, call: Call) -> tuple[Array, Array, Array]:
    """For each output index: lower and upper input index, and the float32 weight of the upper."""
    step = _step(size, out, call.attrs["align_corners"])
    index = np.arange(out, dtype=np.float32)
    if call.attrs["half_pixel_centers"]:
        position = (index + np.float32(0.5)) * step - np.float32(0.5)
    else:
        position = index * step
    low = np.maximum(np.floor(position).astype(np.int64), 0)
    high = np.minimum(np.ceil(position).astype(np.int64), size - 1)
    return low, high, position - low.astype(np.float32)


def grid_integer(size: int, out: int, call: Call) -> tuple[Array, Array, Array]:
    """As `grid_float`, the weight in 1024ths; divisions round towards zero."""
    step = ((size << 10) + out // 2) // out
    if call.attrs["align_corners"] and out > 1:
        step = ((size - 1 << 10) + (out - 1) // 2) // (out - 1)
    position = np.arange(out, dtype=np.int64) * step
    if call.attrs["half_pixel_centers"]:
        position += step // 2 - (1 << 9)
    low = np.maximum(position >> 10, 0)
    high = np.minimum(np.maximum(position + 1023, 0) >> 10, size - 1)
    return low, high, position - (low << 10)


def _bilinear_float(call: Call) -> Array:
    """Products and sums in the reference kernel's order."""
    x = call.values[0].astype(np.float32)
    y0, y1, dy = grid_float(x.shape[1], call.output.shape[1], call)
    x0, x1, dx = grid_float(x.shape[2], call.output.shape[2], call)
    dy, dx = dy[:, None, None], dx[:, None]
    uy, ux = np.float32(1) - dy, np.float32(1) - dx
    top, bottom = x[:, y0], x[:, y1]
    y = (top[:, :, x0] * uy * ux + bottom[:, :, x0] * dy * ux
         + top[:, :, x1] * uy * dx + bottom[:, :, x1] * dy * dx)
    if call.is_float:
        return np.asarray(y)
    return np.asarray(y + np.float32(0.5), call.output.dtype)


def _bilinear_integer(call: Call) -> Array:
    x = call.values[0].astype(np.int64)
    y0, y1, dy = grid_integer(x.shape[1], call.output.shape[1], call)
    x0, x1, dx = grid_integer(x.shape[2], call.output.shape[2], call)
    dy, dx = dy[:, None, None], dx[:, None]
    top, bottom = x[:, y0], x[:, y1]
    y = ((top[:, :, x0] * (1024 - dy) + bottom[:, :, x0] * dy) * (1024 - dx)
         + (top[:, :, x1] * (1024 - dy) + bottom[:, :, x1] * dy) * dx)
    return fixed.shift_right(y, 20).astype(call.output.dtype)
