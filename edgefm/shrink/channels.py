# SPDX-License-Identifier: Apache-2.0
"""Removing channels that are constant, or that no operator reads.

Maps that operators join channel by channel (depthwise, sums, pools, tables) form a *group*. A
channel of a group is removed in two cases. In the first, it is constant in every map of the group,
and every convolution that reads it can add the constant to its bias; with padding this needs a
constant that is the zero point. In the second, all weights for the channel are zero. Convolutions
and fully connected layers make the first map of a group. They lose the rows of weights that made
the channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgefm.network.graph import Array, Graph, Node, Quant, Tensor, with_distinct_names
from edgefm.network.operators import output_axis
from edgefm.shrink.intervals import (
    INT32,
    Interval,
    bias_of,
    intervals,
    is_map,
    is_padded,
    keeps_channels,
    weights_of,
)

_ROUNDS = 8  # a channel that goes may make others constant or unread


@dataclass(frozen=True, slots=True, eq=False)
class Removed:
    """The channels that a map keeps and loses, by their numbers in the source network.

    `constant` has the value that each of the others always has, -1 << 31 for one that was not read.
    """

    kept: Array
    gone: Array
    constant: Array


UNREAD = -1 << 31


def shrunk(graph: Graph) -> tuple[Graph, dict[int, Removed]]:
    """The graph without the channels that it does not need, and the removed ones, by tensor index.

    Tensors and nodes keep their numbers. Float graphs stay as they are.
    """
    removed: dict[int, Removed] = {}
    for _ in range(_ROUNDS):
        graph, gone = _once(graph)
        if not gone:
            break
        for t, one in gone.items():
            removed[t] = _after(removed[t], one) if t in removed else one
    return graph, removed


def _after(first: Removed, then: Removed) -> Removed:
    return Removed(first.kept[then.kept], np.append(first.gone, first.kept[then.gone]),
                   np.append(first.constant, then.constant))


def _once(graph: Graph) -> tuple[Graph, dict[int, Removed]]:
    bounds = intervals(graph)
    groups = _groups(graph)
    gone: dict[int, Array] = {}
    for tensors in groups.values():
        going = _going(graph, tensors, bounds)
        if going is not None and going.any():
            gone.update(dict.fromkeys(tensors, going))
    if not gone:
        return graph, {}
    removed = {t: _record(bounds[t], going) for t, going in gone.items()}
    return _without(graph, gone, bounds), removed


def _record(bound: Interval, going: Array) -> Removed:
    values = np.where(bound.is_constant, bound.low, UNREAD)
    return Removed(np.flatnonzero(~going), np.flatnonzero(going), values[going])


# -- groups ----------------------------------------------------------------------------------------


def _groups(graph: Graph) -> dict[int, list[int]]:
    """Maps whose channels go together, by one of them."""
    first: dict[int, int] = {}

    def root(t: int) -> int:
        while first.setdefault(t, t) != t:
            t = first[t]
        return t

    for t, tensor in enumerate(graph.tensors):
        if is_map(tensor):
            root(t)
    for node in graph.nodes:
        joined = [t for t in (*node.inputs, *node.outputs) if t in first]
        if _joins(graph, node):
            for t in joined[1:]:
                first[root(t)] = root(joined[0])
    groups: dict[int, list[int]] = {}
    for t in first:
        groups.setdefault(root(t), []).append(t)
    return groups


_JOINING = ("average_pool", "max_pool", "relu", "relu6", "logistic", "hard_swish", "leaky_relu",
            "quantize", "resize_bilinear", "resize_nearest", "pad")
_PAIRS = ("add", "sub", "mul")


def _joins(graph: Graph, node: Node) -> bool:
    """True for operators that make channel c of channel c of each operand."""
    operands = [graph.tensors[t] for t in node.inputs if t >= 0]
    output = graph.tensors[node.outputs[0]]
    if not (is_map(operands[0]) and is_map(output) and len(node.outputs) == 1):
        return False
    if node.op == "depthwise_conv2d":
        return operands[0].shape[-1] == output.shape[-1] and operands[1].data is not None
    if node.op == "reshape":
        return keeps_channels(operands[0], output)
    if node.op == "mean":
        return len(operands[0].shape) - 1 not in node.attrs["axes"] and (
            output.shape[-1] == operands[0].shape[-1])
    if node.op in _PAIRS:
        return all(one.shape and one.shape[-1] == output.shape[-1] for one in operands
                   if one.data is None or one.shape[-1:] != (1,))
    return node.op in _JOINING and len(operands) == 1 and (
        operands[0].shape[-1] == output.shape[-1])


def _makes(graph: Graph, node: Node) -> bool:
    """True for an operator with a row of constant weights for each output channel."""
    return (node.op in ("conv2d", "fully_connected") and node.inputs[1] >= 0
            and weights_of(graph, node) is not None and (len(node.inputs) < 3 or node.inputs[2] < 0
                                                or graph.tensors[node.inputs[2]].data is not None))


def _takes(graph: Graph, node: Node) -> bool:
    """True for an operator whose bias can take a constant input channel."""
    return _makes(graph, node) and graph.tensors[node.inputs[1]].shape[-1] % (
        graph.tensors[node.inputs[0]].shape[-1]) == 0


def _going(graph: Graph, tensors: list[int], bounds: Mapping[int, Interval]) -> Array | None:
    """bool [C]: the channels of a group that can go; None where something needs them all."""
    mine = set(tensors)
    if mine & {*graph.inputs, *graph.outputs}:
        return None
    constant = np.all([bounds[t].is_constant for t in tensors], axis=0)
    unread = np.ones_like(constant)
    for node in graph.nodes:
        makes = mine.intersection(node.outputs)
        reads = mine.intersection(node.inputs)
        if makes and not (_joins(graph, node) or _makes(graph, node)):
            return None
        if not reads or _joins(graph, node):
            continue
        if not _takes(graph, node) or node.inputs[0] not in mine or len(reads) > 1:
            return None
        [t] = reads
        if is_padded(node):
            constant &= bounds[t].low == graph.tensors[t].zero_point
        unread &= _unread(graph, node, constant.size)
    going: Array = constant | unread
    if going.all():
        going[0] = False
    return going if all(_bias_fits(graph, node, going, bounds) for node in graph.nodes
                        if node.inputs[0] in mine and not _joins(graph, node)) else None


def _unread(graph: Graph, node: Node, channels: int) -> Array:
    by = weights_of(graph, node)
    assert by is not None
    return np.asarray(~by.reshape(-1, channels).any(axis=0))


# -- the graph without them ------------------------------------------------------------------------


def _without(graph: Graph, gone: Mapping[int, Array], bounds: Mapping[int, Interval]) -> Graph:
    tensors = list(graph.tensors)
    nodes = [_smaller(graph, node, gone, bounds, tensors) for node in graph.nodes]
    for t, going in gone.items():
        tensor = tensors[t]
        tensors[t] = replace(tensor, shape=(*tensor.shape[:-1], int((~going).sum())))
    return replace(graph, tensors=tuple(with_distinct_names(tensors)), nodes=tuple(nodes))


def _smaller(graph: Graph, node: Node, gone: Mapping[int, Array],
             bounds: Mapping[int, Interval], tensors: list[Tensor]) -> Node:
    """The node with constants of its own that lack what went; they are added to `tensors`."""
    into = gone.get(node.inputs[0]) if node.inputs else None
    out = gone.get(node.outputs[0])
    if into is None and out is None:
        return node
    inputs = list(node.inputs)
    if node.op in ("conv2d", "depthwise_conv2d", "fully_connected"):
        inputs = _smaller_weights(graph, node, into, out, bounds, tensors)
    elif node.op in _PAIRS and out is not None:
        for k, t in enumerate(node.inputs):
            data = graph.tensors[t].data
            if data is not None and data.ndim and data.shape[-1] == out.size:
                inputs[k] = _added(tensors, graph.tensors[t], data[..., ~out])
    return replace(node, inputs=tuple(inputs))


def _smaller_weights(graph: Graph, node: Node, into: Array | None, out: Array | None,
                     bounds: Mapping[int, Interval], tensors: list[Tensor]) -> list[int]:
    weights = graph.tensors[node.inputs[1]]
    assert weights.data is not None
    data, axis = weights.data, output_axis(node.op)
    bias = bias_of(graph, node, data.shape[axis])
    if into is not None and node.op != "depthwise_conv2d":
        bias = bias + _constant_part(graph, node, into, bounds)
        kept = np.tile(~into, data.shape[-1] // into.size)
        data = data[..., kept]
    if out is not None:
        data = np.compress(~out, data, axis=axis)
        bias = bias[~out]
    made = _added(tensors, replace(weights, quant=_fewer(weights.quant, out)), data)
    return [node.inputs[0], made, _added_bias(graph, node, bias, out, tensors)]


def _constant_part(graph: Graph, node: Node, into: Array, bounds: Mapping[int, Interval]) -> Array:
    """int64 [O]: what the channels that go have always added to the sums."""
    by = weights_of(graph, node)
    source = node.inputs[0]
    assert by is not None
    values = np.where(bounds[source].is_constant,
                      bounds[source].low - graph.tensors[source].zero_point, 0)
    cells = by.reshape(len(by), -1, into.size).sum(axis=1)
    part: Array = cells[:, into] @ values[into]
    return part


def _bias_fits(graph: Graph, node: Node, into: Array, bounds: Mapping[int, Interval]) -> bool:
    part = _constant_part(graph, node, into, bounds)
    bias = bias_of(graph, node, part.size) + part
    return bool(bias.min() >= INT32.min and bias.max() <= INT32.max)


def _added(tensors: list[Tensor], like: Tensor, data: Array) -> int:
    tensors.append(replace(like, name=f"{like.name}_{len(tensors)}", shape=data.shape,
                           data=np.ascontiguousarray(data)))
    return len(tensors) - 1


def _added_bias(graph: Graph, node: Node, bias: Array, out: Array | None,
                tensors: list[Tensor]) -> int:
    has = len(node.inputs) > 2 and node.inputs[2] >= 0
    like = graph.tensors[node.inputs[2]] if has else Tensor(f"{node.name}_bias", (), "int32")
    return _added(tensors, replace(like, quant=_fewer(like.quant, out)), bias.astype(np.int32))


def _fewer(quant: Quant | None, out: Array | None) -> Quant | None:
    """Quantization along the output channels without those that go."""
    if quant is None or out is None or len(quant.scale) == 1:
        return quant
    return replace(quant, scale=tuple(np.compress(~out, quant.scale).tolist()),
                   zero_point=tuple(np.compress(~out, quant.zero_point).tolist()))
