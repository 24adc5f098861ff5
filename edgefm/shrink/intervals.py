# SPDX-License-Identifier: Apache-2.0
"""The smallest and the largest value of every channel of every map, over all possible inputs.

Bounds come from interval arithmetic on integers: no input exceeds them, but not every bound is
reached. The output of an unknown operator gets the whole range of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgefm.network.graph import Array, Graph, Node, Tensor
from edgefm.ops import MEANINGS, fixed, table
from edgefm.ops.call import Call
from edgefm.ops.conv import conv_factors, fully_connected_factors

INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """int64 [C] each, in steps of the tensor's own type."""

    low: Array
    high: Array

    @property
    def is_constant(self) -> Array:
        """bool [C]: where there is one value only."""
        one: Array = self.low == self.high
        return one

    def joined(self, value: int) -> Interval:
        """With one more value in every channel."""
        return Interval(np.minimum(self.low, value), np.maximum(self.high, value))


Rule = Callable[[Graph, Node, Interval], Interval | None]


def intervals(graph: Graph) -> dict[int, Interval]:
    """Bounds of all 8-bit maps of the graph, by tensor index."""
    found = {t: _whole(graph.tensors[t]) for t in graph.inputs if is_map(graph.tensors[t])}
    for node in graph.nodes:
        for t in node.outputs:
            if is_map(graph.tensors[t]):
                bound = _bound(graph, node, found)
                found[t] = _whole(graph.tensors[t]) if bound is None else bound
    return found


def is_map(tensor: Tensor) -> bool:
    """True for what has 8-bit channels with one scale."""
    return (tensor.dtype in ("int8", "uint8") and tensor.data is None and len(tensor.shape) > 0
            and tensor.quant is not None and len(tensor.quant.scale) == 1)


def is_padded(node: Node) -> bool:
    """True when windows see cells outside the map."""
    return any(edge for side in node.attrs.get("padding", ()) for edge in side)


def _whole(tensor: Tensor) -> Interval:
    low, high = fixed.type_range(tensor.dtype)
    channels = tensor.shape[-1]
    return Interval(np.full(channels, low), np.full(channels, high))


def _bound(graph: Graph, node: Node, found: Mapping[int, Interval]) -> Interval | None:
    if node.op in _PAIRS:
        return _of_two(graph, node, found)
    rule = _RULES.get(node.op)
    if rule is None or node.inputs[0] not in found or len(node.outputs) != 1:
        return None
    return rule(graph, node, found[node.inputs[0]])


# -- operators with weights ------------------------------------------------------------------------


def _linear(graph: Graph, node: Node, x: Interval) -> Interval | None:
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    by = weights_of(graph, node)
    if by is None or not is_map(source):
        return None
    if node.op == "depthwise_conv2d":
        sums = _depthwise_sums(by, _seen(node, source, x), source.zero_point)
    elif by.shape[-1] % x.low.size == 0:
        flat = by.reshape(len(by), -1, x.low.size)  # of a flattened map: pixels, channels
        sums = _dense_sums(flat, _seen(node, source, x), source.zero_point)
    else:
        return None
    bias = bias_of(graph, node, sums.low.size)
    ends = np.stack([sums.low + bias, sums.high + bias])
    return _requantized(graph, node, ends, output)


def weights_of(graph: Graph, node: Node) -> Array | None:
    """int64 weights less their zero point, in the file's shape; None where they are computed."""
    tensor = graph.tensors[node.inputs[1]]
    if tensor.data is None or tensor.quant is None:
        return None
    zero = tensor.quant.zero_point
    one = zero[0] if len(tensor.quant.scale) == 1 and zero else 0
    result: Array = tensor.data.astype(np.int64) - one
    return result


def bias_of(graph: Graph, node: Node, channels: int) -> Array:
    """int64 [channels]; zeros where there is none."""
    if len(node.inputs) < 3 or node.inputs[2] < 0:
        return np.zeros(channels, np.int64)
    data = graph.tensors[node.inputs[2]].data
    assert data is not None
    return data.astype(np.int64).reshape(-1)


def _seen(node: Node, source: Tensor, x: Interval) -> Interval:
    return x.joined(source.zero_point) if is_padded(node) else x


def _dense_sums(by: Array, x: Interval, zero: int) -> Interval:
    """`by` is [O, cells, C]; every cell of a channel has the channel's bounds."""
    up, down = np.maximum(by, 0).sum(axis=1), np.minimum(by, 0).sum(axis=1)
    low, high = x.low - zero, x.high - zero
    return Interval(up @ low + down @ high, up @ high + down @ low)


def _depthwise_sums(by: Array, x: Interval, zero: int) -> Interval:
    """`by` is [1, kh, kw, C * multiplier]."""
    flat = by.reshape(-1, by.shape[-1])
    up, down = np.maximum(flat, 0).sum(axis=0), np.minimum(flat, 0).sum(axis=0)
    repeat = flat.shape[1] // x.low.size
    low, high = (np.repeat(a - zero, repeat) for a in (x.low, x.high))
    return Interval(up * low + down * high, up * high + down * low)


def _requantized(graph: Graph, node: Node, ends: Array, output: Tensor) -> Interval | None:
    """Both ends as values of the output: what is between them stays between them."""
    if ends.min() < INT32.min or ends.max() > INT32.max:
        return None
    tensors = graph.tensors[node.inputs[0]], graph.tensors[node.inputs[1]], output
    activation = node.attrs.get("activation")
    if node.op == "fully_connected":
        low, high = fixed.activation_range(output, activation)
        steps = fixed.round_away(ends * fully_connected_factors(*tensors)) + output.zero_point
        values = np.clip(steps, low, high).astype(np.int64)
    else:
        by = fixed.factor(conv_factors(*tensors))
        left = np.maximum(by.shift, 0)
        if (np.abs(ends) << left > INT32.max).any():
            return None  # the shift may wrap
        values = fixed.requantized(ends, by, output, activation).astype(np.int64)
    return Interval(values[0], values[1])


# -- operators without -----------------------------------------------------------------------------


def _unary(graph: Graph, node: Node, x: Interval) -> Interval | None:
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if not (is_map(source) and is_map(output)):
        return None
    values = table(node.op, node.attrs, source, output).astype(np.int64)
    least = fixed.type_range(source.dtype)[0]
    ranges = [values[low - least:high - least + 1]
              for low, high in zip(x.low, x.high, strict=True)]
    return Interval(np.array([r.min() for r in ranges]), np.array([r.max() for r in ranges]))


def _pool(graph: Graph, node: Node, x: Interval) -> Interval | None:
    """Neither the largest nor the mean of values leaves their range; then the activation clamps."""
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if source.quant != output.quant:
        return None
    low, high = fixed.activation_range(output, node.attrs.get("activation"))
    return Interval(np.clip(x.low, low, high), np.clip(x.high, low, high))


def _mean(graph: Graph, node: Node, x: Interval) -> Interval | None:
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if len(source.shape) - 1 in node.attrs["axes"] or output.shape[-1] != x.low.size:
        return None
    made = [MEANINGS["mean"](Call(node.attrs, (source,), (
        np.broadcast_to(a.astype(source.dtype), source.shape),), (output,)))
        for a in (x.low, x.high)]
    low, high = (np.asarray(m).reshape(-1, x.low.size)[0].astype(np.int64) for m in made)
    return Interval(low, high)


def _kept(graph: Graph, node: Node, x: Interval) -> Interval | None:
    """The values of a map whose channels stay channels, none of them new."""
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    same = source.quant == output.quant and output.shape[-1] == x.low.size
    return x if same and (node.op != "reshape" or keeps_channels(source, output)) else None


def keeps_channels(source: Tensor, output: Tensor) -> bool:
    """True when a reshape leaves the last dimension alone."""
    return source.shape[-1] == output.shape[-1]


def _pad(graph: Graph, node: Node, x: Interval) -> Interval | None:
    source, output = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if output.shape[-1] != x.low.size or source.quant != output.quant or len(node.inputs) > 1:
        return None
    return x.joined(source.zero_point)


_RULES: Mapping[str, Rule] = {
    "conv2d": _linear, "depthwise_conv2d": _linear, "fully_connected": _linear,
    "average_pool": _pool, "max_pool": _pool, "mean": _mean, "reshape": _kept, "pad": _pad,
    "resize_bilinear": _kept, "resize_nearest": _kept,
    "relu": _unary, "relu6": _unary, "logistic": _unary, "hard_swish": _unary,
    "leaky_relu": _unary, "quantize": _unary}
_PAIRS = ("add", "sub", "mul")


def _of_two(graph: Graph, node: Node, found: Mapping[int, Interval]) -> Interval | None:
    """add, sub and mul are monotone in each operand while the other stands still."""
    output = graph.tensors[node.outputs[0]]
    sides = [_operand(graph, t, output.shape[-1], found) for t in node.inputs]
    if any(side is None for side in sides):
        return None
    a, b = sides
    assert a is not None
    assert b is not None
    tensors = tuple(graph.tensors[t] for t in node.inputs)
    corners = [np.asarray(MEANINGS[node.op](Call(node.attrs, tensors, (
        x.astype(tensors[0].dtype), y.astype(tensors[1].dtype)), (output,)))).astype(np.int64)
        for x in (a.low, a.high) for y in (b.low, b.high)]
    return Interval(np.min(corners, axis=0), np.max(corners, axis=0))


def _operand(graph: Graph, t: int, channels: int, found: Mapping[int, Interval]
             ) -> Interval | None:
    tensor = graph.tensors[t]
    if t in found:
        return found[t] if found[t].low.size == channels else None
    if tensor.data is None or tensor.dtype not in ("int8", "uint8"):
        return None
    values = tensor.data.astype(np.int64)
    flat = np.broadcast_to(values, (*values.shape[:-1], channels)).reshape(-1, channels) if (
        values.ndim and values.shape[-1] in (1, channels)) else None
    return None if flat is None else Interval(flat.min(axis=0), flat.max(axis=0))
