# SPDX-License-Identifier: Apache-2.0
"""Integer graph -> the float graph that it approximates, to train it on or to quantize it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edgefm.network.affine import real_tensor
from edgefm.network.graph import Graph, Node
from edgefm.network.operators import Kind, of_kind
from edgefm.network.rewrite import fuse

_CHANGES_TYPE = of_kind(Kind.CONVERSION)


def dequantized_graph(graph: Graph) -> Graph:
    """The same operators in float32, with the real values of the constants.

    Computed tensors keep their names, inputs and outputs become float32; quantize and dequantize
    are left out. A float graph comes back with its operators fused.
    """
    tensors = [real_tensor(tensor) for tensor in graph.tensors]
    same: dict[int, int] = {-1: -1}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(same.get(t, t) for t in node.inputs)
        if node.op in _CHANGES_TYPE:
            same[node.outputs[0]] = inputs[0]
        else:
            nodes.append(replace(node, inputs=inputs, attrs=_real(node, graph)))
    outputs = tuple(same.get(t, t) for t in graph.outputs)
    return fuse(replace(graph, tensors=tuple(tensors), nodes=tuple(nodes), outputs=outputs))


def _real(node: Node, graph: Graph) -> Mapping[str, Any]:
    """A node's attributes with the real value of what is padded with."""
    output = graph.tensors[node.outputs[0]]
    if "value" not in node.attrs or output.quant is None:
        return node.attrs
    steps = node.attrs["value"] - output.quant.zero_point[0]
    return {**node.attrs, "value": float(np.float32(steps * output.quant.scale[0]))}
