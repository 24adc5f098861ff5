# SPDX-License-Identifier: Apache-2.0
"""conv2d, depthwise_conv2d and fully_connected -> CONV and DEPTHWISE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgefm.graph import Array, Node
from edgefm.lower.builder import Builder
from edgefm.lower.fixed import ONCE, SHIFT, SHIFT_MAX, TWICE, clamps, exact, pairs, signed
from edgefm.lower.needs import window
from edgefm.ops.conv import conv_factors, fully_connected_factors
from edgefm.program import OpKind, Stream

INT32 = np.iinfo(np.int32)


def conv(b: Builder, node: Node) -> None:
    """A convolution; the weight section holds plain [O][kh * kw * I] weights."""
    weights = _weights(b, node)
    out_channels, kernel_h, kernel_w, in_channels = weights.shape
    source, pad_top, pad_left = _padded_source(b, node)
    stream = b.streams[source]
    if stream.channels != in_channels:
        raise b.fail(node, f"{stream.channels} input channels", f"{in_channels} as in the weights")
    geometry = _geometry(node, kernel_h, kernel_w, pad_top, pad_left)
    length = kernel_h * kernel_w * in_channels
    height, width, _ = b.shape(node, node.outputs[0])
    _emit(b, node, OpKind.CONV, source, weights.reshape(out_channels, -1), 0, geometry,
          (1, 1), 0 if _reads_in_place(geometry, stream, height, width) else 2 * length,
          height * width * out_channels * length, TWICE)


def depthwise(b: Builder, node: Node) -> None:
    """A depthwise convolution; the weight section holds [kh][kw][O] weights."""
    weights = _weights(b, node)
    _, kernel_h, kernel_w, out_channels = weights.shape
    source, pad_top, pad_left = _padded_source(b, node)
    channels = b.streams[source].channels
    if out_channels % channels:
        raise b.fail(node, f"{channels} input channels", f"a divisor of {out_channels}")
    height, width, _ = b.shape(node, node.outputs[0])
    _emit(b, node, OpKind.DEPTHWISE, source, weights[0].reshape(-1, out_channels), 1,
          _geometry(node, kernel_h, kernel_w, pad_top, pad_left), (out_channels // channels,),
          5 * out_channels, height * width * out_channels * kernel_h * kernel_w, TWICE)


def fully_connected(b: Builder, node: Node) -> None:
    """A fully connected layer: a 1x1 convolution on rows of one pixel."""
    weights = _weights(b, node)
    out_channels, length = weights.shape
    source = b.source(node, 0)
    stream = b.streams[source]
    elements = stream.height * stream.width * stream.channels
    if elements % length:
        raise b.fail(node, f"{elements} input elements", f"a multiple of {length}")
    rows = elements // length
    source = b.reshaped(node, source, (rows, 1, length))
    _emit(b, node, OpKind.CONV, source, weights, 0, (1, 1, 1, 1, 1, 1, 0, 0), (1, 1), 0,
          elements * out_channels, ONCE, (rows, 1, out_channels))


def _emit(b: Builder, node: Node, kind: OpKind, source: int, weights: Array, axis: int,
          geometry: Sequence[int], packing: tuple[int, ...], scratch: int, macs: int,
          rounding: int, shape: tuple[int, int, int] | None = None) -> None:
    """Append the operator; `weights` is int8 [O][K] (axis 0 = O) or [K][O] (axis 1 = O)."""
    output = node.outputs[0]
    zero_point = _weight_zero_point(b, node)
    b.zero_point(node, output)
    low, high = clamps(b.graph.tensors[output], node.attrs.get("activation"))
    stream = b.streams[source]
    section = _section(b, node, weights, axis, stream.zero_point, zero_point, rounding)
    height = b.shape(node, output)[0] if shape is None else shape[0]
    kernel_h, _, stride_h, _, dilation_h, _, pad_top, _ = geometry
    needs = window(kernel_h, stride_h, dilation_h, pad_top, stream.height, height)
    b.emit(node, kind, (source,), (needs,), weights=section, scratch=scratch, macs=macs,
           shape=shape, params=(*geometry, zero_point, low, high, rounding, *packing))


def _section(b: Builder, node: Node, weights: Array, axis: int, input_zero_point: int,
             weight_zero_point: int, rounding: int) -> bytes:
    """Effective bias, multipliers and shifts per output channel, then the weights as they are."""
    bias = _effective_bias(b, node, weights, axis, input_zero_point, weight_zero_point)
    tensors = b.tensor(node, 0), b.tensor(node, 1), b.graph.tensors[node.outputs[0]]
    lows = b""
    if rounding == ONCE:
        fixed = np.array([exact(real) for real in fully_connected_factors(*tensors).tolist()])
    else:
        fixed = pairs(conv_factors(*tensors))
    if len(fixed) not in (1, bias.size) or fixed[:, -1].max() > SHIFT_MAX:
        raise b.fail(node, f"{len(fixed)} weight scales, the largest factor above 2**"
                     f"{fixed[:, -1].max() - 1}", f"1 or {bias.size}, below 2**{SHIFT_MAX}")
    if rounding == ONCE:
        lows = _spread(fixed[:, 1], bias.size, "<u4")
    shifts = _spread(fixed[:, -1], bias.size, "i1")
    return (bias.astype("<i4").tobytes() + _spread(fixed[:, 0], bias.size, "<i4") + shifts
            + bytes(-len(shifts) % 4) + lows + weights.astype(np.int8).tobytes())


def _spread(values: Array, count: int, dtype: str) -> bytes:
    """One value for all, or one each, as `count` little-endian numbers."""
    return np.broadcast_to(values.astype(dtype), count).tobytes()


def _effective_bias(b: Builder, node: Node, weights: Array, axis: int, input_zero_point: int,
                    weight_zero_point: int) -> Array:
    """int64 [O]: the bias with the input's zero point folded in; fits 32 bits."""
    out_channels = weights.shape[axis]
    bias = np.zeros(out_channels, np.int64)
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        bias = b.constant(node, 2).astype(np.int64).reshape(-1)
    if bias.shape != (out_channels,):
        raise b.fail(node, f"{bias.size} biases", f"{out_channels}")
    sums = (weights.astype(np.int64) - weight_zero_point).sum(axis=1 - axis)
    bias = bias - input_zero_point * sums
    if bias.min() < INT32.min or bias.max() > INT32.max:
        raise b.fail(node, "a bias beyond 32 bits once the input's zero point is folded in",
                     "a bias that fits")
    return np.asarray(bias)


def _weights(b: Builder, node: Node) -> Array:
    """The weights moved to int8 values (their zero point moves along)."""
    b.weight_quant(node, 1)
    return signed(b.constant(node, 1))


def _weight_zero_point(b: Builder, node: Node) -> int:
    """The one zero point of all weights, moved to int8; int8 convolutions have none."""
    tensor, quant = b.tensor(node, 1), b.weight_quant(node, 1)
    if tensor.dtype == "int8" and (node.op != "fully_connected" or len(quant.scale) > 1):
        return 0
    if len(set(quant.zero_point)) != 1:
        raise b.fail(node, "weight zero points that differ by channel", "one weight zero point")
    return quant.zero_point[0] - SHIFT[tensor.dtype]


def _padded_source(b: Builder, node: Node) -> tuple[int, int, int]:
    """The stream to read, and the padding above and left, a folded PAD included."""
    (top, _), (left, _) = node.attrs["padding"]
    if node.inputs[0] in b.pads:
        tensor, rows, pixels = b.pads[node.inputs[0]]
        return b.stream_of[tensor], top + rows, left + pixels
    return b.source(node, 0), top, left


def _reads_in_place(geometry: Sequence[int], stream: Stream, height: int, width: int) -> bool:
    """True when each output pixel reads one input pixel inside the map: no patch is gathered."""
    return (tuple(geometry[:2]) == (1, 1) and not any(geometry[6:])
            and (height - 1) * geometry[2] < stream.height
            and (width - 1) * geometry[3] < stream.width)


def _geometry(node: Node, kernel_h: int, kernel_w: int, pad_top: int,
              pad_left: int) -> tuple[int, ...]:
    stride, dilation = node.attrs["stride"], node.attrs.get("dilation", (1, 1))
    return kernel_h, kernel_w, *stride, *dilation, pad_top, pad_left

