# SPDX-License-Identifier: Apache-2.0
"""A graph that is rewritten before it is checked: new tensors come behind those of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgefm.network.graph import Array, Graph, Node, Quant, Tensor, with_distinct_names


class Draft:
    """Tensors and nodes so far; the nodes are in the order in which they were added."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.nodes: list[Node] = []

    def finished(self) -> Graph:
        """The graph of these tensors and nodes."""
        return replace(self.graph, tensors=tuple(with_distinct_names(self.tensors)),
                       nodes=tuple(self.nodes))

    def like(self, index: int, name: str, shape: Sequence[int]) -> int:
        """A computed tensor of the type and scale of another one."""
        return self._add(replace(self.tensors[index], name=name, shape=tuple(shape), data=None))

    def constant(self, name: str, data: Array, quant: Quant | None) -> int:
        """A constant."""
        return self._add(Tensor(name, data.shape, data.dtype.name, quant,
                                np.ascontiguousarray(data)))

    def node(self, op: str, inputs: Sequence[int], output: int, **attrs: Any) -> int:
        """A node, named after its output, whose index it gives."""
        self.nodes.append(Node(op, self.tensors[output].name, tuple(inputs), (output,), attrs))
        return output

    def _add(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def part_of(quant: Quant | None, places: Array, axis: int) -> Quant | None:
    """The quantization of the channels at `places`, now along `axis`; one scale for all stays."""
    if quant is None or quant.axis is None:
        return quant
    return Quant(tuple(quant.scale[i] for i in places.tolist()),
                 tuple(quant.zero_point[i] for i in places.tolist()), axis)
