# SPDX-License-Identifier: Apache-2.0
"""conv2d, depthwise_conv2d and fully_connected -> CONV and DEPTHWISE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.kernels.tile import ONCE, TWICE, Requantization
from edgefm.lower.builder import Builder
from edgefm.lower.fixed_point import SHIFT, clamps, exact, pairs, signed
from edgefm.lower.row_needs import window
from edgefm.network.graph import Array, Node
from edgefm.network.program import OpKind, Stream
from edgefm.ops.conv import conv_factors, fully_connected_factors

INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A layer with weights, between its node and its operator.

    `weights` is int8, [O, K] when `axis` is 0 and [K, O] when it is 1. `geometry` is the kernel,
    stride, dilation and the padding above and left, and of a depthwise layer the multiplier.
    """

    kind: OpKind
    source: int
    weights: Array
    axis: int
    geometry: tuple[int, ...]
    shape: tuple[int, int, int]
    scratch: int = 0
    rounding: int = TWICE


def conv(b: Builder, node: Node) -> None:
    """A convolution; the tile holds [O][kh * kw * I] weights."""
    weights = _weights(b, node)
    source, pads = _padded_source(b, node)
    stream, shape = b.streams[source], b.shape(node, node.outputs[0])
    if stream.channels != weights.shape[3]:
        raise b.fail(node, f"{stream.channels} input channels",
                     f"{weights.shape[3]} as in the weights")
    geometry = _geometry(node, weights, pads)
    flat = weights.reshape(len(weights), -1)
    scratch = 0 if _reads_in_place(geometry, stream, shape) else 2 * flat.shape[1]
    _emit(b, node, _Layer(OpKind.CONV, source, flat, 0, geometry, shape, scratch))


def depthwise(b: Builder, node: Node) -> None:
    """A depthwise convolution; the tile holds [kh][kw][O] weights. Of one channel it is a CONV."""
    weights = _weights(b, node)
    source, pads = _padded_source(b, node)
    channels, out_channels = b.streams[source].channels, weights.shape[3]
    if out_channels % channels:
        raise b.fail(node, f"{channels} input channels", f"a divisor of {out_channels}")
    if channels == 1:  # all outputs see the same window: an ordinary convolution
        flat = weights[0].reshape(-1, out_channels).T
        _emit(b, node, _Layer(OpKind.CONV, source, flat, 0, _geometry(node, weights, pads),
                              b.shape(node, node.outputs[0]), 2 * flat.shape[1]))
        return
    _emit(b, node, _Layer(OpKind.DEPTHWISE, source, weights[0].reshape(-1, out_channels), 1,
                          (*_geometry(node, weights, pads), out_channels // channels),
                          b.shape(node, node.outputs[0]), 5 * out_channels))


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
    _emit(b, node, _Layer(OpKind.CONV, source, weights, 0, (1, 1, 1, 1, 1, 1, 0, 0),
                          (rows, 1, out_channels), rounding=ONCE))


def _emit(b: Builder, node: Node, layer: _Layer) -> None:
    """Append the operator."""
    output = node.outputs[0]
    b.zero_point(node, output)
    height, width, channels = layer.shape
    if layer.weights.shape[layer.axis] != channels:
        raise b.fail(node, f"{layer.weights.shape[layer.axis]} output channels", f"{channels}")
    kernel_h, _, stride_h, _, dilation_h, _, pad_top = layer.geometry[:7]
    needs = window(kernel_h, stride_h, dilation_h, pad_top, b.streams[layer.source].height, height)
    b.emit(node, layer.kind, (layer.source,), (needs,), scratch=layer.scratch,
           weights=_tile(b, node, layer), shape=layer.shape,
           macs=height * width * layer.weights.size, params=layer.geometry)


def _tile(b: Builder, node: Node, layer: _Layer) -> bytes:
    """Requantization table, then the weights as they are."""
    zero_point = _weight_zero_point(b, node)
    bias = _effective_bias(b, node, layer, zero_point)
    factors = _factors(b, node, layer)
    if len(factors) not in (1, bias.size):
        raise b.fail(node, f"{len(factors)} weight scales", f"1 or {bias.size}")
    multiplier, shift, low = np.broadcast_to(factors, (bias.size, 3)).T
    output = b.graph.tensors[node.outputs[0]]
    requantization = Requantization(bias, multiplier, shift, low, layer.rounding, zero_point,
                                    b.zero_point(node, node.outputs[0]),
                                    clamps(output, node.attrs.get("activation")))
    rows = layer.weights if layer.axis == 0 else layer.weights.T
    requantization, rows = requantization.normalized(rows)
    packed = rows if layer.axis == 0 else rows.T
    return requantization.table(rows) + packed.astype(np.int8).tobytes()


def _factors(b: Builder, node: Node, layer: _Layer) -> Array:
    """int64 [O or 1, 3]: multiplier, shift and, where rounding is exact, the low bits."""
    tensors = b.tensor(node, 0), b.tensor(node, 1), b.graph.tensors[node.outputs[0]]
    real = conv_factors if layer.rounding == TWICE else fully_connected_factors
    reals = [float(factor) for factor in real(*tensors)]
    b.check_factors(node, *reals)
    if layer.rounding == TWICE:
        return np.pad(pairs(reals), ((0, 0), (0, 1)))
    try:
        return np.array([exact(factor) for factor in reals])
    except ValueError as error:
        raise b.fail(node, str(error), "another output scale") from error


def _effective_bias(b: Builder, node: Node, layer: _Layer, zero_point: int) -> Array:
    """int64 [O]: the bias with the input's zero point folded in; fits 32 bits."""
    out_channels = layer.weights.shape[layer.axis]
    bias = np.zeros(out_channels, np.int64)
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        bias = b.constant(node, 2).astype(np.int64).reshape(-1)
    if bias.shape != (out_channels,):
        raise b.fail(node, f"{bias.size} biases", f"{out_channels}")
    sums = (layer.weights.astype(np.int64) - zero_point).sum(axis=1 - layer.axis)
    folded: Array = bias - b.streams[layer.source].zero_point * sums
    if folded.min() < INT32.min or folded.max() > INT32.max:
        raise b.fail(node, "a bias beyond 32 bits once the input's zero point is folded in",
                     "a bias that fits")
    return folded


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


def _padded_source(b: Builder, node: Node) -> tuple[int, tuple[int, int]]:
    """The stream to read, and the padding above and left, a folded PAD included."""
    (top, _), (left, _) = node.attrs["padding"]
    if node.inputs[0] in b.pads:
        tensor, rows, pixels = b.pads[node.inputs[0]]
        return b.stream_of[tensor], (top + rows, left + pixels)
    return b.source(node, 0), (top, left)


def _geometry(node: Node, weights: Array, pads: tuple[int, int]) -> tuple[int, ...]:
    return (*weights.shape[1:3], *node.attrs["stride"], *node.attrs.get("dilation", (1, 1)), *pads)


def _reads_in_place(geometry: Sequence[int], stream: Stream, shape: tuple[int, int, int]) -> bool:
    """True when each output pixel reads one input pixel inside the map: no patch is gathered."""
    kernel_h, kernel_w, stride_h, stride_w, _, _, pad_top, pad_left = geometry
    return (kernel_h == kernel_w == 1 and pad_top == pad_left == 0
            and (shape[0] - 1) * stride_h < stream.height
            and (shape[1] - 1) * stride_w < stream.width)
