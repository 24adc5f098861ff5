# SPDX-License-Identifier: Apache-2.0
"""Converts a legacy uint8 network to int8, so that its weights may have a step per channel.

Values and zero points move by 128. Inputs and outputs keep their type; operators that only move
codes connect them. Weights become signed around their zero point: a channel that needs more than
127 steps gets coarser ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgefm.network.graph import Array, Graph, Node, Quant, Tensor
from edgefm.network.operators import LINEAR, output_axis

_HALF = 128
_LARGEST = 127


def signed(graph: Graph) -> Graph:
    """`graph` itself where it computes with int8 already."""
    if not any(_is_legacy(graph, node) for node in graph.nodes):
        return graph
    tensors = [_moved(tensor) for tensor in graph.tensors]
    for node in graph.nodes:
        if node.op in LINEAR and graph.tensors[node.inputs[1]].dtype == "uint8":
            _replace_weights(graph, node, tensors)
    made = replace(graph, tensors=tuple(tensors))
    return _with_ends(graph, made)


def _is_legacy(graph: Graph, node: Node) -> bool:
    return node.op in LINEAR and graph.tensors[node.inputs[0]].dtype == "uint8"


def _moved(tensor: Tensor) -> Tensor:
    if tensor.dtype != "uint8" or tensor.quant is None:
        return tensor
    quant = replace(tensor.quant, zero_point=tuple(z - _HALF for z in tensor.quant.zero_point))
    data = None if tensor.data is None else (tensor.data ^ 0x80).view(np.int8)
    return replace(tensor, dtype="int8", quant=quant, data=data)


def _replace_weights(graph: Graph, node: Node, tensors: list[Tensor]) -> None:
    """Symmetric weights and a bias in their steps, in place of a node's own."""
    old = graph.tensors[node.inputs[1]]
    assert old.data is not None and old.quant is not None
    axis = output_axis(node.op)
    rows = np.moveaxis(old.data.astype(np.int64) - old.quant.zero_point[0], axis, 0)
    largest = np.abs(rows.reshape(len(rows), -1)).max(axis=1)
    times = np.maximum(largest / _LARGEST, 1.0)
    shape = (-1, *(1,) * (rows.ndim - 1))
    whole = np.moveaxis(np.rint(rows / times.reshape(shape)), 0, axis).astype(np.int8)
    quant = _quant(times * old.quant.scale[0], axis)
    tensors[node.inputs[1]] = replace(old, dtype="int8", quant=quant,
                                      data=np.ascontiguousarray(whole))
    at = node.inputs[2] if len(node.inputs) > 2 else -1
    bias = graph.tensors[at] if at >= 0 else None
    if bias is not None and bias.data is not None and bias.quant is not None:
        data = np.rint(bias.data.ravel() / times).astype(np.int32).reshape(bias.data.shape)
        tensors[at] = replace(bias, data=data, quant=_quant(times * bias.quant.scale[0], 0))


def _quant(scale: Array, axis: int) -> Quant:
    return Quant(tuple(float(np.float32(s)) for s in scale), (0,) * len(scale), axis)


def _with_ends(graph: Graph, made: Graph) -> Graph:
    """`made` with the inputs and outputs of `graph`."""
    tensors, nodes = list(made.tensors), list(made.nodes)
    inputs, outputs = list(made.inputs), list(made.outputs)
    for ends, first in ((inputs, True), (outputs, False)):
        for place, t in enumerate(ends):
            if graph.tensors[t].dtype == "uint8":
                tensors.append(graph.tensors[t])
                tensors[t] = replace(tensors[t], name=f"{tensors[t].name}/int8")
                pair = (len(tensors) - 1, t) if first else (t, len(tensors) - 1)
                node = Node("quantize", f"{graph.tensors[t].name}/ends", pair[:1], pair[1:], {})
                nodes.insert(0, node) if first else nodes.append(node)
                ends[place] = len(tensors) - 1
    return replace(made, tensors=tuple(tensors), nodes=tuple(nodes), inputs=tuple(inputs),
                   outputs=tuple(outputs))
