# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that give values other places: slices, splits, tiles, pads, gathers, resizes.

Dimensions are ONNX's; a stored tensor may have them in another order (`Edge.axes`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from edgefm.importers.onnx_build import (
    CHANNEL_LAST,
    Build,
    Call,
    Edge,
    arranged,
    axis_of,
    constant_of,
    edge_of,
    image_of,
    ints_of,
    scalar_of,
)
from edgefm.network.graph import Array

_MOST_PARTS = 1024
_ROUNDINGS: Mapping[bytes, Callable[[Array], Array]] = {
    b"floor": np.floor, b"ceil": np.ceil, b"round_prefer_floor": lambda at: np.ceil(at - 0.5),
    b"round_prefer_ceil": lambda at: np.floor(at + 0.5)}
_MODES = {b"constant": None, b"reflect": True, b"edge": False}


def _stored(x: Edge, values: Sequence[Any]) -> tuple[Any, ...]:
    """Values per ONNX dimension in the order in which the dimensions are stored."""
    return tuple(values[axis] for axis in x.axes)


def _sliced(build: Build, name: str, x: Edge, begin: Sequence[int], size: Sequence[int],
            stride: Sequence[int] | None = None) -> Edge:
    stride = stride or (1,) * len(size)
    if tuple(size) == x.shape and not any(begin) and set(stride) <= {1}:
        return x
    return build.emit("slice", name, (x.tensor,), tuple(size), x.axes, begin=_stored(x, begin),
                      size=_stored(x, size), stride=_stored(x, stride), dropped=())


def slice_(build: Build, call: Call) -> Edge:
    """Slice: starts, ends, axes and steps from inputs, or from attributes in old opsets."""
    x = edge_of(build, call)
    rank = len(x.shape)
    starts, ends = ints_of(build, call, "starts", 1) or [], ints_of(build, call, "ends", 2) or []
    axes = ints_of(build, call, "axes", 3)
    axes = list(range(len(starts))) if axes is None else [axis_of(a, rank) for a in axes]
    steps = (ints_of(build, call, "", 4) if call.has(4) else None) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ValueError(f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes")
    begin, size, stride = [0] * rank, list(x.shape), [1] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not step:
            raise ValueError("a step of 0")
        kept = range(*slice(start, end, step).indices(x.shape[axis]))
        if not len(kept):
            raise ValueError(f"an empty slice {start}:{end}:{step} of axis {axis}")
        begin[axis], size[axis], stride[axis] = kept[0], len(kept), step
    return _sliced(build, call.outputs[0], x, begin, size, stride)


def split(build: Build, call: Call) -> Edge:
    """Split: equal parts, or sizes from an input or an attribute."""
    x = edge_of(build, call)
    axis = axis_of(int(call.attrs.get("axis", 0)), len(x.shape))
    count, length = len(call.outputs), x.shape[axis]
    if count > _MOST_PARTS:
        raise build.fail(call, f"{count} parts; expected at most {_MOST_PARTS}")
    sizes = ints_of(build, call, "split", 1)
    if sizes is None:
        each = -(-length // count)
        sizes = [min(each, length - each * k) for k in range(count)]
    if len(sizes) != count or min(sizes) < 1 or sum(sizes) != length:
        raise ValueError(f"parts {sizes} of {length} along axis {axis}")
    at, parts = 0, []
    for name, size in zip(call.outputs, sizes, strict=True):
        begin = [at if d == axis else 0 for d in range(len(x.shape))]
        wide = [size if d == axis else n for d, n in enumerate(x.shape)]
        parts.append(_sliced(build, name, x, begin, wide) if name else x)
        at += size
    build.values.update(zip(call.outputs[1:], parts[1:], strict=True))
    return parts[0]


def tile(build: Build, call: Call) -> Edge:
    """Tile: whole copies side by side."""
    x = edge_of(build, call)
    return _tiled(build, call.outputs[0], x, ints_of(build, call, "repeats", 1) or [])


def expand(build: Build, call: Call) -> Edge:
    """Expand: dimensions of 1 become as long as a shape says."""
    x = edge_of(build, call)
    wanted = [int(n) for n in constant_of(build, call, 1).ravel()[:64]]
    shape = np.broadcast_shapes(x.shape, tuple(wanted))
    x = with_rank(build, call.outputs[0], x, len(shape))
    return _tiled(build, call.outputs[0], x,
                  [n // own for n, own in zip(shape, x.shape, strict=True)])


def _tiled(build: Build, name: str, x: Edge, repeats: Sequence[int]) -> Edge:
    if len(repeats) != len(x.shape) or min(repeats, default=1) < 1:
        raise ValueError(f"repeats {list(repeats)} of the shape {list(x.shape)}")
    if set(repeats) <= {1}:
        return x
    shape = tuple(n * r for n, r in zip(x.shape, repeats, strict=True))
    return build.emit("tile", name, (x.tensor,), shape, x.axes, repeats=_stored(x, repeats))


def with_rank(build: Build, name: str, x: Edge, rank: int) -> Edge:
    """The activation with leading dimensions of 1, as broadcasting gives it."""
    missing = rank - len(x.shape)
    if missing <= 0:
        return x
    plain = arranged(build, x, tuple(range(len(x.shape))))
    return build.emit("reshape", f"{name}/rank", (plain.tensor,), (1,) * missing + x.shape,
                      tuple(range(rank)))


def gather(build: Build, call: Call) -> Edge:
    """Gather: one index leaves its dimension out, a list of them keeps it."""
    x, indices = edge_of(build, call), constant_of(build, call, 1)
    axis = axis_of(int(call.attrs.get("axis", 0)), len(x.shape))
    if indices.ndim > 1 or indices.dtype.kind not in "iu":
        raise build.fail(call, f"indices of the shape {list(indices.shape)} and {indices.dtype}; "
                               "expected one whole number or a list of them")
    length = x.shape[axis]
    places = [int(i) for i in indices.ravel()]
    if not all(-length <= i < length for i in places):
        raise ValueError(f"indices outside of {length}")
    picked = _picked(build, call.outputs[0], x, axis, [i % length for i in places])
    if indices.ndim:
        return picked
    shape = tuple(n for d, n in enumerate(x.shape) if d != axis)
    order = tuple(a - (a > axis) for a in picked.axes if a != axis)
    return build.emit("reshape", f"{call.outputs[0]}/picked", (picked.tensor,), shape, order)


def _picked(build: Build, name: str, x: Edge, axis: int, places: Sequence[int]) -> Edge:
    """The values at places along one axis."""
    if list(places) == list(range(x.shape[axis])):
        return x
    shape = tuple(len(places) if d == axis else n for d, n in enumerate(x.shape))
    return build.emit("gather", name, (x.tensor,), shape, x.axes, axis=x.axes.index(axis),
                      indices=tuple(places))


def depth_to_space(build: Build, call: Call) -> Edge:
    """DepthToSpace in either order of a block's values among the channels."""
    x, block = image_of(build, call), int(call.attrs.get("blocksize", 0))
    _, channels, height, width = x.shape
    if block < 1 or channels % block ** 2:
        raise ValueError(f"blocks of {block} of {channels} channels")
    rest = channels // block ** 2
    if call.attrs.get("mode", b"DCR") == b"CRD":
        order = np.arange(channels).reshape(rest, block * block).T.ravel()
        x = _picked(build, f"{call.outputs[0]}/order", x, 1, order.tolist())
    return build.emit("depth_to_space", call.outputs[0], (x.tensor,),
                      (1, rest, height * block, width * block), CHANNEL_LAST, block=block)


def space_to_depth(build: Build, call: Call) -> Edge:
    """SpaceToDepth: a block's values become channels, row by row."""
    x, block = image_of(build, call), int(call.attrs.get("blocksize", 0))
    _, channels, height, width = x.shape
    if block < 1 or height % block or width % block:
        raise ValueError(f"blocks of {block} of {height}x{width}")
    return build.emit("space_to_depth", call.outputs[0], (x.tensor,),
                      (1, channels * block ** 2, height // block, width // block), CHANNEL_LAST,
                      block=block)


# Padding.

def pad(build: Build, call: Call) -> Edge:
    """Pad with a value, mirrored or with the edge; negative sizes cut off."""
    x = edge_of(build, call)
    mode, value = call.attrs.get("mode", b"constant"), scalar_of(build, call, "value", 2) or 0.0
    if mode not in _MODES or not isfinite(value):
        raise build.fail(call, f"mode {bytes(mode)[:20]!r} and value {value}; expected constant "
                               "with a finite value, reflect or edge")
    before, after = _sizes(build, call, len(x.shape))
    cut = [max(-n, 0) for n in before], [max(-n, 0) for n in after]
    if any(cut[0] + cut[1]):
        size = [n - a - b for n, a, b in zip(x.shape, *cut, strict=True)]
        if min(size) < 1:
            raise ValueError(f"pads {before + after} leave nothing of {list(x.shape)}")
        x = _sliced(build, f"{call.outputs[0]}/cut", x, cut[0], size)
    before, after = ([max(n, 0) for n in pads] for pads in (before, after))
    if not any(before + after):
        return x
    if mode == b"constant":
        return padded(build, call.outputs[0], x, before, after, value)
    return _mirrored(build, call.outputs[0], x, before, after, mode == b"reflect")


def _sizes(build: Build, call: Call, rank: int) -> tuple[list[int], list[int]]:
    """What Pad adds before and after along every axis."""
    sizes, axes = ints_of(build, call, "pads", 1) or [], list(range(rank))
    if call.has(3):
        axes = [axis_of(int(axis), rank) for axis in constant_of(build, call, 3).ravel()]
    if len(sizes) != 2 * len(axes):
        raise ValueError(f"pads {sizes} for {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = sizes[i], sizes[i + len(axes)]
    return before, after


def padded(build: Build, name: str, x: Edge, before: Sequence[int], after: Sequence[int],
           value: float = 0.0) -> Edge:
    """The map with cells of one value around it."""
    if min(*before, *after) < 0:
        raise ValueError(f"pads {[*before, *after]}; expected sizes >= 0")
    shape = tuple(a + size + b for a, size, b in zip(before, x.shape, after, strict=True))
    padding = tuple((before[axis], after[axis]) for axis in x.axes)
    if not value:
        return build.emit("pad", name, (x.tensor,), shape, x.axes, padding=padding)
    return build.emit("pad_with", name, (x.tensor,), shape, x.axes, padding=padding,
                      value=float(np.float32(value)))


def _mirrored(build: Build, name: str, x: Edge, before: Sequence[int], after: Sequence[int],
              reflect: bool) -> Edge:
    """Values from inside around the map, axis by axis; one edge cell is TFLite's symmetric pad."""
    if reflect or max(*before, *after) == 1:
        shape = tuple(a + n + b for a, n, b in zip(before, x.shape, after, strict=True))
        if reflect and any(max(a, b) >= n for a, b, n in zip(before, after, x.shape, strict=True)):
            raise ValueError(f"pads {[*before, *after]} reflect more than {list(x.shape)} has")
        return build.emit("mirror_pad", name, (x.tensor,), shape, x.axes, reflect=reflect,
                          padding=tuple((before[a], after[a]) for a in x.axes))
    for axis, (a, b) in enumerate(zip(before, after, strict=True)):
        if a or b:
            places = np.clip(np.arange(-a, x.shape[axis] + b), 0, x.shape[axis] - 1)
            x = _picked(build, f"{name}/axis{axis}", x, axis, places.tolist())
    return x


# Resizing.

def resize(build: Build, call: Call) -> Edge:
    """Resize and Upsample of rows and columns, nearest or linear, in the coordinates that TFLite
    has; nearest in all others by a list of places."""
    x = image_of(build, call)
    height, width, scales = _new_size(build, call, x)
    mode = call.attrs.get("mode", b"nearest")
    where = call.attrs.get("coordinate_transformation_mode",
                           b"asymmetric" if call.op == "Upsample" else b"half_pixel")
    if call.attrs.get("antialias", 0) or mode not in (b"nearest", b"linear", b"bilinear"):
        raise build.fail(call, f"mode {bytes(mode)[:20]!r}; expected nearest or linear, without "
                               "antialias")
    shape = (1, x.shape[1], height, width)
    if mode == b"nearest":
        rounding = call.attrs.get("nearest_mode", b"floor" if call.op == "Upsample"
                                  else b"round_prefer_floor")
        places = [_places(build, call, n, new, scale, (where, rounding))
                  for n, new, scale in zip(x.shape[2:], shape[2:], scales, strict=True)]
        return _nearest(build, call, x, shape, places)
    if any(abs(new / n - scale) > 1e-6 * scale
           for n, new, scale in zip(x.shape[2:], shape[2:], scales, strict=True)):
        raise build.fail(call, f"scales {scales} of {list(x.shape[2:])} do not give whole pixels; "
                               "expected sizes, or scales that give whole ones")
    if where == b"pytorch_half_pixel" and min(shape[2:]) > 1:
        where = b"half_pixel"
    if where not in (b"half_pixel", b"align_corners", b"asymmetric"):
        raise build.fail(call, f"coordinates {bytes(where)[:30]!r} of linear mode; expected "
                               "half_pixel, align_corners or asymmetric")
    return build.emit("resize_bilinear", call.outputs[0], (x.tensor,), shape, CHANNEL_LAST,
                      align_corners=where == b"align_corners",
                      half_pixel_centers=where == b"half_pixel")


def _new_size(build: Build, call: Call, x: Edge) -> tuple[int, int, tuple[float, float]]:
    """Height, width, and by how much each grows."""
    at = 1 if call.op == "Upsample" or build.opset < 11 else 2
    axes = [axis_of(int(a), 4) for a in call.attrs.get("axes", range(4))]
    full = [1.0] * 4
    if call.has(3):
        sizes = [int(n) for n in constant_of(build, call, 3).ravel()]
        if len(sizes) != len(axes) or min(sizes, default=1) < 1:
            raise ValueError(f"sizes {sizes} for {len(axes)} axes")
        for axis, size in zip(axes, sizes, strict=True):
            full[axis] = 1.0 if axis == 0 else size / x.shape[axis]
    else:
        scales = ([float(v) for v in call.attrs["scales"]] if "scales" in call.attrs else
                  [float(v) for v in constant_of(build, call, at).ravel()])
        if len(scales) != len(axes) or not all(isfinite(v) and v > 0 for v in scales):
            raise ValueError(f"scales {scales[:8]} for {len(axes)} axes")
        for axis, scale in zip(axes, scales, strict=True):
            full[axis] = scale
    if full[0] != 1 or full[1] != 1:
        raise build.fail(call, f"batch and channels grow by {full[:2]}; expected rows and columns")
    height, width = (int(np.floor(n * s + 1e-9)) for n, s in zip(x.shape[2:], full[2:],
                                                               strict=True))
    return height, width, (full[2], full[3])


def _places(build: Build, call: Call, count: int, new: int, scale: float,
            how: tuple[bytes, bytes]) -> Array:
    """Which row or column each new one takes."""
    at = np.arange(new, dtype=np.float64)
    where, rounding = how
    if where == b"half_pixel" or (where == b"pytorch_half_pixel" and new > 1):
        real = (at + 0.5) / scale - 0.5
    elif where == b"asymmetric":
        real = at / scale
    elif where == b"align_corners":
        real = at * ((count - 1) / (new - 1)) if new > 1 else at * 0
    elif where == b"tf_half_pixel_for_nn":
        real = (at + 0.5) / scale
    elif where == b"pytorch_half_pixel":
        real = at * 0
    else:
        raise build.fail(call, f"coordinates {bytes(where)[:30]!r}; expected half_pixel, "
                               "align_corners or asymmetric")
    near = _ROUNDINGS.get(rounding)
    if near is None:
        raise build.fail(call, f"rounding {bytes(rounding)[:30]!r}; expected one of "
                               f"{b', '.join(_ROUNDINGS).decode()}")
    return np.asarray(np.clip(near(real), 0, count - 1), np.int64)


def _nearest(build: Build, call: Call, x: Edge, shape: tuple[int, ...], places: Sequence[Array]
             ) -> Edge:
    """TFLite's resize where it takes the same rows and columns, else a gather of both."""
    for align, half in ((False, False), (False, True), (True, False)):
        if all(np.array_equal(mine, _tflite_places(n, new, align, half))
               for mine, n, new in zip(places, x.shape[2:], shape[2:], strict=True)):
            return build.emit("resize_nearest", call.outputs[0], (x.tensor,), shape, CHANNEL_LAST,
                              align_corners=align, half_pixel_centers=half)
    rows = _picked(build, f"{call.outputs[0]}/rows", x, 2, places[0].tolist())
    made = _picked(build, call.outputs[0], rows, 3, places[1].tolist())
    return replace(made, shape=shape)


def _tflite_places(count: int, new: int, align: bool, half: bool) -> Array:
    """Which row or column TFLite's nearest resize takes for each new one (float32 throughout)."""
    scale = np.float32((count - 1) / (new - 1) if align and new > 1 else count / new)
    at = (np.arange(new, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
    near = np.floor(at + np.float32(0.5)) if align else np.floor(at)
    return np.asarray(np.clip(near, 0, count - 1), np.int64)
