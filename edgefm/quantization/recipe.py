# SPDX-License-Identifier: Apache-2.0
"""A float graph and what its tensors hold -> the int8 graph of one recipe.

Weights: symmetric int8, one scale per output channel. Activations: asymmetric int8, one scale per
tensor. Bias: int32 at input scale * weight scale. Operators that cannot rescale in TFLite (concat,
pools, reshape, pad, ...) share one scale between inputs and output; softmax and logistic have the
scale TFLite prescribes. Every scale is a float32 number, because that is what a .tflite file holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import numpy.typing as npt

from edgefm.errors import UnsupportedModel
from edgefm.importers.faults import Faults
from edgefm.network.affine import affine, in_steps
from edgefm.network.graph import Array, Graph, Node, Quant, Tensor
from edgefm.network.operators import (
    FIXED_SCALE,
    LINEAR,
    OPERATORS,
    SAME_SCALE,
    Scale,
    output_axis,
)
from edgefm.quantization.calibrate import Statistics, merged, range_of

_BIAS_LIMIT = 1 << 29  # leaves the 32-bit accumulator room for the products
_SMALLEST_FACTOR = 2.0 ** -24  # output steps per accumulator step

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How ranges are chosen: the method of `calibrate.range_of`, what the input can be besides what
    was seen, and the ranges (low, high) that are given, by name of tensor."""

    method: str
    input_range: tuple[float, float] | None = None
    given: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def refuse_unquantizable(graph: Graph, faults: Faults | None = None) -> None:
    """Raise UnsupportedModel for the first node that has no int8 form; `faults` may keep all."""
    for node in graph.nodes:
        with (faults or Faults()).of_layer():
            _refuse_node(graph, node)


def _refuse_node(graph: Graph, node: Node) -> None:
    where = f"{graph.name}: {node.op} {node.name!r} (tensor {_name(graph, node.outputs[0])!r})"
    if node.op not in OPERATORS or OPERATORS[node.op].scale is Scale.NONE:
        raise UnsupportedModel(f"{where}: has no int8 form; expected a float graph")
    for t in node.inputs[1:] if node.op in LINEAR else ():
        if t >= 0 and graph.tensors[t].data is None:
            raise UnsupportedModel(f"{where}: {_name(graph, t)!r} is computed; "
                                   "expected constant weights")
    for t in node.inputs:
        if t >= 0 and graph.tensors[t].dtype != "float32":
            raise UnsupportedModel(f"{where}: {_name(graph, t)!r} is "
                                   f"{graph.tensors[t].dtype}; expected float32")


def integer_graph(graph: Graph, seen: Statistics, recipe: Recipe) -> Graph:
    """The int8 graph of `recipe`; computed tensors keep their indices, weights are appended."""
    tensors = list(graph.tensors)
    for t, quant in _scales(graph, seen, recipe).items():
        tensors[t] = _quantized_tensor(graph.tensors[t], quant)
    nodes = [_linear(node, tensors, graph.tensors) if node.op in LINEAR else
             _on_scale(node, tensors[node.outputs[0]]) for node in graph.nodes]
    return replace(graph, tensors=tuple(tensors), nodes=tuple(nodes))


def _on_scale(node: Node, output: Tensor) -> Node:
    """The node with attributes on its output's scale."""
    if output.quant is None:
        return node
    return replace(node, attrs=in_steps(node.attrs, output.quant, output.dtype))


def _name(graph: Graph, tensor: int) -> str:
    return graph.tensors[tensor].name


def _quantized_tensor(tensor: Tensor, quant: Quant) -> Tensor:
    data = tensor.data
    if data is not None:
        steps = np.rint(data / quant.scale[0]) + quant.zero_point[0]
        data = np.clip(steps, -128, 127).astype(np.int8)
    return replace(tensor, dtype="int8", quant=quant, data=data)


# Activations.

def _scales(graph: Graph, seen: Statistics, recipe: Recipe) -> dict[int, Quant]:
    """The scale and zero point of every activation and of every constant beside one."""
    fixed = {node.outputs[0]: _prescribed(node) for node in graph.nodes if node.op in FIXED_SCALE}
    scales = {}
    for group in _groups(graph):
        demanded = {fixed[t] for t in group if t in fixed}
        if demanded and any(t not in fixed and not _only_moved(graph, t) for t in group):
            raise UnsupportedModel(f"{graph.name}: {_name(graph, group[-1])!r} joins probabilities "
                                   "with other maps; int8 has no common scale for them")
        quant = demanded.pop() if demanded else affine(*_range(graph, group, seen, recipe))
        scales.update(dict.fromkeys(group, quant))
    return _coarse_enough(graph, scales)


def _coarse_enough(graph: Graph, scales: Mapping[int, Quant]) -> dict[int, Quant]:
    """The scales, coarser where an operator's kernel takes no output as fine as that."""
    made, groups = dict(scales), _groups(graph)
    nodes = [node for node in graph.nodes if OPERATORS[node.op].finest]
    while True:
        finest = {node.outputs[0]: OPERATORS[node.op].finest * made[node.inputs[0]].scale[0]
                  for node in nodes}
        t = next((t for t, least in finest.items() if made[t].scale[0] <= least), None)
        if t is None:
            return made
        group = next(group for group in groups if t in group)
        coarser = replace(made[t], scale=(_float32(2 * finest[t]),))
        made.update(dict.fromkeys(group, coarser))


def _prescribed(node: Node) -> Quant:
    fixed = OPERATORS[node.op].fixed
    assert fixed is not None
    return Quant(fixed[:1], fixed[1:])


def _only_moved(graph: Graph, tensor: int) -> bool:
    """True when the tensor comes out of an operator that keeps its input's scale."""
    return any(tensor in node.outputs and node.op in SAME_SCALE for node in graph.nodes)


def _groups(graph: Graph) -> list[list[int]]:
    """Float tensors that must share a scale, in groups; most are alone."""
    group_of: dict[int, list[int]] = {t: [t] for t in graph.inputs}
    for node in graph.nodes:
        operands = node.inputs[:1] if node.op in LINEAR else node.inputs
        for t in (*operands, *node.outputs):
            if graph.tensors[t].dtype == "float32":
                group_of.setdefault(t, [t])
        if node.op in SAME_SCALE:
            members = {id(group_of[t]): group_of[t] for t in (*node.inputs, node.outputs[0])}
            joined = sorted(t for group in members.values() for t in group)
            group_of.update(dict.fromkeys(joined, joined))
    return list({id(group): group for group in group_of.values()}.values())


def _range(graph: Graph, group: Sequence[int], seen: Statistics, recipe: Recipe
           ) -> tuple[float, float]:
    """What 8 bits shall span; all that was seen where the graph meets the world, so that the
    largest of several outputs stays the largest and no input is cut off."""
    spans = [_span(graph, t, seen) for t in group]
    span = min(low for low, _ in spans), max(high for _, high in spans)
    if recipe.input_range is not None and graph.inputs[0] in group:
        return _widened(recipe.input_range, span)
    for t in group:
        if _name(graph, t) in recipe.given:
            return recipe.given[_name(graph, t)]
    ends = {*graph.inputs, *graph.outputs, *_constants(graph)}
    if recipe.method == "minmax" or ends.intersection(group):
        return span
    return range_of(recipe.method, reduce(merged, (seen.histograms[t] for t in group)))


def _widened(limits: tuple[float, float], span: tuple[float, float]) -> tuple[float, float]:
    """`limits`, or what was seen where they would cut it off by more than rounding does."""
    half = (limits[1] - limits[0]) / 510
    return (span[0] if span[0] < limits[0] - half else limits[0],
            span[1] if span[1] > limits[1] + half else limits[1])


def _constants(graph: Graph) -> Iterable[int]:
    return (t for t, tensor in enumerate(graph.tensors) if tensor.data is not None)


def _span(graph: Graph, tensor: int, seen: Statistics) -> tuple[float, float]:
    data = graph.tensors[tensor].data
    return seen.spans[tensor] if data is None else (float(data.min()), float(data.max()))


def _float32(value: float) -> float:
    return float(np.float32(value))


# Weights.

def _linear(node: Node, tensors: list[Tensor], floats: Sequence[Tensor]) -> Node:
    """`node` with int8 weights and an int32 bias, which are appended to `tensors`."""
    weights = floats[node.inputs[1]]
    assert weights.data is not None
    axis, into = output_axis(node.op), tensors[node.inputs[0]].scale
    rows = np.moveaxis(weights.data, axis, 0).astype(np.float64)
    count = len(rows)
    stored = floats[node.inputs[2]] if node.inputs[2] >= 0 else None
    bias = np.zeros(count) if stored is None or stored.data is None else stored.data
    scale = _weight_scales(rows.reshape(count, -1), bias, into, tensors[node.outputs[0]].scale)
    steps = np.clip(np.rint(rows / scale.reshape((-1,) + (1,) * (rows.ndim - 1))), -127, 127)
    data = np.ascontiguousarray(np.moveaxis(steps, 0, axis).astype(np.int8))
    bias_steps = np.rint(bias / (into * scale)).astype(np.int32)
    name = stored.name if stored is not None else f"{weights.name}/bias"
    zeros = (0,) * count
    quant = Quant(tuple(map(float, scale)), zeros, axis)
    bias_quant = Quant(tuple(_float32(into * s) for s in scale), zeros, 0)
    tensors += [Tensor(weights.name, data.shape, "int8", quant, data),
                Tensor(name, (count,), "int32", bias_quant, bias_steps)]
    return replace(node, inputs=(node.inputs[0], len(tensors) - 2, len(tensors) - 1))


def _weight_scales(rows: Floats, bias: Array, into: float, out: float) -> Floats:
    """Largest magnitude / 127 per channel, or more where the bias would overflow otherwise or
    the products could not reach the output anyway (dead channels)."""
    scale: Floats = np.abs(rows).max(axis=1) / 127
    scale = np.maximum(scale, np.abs(bias) * 1.01 / (into * _BIAS_LIMIT))
    scale = np.maximum(scale, out / into * _SMALLEST_FACTOR)
    return np.asarray(scale.astype(np.float32), np.float64)

