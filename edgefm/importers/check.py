# SPDX-License-Identifier: Apache-2.0
"""What every later pass may rely on, checked once for a graph from any importer.

`check_graph` proves that indices are in range, that each tensor is made once and before it is
read, that constants fill their shape, that quantization parameters are usable, and that shapes
and types follow from each operator's geometry. Code that gets a checked graph need not check again.
A tensor that only goes from one reordering operator to others may have any shape; every other
computed one is a batch of one image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.faults import Faults
from edgefm.importers.rules import BYTES, Shape, expect, output_shapes, quoted
from edgefm.network.graph import Graph, Node, Quant, Tensor, rows_of
from edgefm.network.operators import REARRANGES, REORDERS

MOST_ELEMENTS: Final = 1 << 28  # in one tensor
MOST_ROWS: Final = 1 << 20  # in one computed tensor

_RANGE = MappingProxyType({"int8": (-128, 127), "uint8": (0, 255)})


def check_graph(graph: Graph, faults: Faults | None = None) -> Graph:
    """The graph itself when it is sound; output shapes that were left out, (), are filled in.

    BadInput says what contradicts itself, UnsupportedModel what edgefm cannot run; the caller
    adds the file's name. `faults` may keep those of single layers.
    """
    faults = faults or Faults()
    _check_ends(graph)
    tensors = list(graph.tensors)
    known, checked = set(graph.inputs), set(graph.inputs)
    passing = _passing(graph)
    for index in graph.inputs:
        _check_computed(tensors[index], "graph input", True)
    for place, node in enumerate(graph.nodes):
        where = f"layer {place} ({node.op} {quoted(node.name)})"
        _check_wiring(node, tensors, known, where)
        known.update(node.outputs)
        with faults.of_layer():
            for t in {*node.inputs} - checked - {-1}:
                _check_tensor(tensors[t], where)
            for t, shape in zip(node.outputs, output_shapes(node, tensors, where), strict=True):
                tensors[t] = _settle(tensors[t], shape, where)
                _check_computed(tensors[t], where, t not in passing)
        checked.update(node.inputs, node.outputs)
    missing = next((t for t in graph.outputs if t not in known), None)
    if missing is not None:
        raise BadInput(f"graph output {quoted(tensors[missing].name)} is made by no layer")
    return replace(graph, tensors=tuple(tensors))


def _check_ends(graph: Graph) -> None:
    count = len(graph.tensors)
    for kind, ends in (("input", graph.inputs), ("output", graph.outputs)):
        expect(bool(ends), "graph", f"it has no {kind}")
        expect(len(set(ends)) == len(ends), "graph", f"an {kind} is listed twice")
        bad = next((t for t in ends if not 0 <= t < count), None)
        expect(bad is None, "graph", f"{kind} is tensor {bad} of {count}")
    constant = next((t for t in graph.inputs if graph.tensors[t].data is not None), None)
    if constant is not None:
        raise BadInput(f"graph input {quoted(graph.tensors[constant].name)} is a constant")
    expect(bool(graph.nodes), "graph", "it has no layer")


def _check_wiring(node: Node, tensors: Sequence[Tensor], known: set[int], where: str) -> None:
    for t in node.inputs:
        expect(-1 <= t < len(tensors), where, f"input is tensor {t} of {len(tensors)}")
        expect(t == -1 or t in known or tensors[t].data is not None, where,
               f"input {quoted(tensors[t].name)} is neither constant nor made by an earlier layer")
    expect(len(set(node.outputs)) == len(node.outputs), where, "an output is listed twice")
    for t in node.outputs:
        expect(0 <= t < len(tensors), where, f"output is tensor {t} of {len(tensors)}")
        expect(t not in known, where, f"output {quoted(tensors[t].name)} was made before")
        expect(tensors[t].data is None, where, f"output {quoted(tensors[t].name)} is a constant")


def _check_tensor(tensor: Tensor, where: str) -> None:
    name = f"tensor {quoted(tensor.name)}"
    expect(all(d >= 1 for d in tensor.shape), where,
           f"{name} has shape {tensor.shape}, expected sizes of at least 1")
    expect(math.prod(tensor.shape) <= MOST_ELEMENTS, where,
           f"{name} of shape {tensor.shape} has more than {MOST_ELEMENTS} elements",
           UnsupportedModel)
    if tensor.data is not None:
        expect(tensor.data.shape == tensor.shape and tensor.data.dtype == tensor.dtype, where,
               f"{name} is {tensor.dtype} {tensor.shape}, its data {tensor.data.dtype} "
               f"{tensor.data.shape}")
        expect(tensor.dtype != "float32" or bool(np.isfinite(tensor.data).all()), where,
               f"{name} has values that are not finite")
    if tensor.quant is not None:
        _check_quant(tensor, tensor.quant, f"{where}: {name}")


def _check_quant(tensor: Tensor, quant: Quant, where: str) -> None:
    axis, count = quant.axis, len(quant.scale)
    expect(axis is None or 0 <= axis < len(tensor.shape), where,
           f"quantized along dimension {axis} of {len(tensor.shape)}")
    slots = 1 if axis is None else tensor.shape[axis]
    expect(count == slots, where, f"{count} scales, expected {slots}")
    expect(len(quant.zero_point) == count, where,
           f"{len(quant.zero_point)} zero points for {count} scales")
    expect(all(0 < s < math.inf for s in quant.scale), where,
           "a scale is not a finite number above 0")
    low, high = _RANGE.get(tensor.dtype, (-(2 ** 31), 2 ** 31 - 1))
    expect(all(low <= z <= high for z in quant.zero_point), where,
           f"a zero point is outside {low}..{high}")


def _passing(graph: Graph) -> set[int]:
    """Tensors that exist only on the way between operators that give values other places."""
    held = {t for node in graph.nodes if node.op not in REORDERS for t in node.inputs}
    return {t for node in graph.nodes if node.op in REARRANGES for t in node.outputs
            if t not in held and t not in graph.outputs}


def _check_computed(tensor: Tensor, where: str, streamed: bool) -> None:
    _check_tensor(tensor, where)
    name = f"tensor {quoted(tensor.name)}"
    if streamed:
        try:
            height = rows_of(tensor.shape)[0]
        except ValueError as error:
            raise UnsupportedModel(f"{where}: {name}: {error}") from None
        expect(height <= MOST_ROWS, where, f"{name} has {height} rows, {MOST_ROWS} are possible",
               UnsupportedModel)
    if tensor.dtype in BYTES:
        expect(tensor.quant is not None and tensor.quant.axis is None, where,
               f"{name} is {tensor.dtype} and needs one scale and zero point")


def _settle(tensor: Tensor, shape: Shape, where: str) -> Tensor:
    if tensor.shape == () and shape != ():
        return replace(tensor, shape=shape)
    expect(tensor.shape == shape, where,
           f"output {quoted(tensor.name)} has shape {tensor.shape}, its inputs give {shape}")
    return tensor
