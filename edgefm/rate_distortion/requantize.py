# SPDX-License-Identifier: Apache-2.0
"""Gives chosen maps of an integer graph coarser steps: the lossy part of coding.

A map's step is its scale. The operators that write and read the map absorb the new scale in their
multipliers. So they compute with the stored values, nothing is rounded twice, and the result is an
ordinary network that any TFLite runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgefm.errors import BadInput
from edgefm.network.graph import Graph, Node, Quant, Tensor
from edgefm.network.operators import FIXED_SCALE, LINEAR, OPERATORS, SAME_SCALE

LARGEST_FACTOR = 64.0  # of a map's step: four codes are left
_LOWEST = {"int8": -128, "uint8": 0}


def groups(graph: Graph) -> list[tuple[int, ...]]:
    """The computed maps whose step may change, in groups that must change together.

    These maps are in no group: maps tied to a graph input or output, to a constant or to an
    operator with a fixed scale; both sides of a quantize that only moves codes; the input of an
    operator whose output would be too fine for it. Groups are in order of their first tensor.
    """
    group_of = {t: [t] for node in graph.nodes for t in (*node.inputs, *node.outputs) if t >= 0}
    for node in graph.nodes:
        if node.op in SAME_SCALE:
            members = {id(group_of[t]): group_of[t]
                       for t in (*_tied_inputs(node), node.outputs[0])}
            joined = sorted(t for group in members.values() for t in group)
            group_of.update(dict.fromkeys(joined, joined))
    bound = _bound(graph)
    distinct = {id(group): tuple(group) for group in group_of.values()}
    return sorted(g for g in distinct.values() if not bound.intersection(g))


def requantize(graph: Graph, steps: Mapping[int, float], least: float = 1.0) -> Graph:
    """`graph` with the scale of each tensor in `steps` multiplied by a factor >= `least`.

    Tied tensors change together. The lowest code keeps its real value, so a map without negative
    values keeps zero there. A factor below 1 is for such maps only; it cuts off values above the
    new highest code. Raises BadInput for a smaller factor, for tied tensors with different factors,
    and for a tensor whose scale cannot change.
    """
    factors = _spread(graph, steps, least)
    return with_quants(graph, {t: _coarser(graph.tensors[t], factor)
                               for t, factor in factors.items()})


def with_quants(graph: Graph, quants: Mapping[int, Quant]) -> Graph:
    """`graph` with other scales and zero points of maps, and matching biases of their readers.

    The caller must keep maps together that share a scale.
    """
    if not quants:
        return graph
    tensors = list(graph.tensors)
    for t, quant in quants.items():
        tensors[t] = replace(tensors[t], quant=quant)
    uses = [t for node in graph.nodes for t in node.inputs]
    nodes = []
    for node in graph.nodes:
        if node.op in LINEAR and node.inputs[0] in quants and _bias(node) >= 0:
            ratio = tensors[node.inputs[0]].scale / graph.tensors[node.inputs[0]].scale
            bias = _rescaled(graph.tensors[_bias(node)], ratio)
            if uses.count(_bias(node)) > 1:
                tensors.append(replace(bias, name=f"{bias.name}/{node.name}"))
                node = replace(node, inputs=(*node.inputs[:2], len(tensors) - 1))
            else:
                tensors[_bias(node)] = bias
        nodes.append(node)
    return replace(graph, tensors=tuple(tensors), nodes=tuple(nodes))


def _coarser(tensor: Tensor, factor: float) -> Quant:
    """Steps `factor` times as large as a map's; scales are float32 numbers, as in model files."""
    lowest = _LOWEST[tensor.dtype]
    scale = float(np.float32(tensor.scale * factor))
    zero_point = lowest + round((tensor.zero_point - lowest) / factor)
    return Quant((scale,), (zero_point,))


def _tied_inputs(node: Node) -> Sequence[int]:
    """The inputs that share the output's scale."""
    return [t for t in node.inputs if t >= 0]


def _bound(graph: Graph) -> set[int]:
    """Tensors whose scale has to stay."""
    bound = {*graph.inputs, *graph.outputs}
    for node in graph.nodes:
        if node.op in FIXED_SCALE:
            bound.update(node.outputs)
        if node.op == "quantize" and _relabels(graph, node):
            bound.update((node.inputs[0], node.outputs[0]))
        if not _may_coarsen_input(graph, node):
            bound.add(node.inputs[0])
        constants = (node.inputs[1], _bias(node)) if node.op in LINEAR else ()
        if any(t >= 0 and graph.tensors[t].data is None for t in constants):
            bound.add(node.inputs[0])
    for t, tensor in enumerate(graph.tensors):
        single = tensor.quant is not None and len(tensor.quant.scale) == 1
        if tensor.data is not None or tensor.dtype not in _LOWEST or not single:
            bound.add(t)
    return bound


def _relabels(graph: Graph, node: Node) -> bool:
    """True when a quantize only moves codes, as from a uint8 picture to int8: no arithmetic, which
    a scale of its own would bring."""
    before, after = (graph.tensors[t].quant for t in (node.inputs[0], node.outputs[0]))
    return before is not None and after is not None and before.scale == after.scale


def _may_coarsen_input(graph: Graph, node: Node) -> bool:
    """False where the operator's kernel would refuse an output that is then finer than its input by
    too much."""
    finest = LARGEST_FACTOR * OPERATORS[node.op].finest
    return not finest or (graph.tensors[node.outputs[0]].scale
                          > finest * graph.tensors[node.inputs[0]].scale)


def _bias(node: Node) -> int:
    return node.inputs[2] if len(node.inputs) > 2 else -1


def _spread(graph: Graph, steps: Mapping[int, float], least: float) -> dict[int, float]:
    """The factor of every tensor that changes."""
    group_of = {t: group for group in groups(graph) for t in group}
    factors: dict[int, float] = {}
    for t, factor in steps.items():
        name = f"{graph.name}: tensor {graph.tensors[t].name!r}"
        if not least <= factor < float("inf"):
            raise BadInput(f"{name}: step times {factor}; expected a factor of at least {least:g}")
        if t not in group_of:
            raise BadInput(f"{name}: its scale is fixed; expected a map inside the network")
        for tied in group_of[t]:
            other = graph.tensors[tied]
            if factor < 1 and other.quant and other.zero_point != _LOWEST[other.dtype]:
                raise BadInput(f"{name}: step times {factor}; expected a factor of at least 1 "
                               "where a map has negative values")
            if factors.setdefault(tied, factor) != factor:
                raise BadInput(f"{name}: step times {factor}, but times {factors[tied]} for a map "
                               "that shares its scale")
    return {t: factor for t, factor in factors.items() if factor != 1}


def _rescaled(bias: Tensor, ratio: float) -> Tensor:
    """The same real biases in steps `ratio` times as large."""
    assert bias.data is not None
    if bias.quant is None:
        return replace(bias, data=np.rint(bias.data / ratio).astype(bias.data.dtype))
    old = np.array(bias.quant.scale)
    new = (old * ratio).astype(np.float32).astype(np.float64)
    data = np.rint(bias.data * (old / new)).astype(bias.data.dtype)
    return replace(bias, data=data, quant=replace(bias.quant, scale=tuple(map(float, new))))
