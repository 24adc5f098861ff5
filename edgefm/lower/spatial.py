# SPDX-License-Identifier: Apache-2.0
"""Pools, what is computed over the channels of each pixel, and resizes."""

from __future__ import annotations

import numpy as np

from edgefm.lower.builder import Builder
from edgefm.lower.fixed_point import clamps
from edgefm.lower.row_needs import Need, identity, window
from edgefm.network.graph import Array, Node
from edgefm.network.program import OpKind
from edgefm.ops import norm, resize
from edgefm.ops import softmax as softmax_meaning
from edgefm.ops.call import Call

MULTIPLY, DIVIDE_AWAY, DIVIDE_UP = range(3)  # how MEAN turns a sum into a result
AWAY, UP = range(2)  # where an exact half goes
CELLS_MAX = 1 << 22  # of a window or a mean: its sum stays within 31 bits
CHANNELS_MAX = 4096  # of a softmax, for the same reason
NORM_MAX = 1 << 15  # of a norm: the sum of squares stays within 31 bits
STEP_MIN = 2.0 ** -20  # of a softmax's input times beta
_FINEST = 256  # 8-bit values times two such weights are exact in float32


def average_pool(b: Builder, node: Node) -> None:
    """AVERAGE_POOL, or MEAN when the window is the whole map."""
    _same_quantization(b, node)
    source = b.source(node, 0)
    stream = b.streams[source]
    rounding = UP if b.tensor(node, 0).dtype == "uint8" else AWAY
    whole = (stream.height, stream.width) == tuple(node.attrs["kernel"])
    if whole and b.shape(node, node.outputs[0])[:2] == (1, 1) and not _padded(node):
        _accumulate(b, node, source, (0, 0, DIVIDE_UP if rounding == UP else DIVIDE_AWAY))
    else:
        _pool(b, node, OpKind.AVERAGE_POOL, (rounding,))


def max_pool(b: Builder, node: Node) -> None:
    """MAX_POOL: padding never wins."""
    _same_quantization(b, node)
    _pool(b, node, OpKind.MAX_POOL, ())


def _accumulate(b: Builder, node: Node, source: int, params: tuple[int, ...]) -> None:
    stream = b.streams[source]
    if stream.height * stream.width > CELLS_MAX:
        raise b.fail(node, f"a map of {stream.height} x {stream.width}",
                     f"at most {CELLS_MAX} pixels")
    b.emit(node, OpKind.MEAN, (source,), (identity(stream.height),),
           params=(*params, *_activation(b, node)), scratch=4 * stream.channels,
           shape=(1, 1, stream.channels), accumulates=True)


def _pool(b: Builder, node: Node, kind: OpKind, rounding: tuple[int, ...]) -> None:
    source = b.source(node, 0)
    (kernel_h, kernel_w), (stride_h, stride_w) = node.attrs["kernel"], node.attrs["stride"]
    (top, _), (left, _) = node.attrs["padding"]
    stream, (height, width, _) = b.streams[source], b.shape(node, node.outputs[0])
    if not (top < kernel_h and left < kernel_w and (height - 1) * stride_h - top < stream.height
            and (width - 1) * stride_w - left < stream.width and kernel_h * kernel_w <= CELLS_MAX):
        raise b.fail(node, f"kernel {(kernel_h, kernel_w)}, padding {node.attrs['padding']}",
                     f"windows of at most {CELLS_MAX} pixels, each with one inside the map")
    needs = window(kernel_h, stride_h, 1, top, stream.height, height)
    sums = 4 * stream.channels if kind == OpKind.AVERAGE_POOL else 0
    b.emit(node, kind, (source,), (needs,), scratch=sums,
           params=(kernel_h, kernel_w, stride_h, stride_w, top, left, *_activation(b, node),
                   *rounding))


def _activation(b: Builder, node: Node) -> tuple[int, int]:
    b.zero_point(node, node.outputs[0])
    return clamps(b.graph.tensors[node.outputs[0]], node.attrs.get("activation"))


def _padded(node: Node) -> bool:
    return any(edge for side in node.attrs["padding"] for edge in side)


def _same_quantization(b: Builder, node: Node) -> None:
    x, y = b.tensor(node, 0), b.graph.tensors[node.outputs[0]]
    if (b.zero_point(node, node.inputs[0]), x.scale) != (
            b.zero_point(node, node.outputs[0]), y.scale):
        raise b.fail(node, "a change of scale or zero point", "the input's quantization kept")


def softmax(b: Builder, node: Node) -> None:
    """SOFTMAX over the channels of each pixel; the output's scale is fixed at 1/256."""
    b.zero_point(node, node.inputs[0])
    source = b.source(node, 0)
    output, channels = b.graph.tensors[node.outputs[0]], b.streams[source].channels
    if channels > CHANNELS_MAX:
        raise b.fail(node, f"{channels} classes", f"at most {CHANNELS_MAX}")
    if b.zero_point(node, node.outputs[0]) != -128 or abs(output.scale * 256 - 1) > 1e-3:
        raise b.fail(node, f"output scale {output.scale:g}, zero point {output.zero_point}",
                     "1/256 and the type's smallest value")
    step = float(node.attrs["beta"]) * b.tensor(node, 0).scale
    if not step >= STEP_MIN:
        raise b.fail(node, f"beta * scale = {step:g}", f"at least {STEP_MIN:g}")
    table = softmax_meaning.table(step)
    b.emit(node, OpKind.SOFTMAX, (source,), (identity(b.streams[source].height),),
           weights=table.astype("<i4").tobytes())


def log_softmax(b: Builder, node: Node) -> None:
    """LOG_SOFTMAX over the channels of each pixel; the output's scale is fixed at 1/16."""
    source, channels = _scored(b, node, 1 / 16, 127)
    if channels >= CHANNELS_MAX:
        raise b.fail(node, f"{channels} classes", f"at most {CHANNELS_MAX - 1}")
    step = b.tensor(node, 0).scale
    if not step >= STEP_MIN:
        raise b.fail(node, f"scale = {step:g}", f"at least {STEP_MIN:g}")
    section = b"".join(part.astype("<i4").tobytes() for part in (
        softmax_meaning.table(step), softmax_meaning.differences(step)))
    b.emit(node, OpKind.LOG_SOFTMAX, (source,), (identity(b.streams[source].height),),
           weights=section)


def l2_normalization(b: Builder, node: Node) -> None:
    """L2_NORMALIZATION of the channels of each pixel; the output's scale is fixed at 1/128."""
    source, channels = _scored(b, node, 1 / 128, 0)
    if channels > NORM_MAX:
        raise b.fail(node, f"{channels} channels", f"at most {NORM_MAX}")
    before = norm.SHIFT if b.tensor(node, 0).dtype == "uint8" else 0
    b.emit(node, OpKind.L2_NORMALIZATION, (source,), (identity(b.streams[source].height),),
           params=(before,))


def _scored(b: Builder, node: Node, scale: float, zero_point: int) -> tuple[int, int]:
    """The stream and its channels, once the output has the scale that TFLite prescribes."""
    output = b.graph.tensors[node.outputs[0]]
    b.zero_point(node, node.inputs[0])
    if b.zero_point(node, node.outputs[0]) != zero_point or abs(output.scale / scale - 1) > 1e-3:
        raise b.fail(node, f"output scale {output.scale:g}, zero point {output.zero_point}",
                     f"{scale:g} and int8's {zero_point}")
    source = b.source(node, 0)
    return source, b.streams[source].channels


def argmax(b: Builder, node: Node) -> None:
    """ARGMAX over the channels of each pixel: a row of indices per row of pixels.

    The smallest value is the largest in the opposite order.
    """
    tensor = b.tensor(node, 0)
    if node.attrs["axis"] != len(tensor.shape) - 1:
        raise b.fail(node, f"axis {node.attrs['axis']}", "the last axis")
    b.zero_point(node, node.inputs[0])
    source = b.source(node, 0)
    if node.op == "argmin":
        source = b.flipped(node, source)
    stream = b.streams[source]
    b.emit(node, OpKind.ARGMAX, (source,), (identity(stream.height),),
           shape=(stream.height, 1, stream.width))


def resize_nearest(b: Builder, node: Node) -> None:
    """RESIZE_NEAREST: a table of source rows, then of source pixels."""
    source, call = _resized(b, node)
    rows, columns = (resize.nearest(size_in, size, call) for size_in, size in _sizes(call))
    b.emit(node, OpKind.RESIZE_NEAREST, (source,), (tuple((int(y), int(y)) for y in rows),),
           weights=rows.astype("<u2").tobytes() + columns.astype("<u2").tobytes())


def resize_bilinear(b: Builder, node: Node) -> None:
    """RESIZE_BILINEAR: a table of (source row, 1024ths of the next one), then one of pixels."""
    _same_quantization(b, node)
    source, call = _resized(b, node)
    raw = call.inputs[0].dtype == "uint8"
    rows, columns = (_blends(b, node, call, size_in, size) for size_in, size in _sizes(call))
    needs: Need = tuple((int(low), int(low) + int(part > 0)) for low, part in rows)
    b.emit(node, OpKind.RESIZE_BILINEAR, (source,), (needs,), params=(UP if raw else AWAY,),
           weights=rows.astype("<u2").tobytes() + columns.astype("<u2").tobytes())


def _resized(b: Builder, node: Node) -> tuple[int, Call]:
    """The stream to resize, and the node as its meaning sees it."""
    call = Call(node.attrs, (b.tensor(node, 0),), (), (b.graph.tensors[node.outputs[0]],))
    if max(max(pair) for pair in _sizes(call)) > 0xFFFF:
        raise b.fail(node, f"{call.inputs[0].shape} to {call.output.shape}", "at most 65535 a side")
    return b.source(node, 0), call


def _sizes(call: Call) -> list[tuple[int, int]]:
    """(before, after) of the height and of the width."""
    return [(call.inputs[0].shape[d], call.output.shape[d]) for d in (1, 2)]


def _blends(b: Builder, node: Node, call: Call, size_in: int, size: int) -> Array:
    """int64 [size, 2]: an index and the weight of its successor in 1024ths, 0 at the last one."""
    if call.inputs[0].dtype == "int8":
        low, high, part = resize.grid_integer(size_in, size, call)
    else:
        low, high, weight = resize.grid_float(size_in, size, call)
        part = weight.astype(np.float64) * 1024
        if np.any(part * _FINEST / 1024 % 1):  # float32 products would round, and we do not
            raise b.fail(node, f"uint8 resized from {size_in} to {size}",
                         f"steps that are a multiple of 1/{_FINEST}")
        part = part.astype(np.int64)
    low = np.minimum(low, size_in - 1)
    return np.stack((low, np.where(high > low, part, 0)), axis=1)
