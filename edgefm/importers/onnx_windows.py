# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that slide a window: Conv, ConvTranspose, pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgefm.importers.convolutions import TRANSPOSED
from edgefm.importers.onnx_build import (
    CHANNEL_LAST,
    Build,
    Call,
    Edge,
    arranged,
    edge_of,
    floats_of,
    image_of,
    two_of,
    vector_of,
)
from edgefm.importers.onnx_moves import padded
from edgefm.importers.windows import same_padding
from edgefm.network.graph import Array
from edgefm.network.operators import output_axis

_MOST_TAPS = 16


def _windows(call: Call, size: tuple[int, ...], kernel: tuple[int, int]
             ) -> tuple[dict[str, Any], tuple[int, int]]:
    """Stride, dilation and padding of a window operator; height and width of its output.

    Padding after the last row or column is what the windows really reach, so that ceil_mode
    leaves no flag behind.
    """
    stride, dilation = two_of(call, "strides", (1, 1)), two_of(call, "dilations", (1, 1))
    padding, out = [], []
    for i, (before, after) in enumerate(_ends(call, size, kernel)):
        reach = dilation[i] * (kernel[i] - 1) + 1
        space = size[i] + before + after - reach
        if space < 0:
            raise ValueError(f"a window of {reach} does not fit {size[i]} "
                             f"with padding {before} and {after}")
        stretch = bool(call.attrs.get("ceil_mode", 0))
        last = -(-space // stride[i]) if stretch else space // stride[i]
        if stretch and last * stride[i] >= size[i] + before:
            last -= 1  # as in torch, a window starts inside the map or the padding before it
        padding.append((before, max(0, last * stride[i] + reach - size[i] - before)))
        out.append(last + 1)
    geometry = {"stride": stride, "dilation": dilation, "padding": tuple(padding)}
    return geometry, (out[0], out[1])


def _ends(call: Call, size: tuple[int, ...], kernel: tuple[int, int]
          ) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding before and after along both axes, `auto_pad` resolved."""
    auto = call.attrs.get("auto_pad", b"NOTSET")
    pads = [int(v) for v in call.attrs.get("pads", (0, 0, 0, 0))]
    if len(pads) != 4 or min(pads) < 0:
        raise ValueError(f"pads {pads}; expected four sizes >= 0")
    if auto in (b"NOTSET", b"VALID"):
        return ((pads[0], pads[2]), (pads[1], pads[3])) if auto == b"NOTSET" else ((0, 0), (0, 0))
    if auto not in (b"SAME_UPPER", b"SAME_LOWER"):
        raise ValueError(f"auto_pad {auto!r}")
    stride, dilation = two_of(call, "strides", (1, 1)), two_of(call, "dilations", (1, 1))
    (top, bottom), (left, right) = (same_padding(*axis) for axis in zip(
        size, kernel, stride, dilation, strict=True))
    return ((top, bottom), (left, right)) if auto == b"SAME_UPPER" else (
        (bottom, top), (right, left))


def conv(build: Build, call: Call) -> Edge:
    """Conv of two dimensions, or of one: as many rows of one pixel."""
    if len(edge_of(build, call).shape) == 3:
        return _in_rows(build, call, floats_of(build, call, 1, rank=3)[..., None])
    return _conv(build, call, image_of(build, call), floats_of(build, call, 1, rank=4))


def _in_rows(build: Build, call: Call, weights: Array) -> Edge:
    """A convolution along one dimension."""
    line = arranged(build, edge_of(build, call), (0, 2, 1))
    x = build.emit("reshape", f"{call.outputs[0]}/rows", (line.tensor,), (*line.shape, 1),
                   CHANNEL_LAST)
    made = _conv(build, replace(call, attrs=_wide(call)), x, weights)
    return build.emit("reshape", f"{call.outputs[0]}/line", (made.tensor,), made.shape[:3],
                      (0, 2, 1))


def _wide(call: Call) -> dict[str, Any]:
    """The attributes of a window along one dimension, for two; the second has one pixel."""
    attrs = dict(call.attrs)
    for name in ("kernel_shape", "strides", "dilations"):
        if name in attrs:
            attrs[name] = [*attrs[name], 1]
    if "pads" in attrs and len(attrs["pads"]) == 2:
        before, after = attrs["pads"]
        attrs["pads"] = [before, 0, after, 0]
    return attrs


def _conv(build: Build, call: Call, x: Edge, weights: Array) -> Edge:
    filters, depth, *kernel = weights.shape
    channels, group, size = x.shape[1], int(call.attrs.get("group", 1)), (kernel[0], kernel[1])
    if two_of(call, "kernel_shape", size) != size or depth * group != channels or filters % group:
        raise ValueError(f"weights {list(weights.shape)} do not fit {channels} channels "
                         f"in {group} groups")
    geometry, (height, width) = _windows(call, x.shape[2:], size)
    op, data = "conv2d", weights.transpose(0, 2, 3, 1)  # grouped ones, too: see `convolutions`
    if 1 < group == channels:
        op, data = "depthwise_conv2d", weights.transpose(1, 2, 3, 0)
        geometry["multiplier"] = filters // channels
    weight = build.constant(call, call.inputs[1], data, axis=output_axis(op))
    inputs = (x.tensor, weight, _bias(build, call, filters))
    return build.emit(op, call.outputs[0], inputs, (1, filters, height, width), CHANNEL_LAST,
                      activation=None, **geometry)


def _bias(build: Build, call: Call, filters: int) -> int:
    if not call.has(2):
        return -1
    return build.constant(call, call.inputs[2], vector_of(build, call, 2, filters), axis=0)


def conv_transpose(build: Build, call: Call) -> Edge:
    """ConvTranspose of two dimensions; a dilated kernel gets zeros between its taps, groups get
    zeros between them."""
    x, weights = image_of(build, call), floats_of(build, call, 1, rank=4)
    group, channels = int(call.attrs.get("group", 1)), x.shape[1]
    if weights.shape[0] != channels or group < 1 or channels % group:
        raise ValueError(f"weights {list(weights.shape)} do not fit {channels} channels in "
                         f"{group} groups")
    stride, dilation = two_of(call, "strides", (1, 1)), two_of(call, "dilations", (1, 1))
    kernel = tuple((k - 1) * d + 1 for k, d in zip(weights.shape[2:], dilation, strict=True))
    filters = weights.shape[1] * group
    build.spend(call, 4 * filters * channels * kernel[0] * kernel[1])
    full = np.zeros((filters, *kernel, channels), np.float32)
    each, wide = channels // group, weights.shape[1]
    for g in range(group):
        part = weights[g * each:(g + 1) * each].transpose(1, 2, 3, 0)
        full[g * wide:(g + 1) * wide, ::dilation[0], ::dilation[1],
             g * each:(g + 1) * each] = part
    sizes, before = _grown(build, call, x.shape[2:], kernel, stride)
    inputs = (x.tensor, build.constant(call, call.inputs[1], full, axis=0),
              _bias(build, call, filters))
    return build.emit(TRANSPOSED, call.outputs[0], inputs, (1, filters, *sizes), CHANNEL_LAST,
                      stride=stride, before=before, activation=None)


def _grown(build: Build, call: Call, size: Sequence[int], kernel: Sequence[int],
           stride: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width that a transposed convolution gives, and what is cut off before them."""
    extra = [int(v) for v in call.attrs.get("output_padding", (0, 0))]
    pads = [int(v) for v in call.attrs.get("pads", (0, 0, 0, 0))]
    auto = call.attrs.get("auto_pad", b"NOTSET")
    wanted = [int(v) for v in call.attrs.get("output_shape", ())][-2:]
    if len(extra) != 2 or len(pads) != 4 or min(*extra, *pads) < 0:
        raise ValueError(f"pads {pads} and output_padding {extra}")
    made, before = [], []
    for i in (0, 1):
        full = (size[i] - 1) * stride[i] + kernel[i] + extra[i]
        if wanted or auto in (b"SAME_UPPER", b"SAME_LOWER"):
            target = wanted[i] if wanted else size[i] * stride[i]
            total = max(full - target, 0)
            before.append(total - total // 2 if auto == b"SAME_LOWER" else total // 2)
        else:
            own = (0, 0) if auto == b"VALID" else (pads[i], pads[i + 2])
            target, total = full - sum(own), sum(own)
            before.append(own[0])
        if target < 1 or target > full:
            raise ValueError(f"its output would have the size {target}")
        made.append(target)
    return (made[0], made[1]), (before[0], before[1])


def pool(build: Build, call: Call) -> Edge:
    x = image_of(build, call)
    if any(call.outputs[1:]):
        raise build.fail(call, "the output with the positions of the maxima is not supported")
    kernel = two_of(call, "kernel_shape", (0, 0))
    geometry, (height, width) = _windows(call, x.shape[2:], kernel)
    if geometry["dilation"] != (1, 1):
        return _dilated(build, call, x, kernel, geometry)
    del geometry["dilation"]
    ends = _ends(call, x.shape[2:], kernel)
    if any(max(pads) >= k for pads, k in zip(ends, kernel, strict=True)):
        raise build.fail(call, f"padding {ends} leaves windows {kernel} empty")
    if call.op == "AveragePool" and call.attrs.get("count_include_pad", 0):
        x = _padding_counted(build, call, x, ends, geometry)
    op = "average_pool" if call.op == "AveragePool" else "max_pool"
    return build.emit(op, call.outputs[0], (x.tensor,), (1, x.shape[1], height, width),
                      CHANNEL_LAST, kernel=kernel, activation=None, **geometry)


def _dilated(build: Build, call: Call, x: Edge, kernel: tuple[int, int],
             geometry: dict[str, Any]) -> Edge:
    """A dilated maximum: that of as many maps as a window has taps."""
    if call.op != "MaxPool" or kernel[0] * kernel[1] > _MOST_TAPS or any(
            p for pads in geometry["padding"] for p in pads):
        raise build.fail(call, f"dilated windows {kernel} with padding {geometry['padding']}; "
                               f"expected a maximum of at most {_MOST_TAPS} taps without padding")
    _, channels, height, width = x.shape
    made: Edge | None = None
    sizes = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(
        (height, width), kernel, geometry["dilation"], geometry["stride"], strict=True)]
    shape = (1, channels, sizes[0], sizes[1])
    (dh, dw), (sh, sw) = geometry["dilation"], geometry["stride"]
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            tap = build.emit("slice", f"{call.outputs[0]}/tap{i},{j}", (x.tensor,), shape,
                             CHANNEL_LAST, begin=(0, i * dh, j * dw, 0),
                             size=(1, *shape[2:], channels), stride=(1, sh, sw, 1), dropped=())
            made = tap if made is None else build.emit(
                "maximum", f"{call.outputs[0]}/max{i},{j}", (made.tensor, tap.tensor), shape,
                CHANNEL_LAST)
    assert made is not None
    return made


def _padding_counted(build: Build, call: Call, x: Edge, ends: Sequence[tuple[int, int]],
                     geometry: dict[str, Any]) -> Edge:
    """An average that counts the padding: make the zeros part of the map. What windows reach beyond
    them, with ceil_mode, still does not count."""
    geometry["padding"] = tuple((0, max(0, reached[1] - end[1])) for reached, end in zip(
        geometry["padding"], ends, strict=True))
    before, after = zip(*ends, strict=True)
    if not any(before + after):
        return x
    return padded(build, f"{call.outputs[0]}/pad", x, (0, 0, *before), (0, 0, *after))
