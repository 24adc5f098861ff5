# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that slide a window, and padding: Conv, pools, Pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgefm.importers.onnx_build import (
    CHANNEL_LAST,
    Build,
    Call,
    Edge,
    axis_of,
    constant_of,
    edge_of,
    floats_of,
    image_of,
    ints_of,
    scalar_of,
    two_of,
    vector_of,
)
from edgefm.importers.windows import same_padding


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
    x = image_of(build, call)
    weights = floats_of(build, call, 1, rank=4)
    filters, depth, *kernel = weights.shape
    channels, group, size = x.shape[1], int(call.attrs.get("group", 1)), (kernel[0], kernel[1])
    if two_of(call, "kernel_shape", size) != size or depth * group != channels or filters % group:
        raise ValueError(f"weights {list(weights.shape)} do not fit {channels} channels "
                         f"in {group} groups")
    geometry, (height, width) = _windows(call, x.shape[2:], size)
    if group == 1:
        op, data = "conv2d", weights.transpose(0, 2, 3, 1)
    elif group == channels:
        op, data = "depthwise_conv2d", weights.transpose(1, 2, 3, 0)
        geometry["multiplier"] = filters // channels
    else:
        raise build.fail(call, f"{group} groups of {depth} channels; expected 1 or {channels}")
    bias = -1
    if call.has(2):
        bias = build.constant(call, call.inputs[2], vector_of(build, call, 2, filters))
    inputs = (x.tensor, build.constant(call, call.inputs[1], data), bias)
    return build.emit(op, call.outputs[0], inputs, (1, filters, height, width), CHANNEL_LAST,
                      activation=None, **geometry)


def pool(build: Build, call: Call) -> Edge:
    x = image_of(build, call)
    if any(call.outputs[1:]):
        raise build.fail(call, "the output with the positions of the maxima is not supported")
    kernel = two_of(call, "kernel_shape", (0, 0))
    geometry, (height, width) = _windows(call, x.shape[2:], kernel)
    if geometry.pop("dilation") != (1, 1):
        raise build.fail(call, "dilated pooling is not supported")
    ends = _ends(call, x.shape[2:], kernel)
    if any(max(pads) >= k for pads, k in zip(ends, kernel, strict=True)):
        raise build.fail(call, f"padding {ends} leaves windows {kernel} empty")
    if call.op == "AveragePool" and call.attrs.get("count_include_pad", 0):
        x = _padding_counted(build, call, x, ends, geometry)
    op = "average_pool" if call.op == "AveragePool" else "max_pool"
    return build.emit(op, call.outputs[0], (x.tensor,), (1, x.shape[1], height, width),
                      CHANNEL_LAST, kernel=kernel, activation=None, **geometry)


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


def padded(build: Build, name: str, x: Edge, before: Sequence[int], after: Sequence[int]) -> Edge:
    if min(*before, *after) < 0:
        raise ValueError(f"pads {[*before, *after]}; expected sizes >= 0")
    shape = tuple(a + size + b for a, size, b in zip(before, x.shape, after, strict=True))
    padding = tuple((before[axis], after[axis]) for axis in x.axes)
    return build.emit("pad", name, (x.tensor,), shape, x.axes, padding=padding)


def pad(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    rank = len(x.shape)
    if call.attrs.get("mode", b"constant") != b"constant" or scalar_of(build, call, "value", 2):
        raise build.fail(call, "only padding with zeros is supported")
    sizes, axes = ints_of(build, call, "pads", 1) or [], list(range(rank))
    if call.has(3):
        axes = [axis_of(int(axis), rank) for axis in constant_of(build, call, 3).ravel()]
    if len(sizes) != 2 * len(axes):
        raise ValueError(f"pads {sizes} for {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = sizes[i], sizes[i + len(axes)]
    return padded(build, call.outputs[0], x, before, after)


# Matrices, element by element, means.
