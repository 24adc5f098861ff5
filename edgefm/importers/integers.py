# SPDX-License-Identifier: Apache-2.0
"""A float graph with quantize and dequantize nodes around its operators -> the 8-bit graph.

Tools that quantize ONNX networks leave the operators in float and say with pairs of such nodes on
which scale each map is. Here the pairs vanish: an operator between them computes in 8 bits, on the
file's scales and zero points, with the file's steps as weights. Only a network's float inputs and
outputs keep a conversion.

A map that has no scale of its own gets its input's where values only move, the prescribed one after
a softmax or logistic, and else one that spans all that the operator can make of its inputs. Where
the file's scale is none that the operator can give out, a conversion of scales follows it.

Everything is int8. A file with weights that only fit uint8 with a zero point is uint8 throughout,
as TFLite knows such weights in uint8 networks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from edgefm.errors import UnsupportedModel
from edgefm.importers.rules import BYTES, quoted
from edgefm.network.affine import SHIFT, affine, in_steps, in_type, span_of
from edgefm.network.graph import Array, Graph, Node, Quant, Tensor, with_distinct_names
from edgefm.network.operators import (
    ACTIVATIONS,
    FIXED_SCALE,
    LINEAR,
    OPERATORS,
    SAME_SCALE,
    Kind,
    Scale,
    output_axis,
    such,
)
from edgefm.network.rewrite import fuse, prune

_NEAR = 1e-3  # steps by which weights may miss whole numbers
_BIAS_LIMIT = (1 << 31) - 1
_Span = tuple[float, float]


def is_quantized(graph: Graph) -> bool:
    """True for a float graph that says with `quantize` nodes on which scales its maps are."""
    return any(node.op == "quantize" for node in graph.nodes)


def without_scales(graph: Graph) -> Graph:
    """A float graph whose constants are plain numbers, whatever scales their file had for them."""
    return replace(graph, tensors=tuple(
        replace(t, quant=None) if t.dtype == "float32" and t.quant is not None else t
        for t in graph.tensors))


def float_graph(graph: Graph) -> Graph:
    """The graph without conversions between its own float maps, and without scales."""
    same: dict[int, int] = {}
    nodes = []
    for node in graph.nodes:
        source = node.inputs[0]
        if node.op == "quantize" and graph.tensors[source].dtype == "float32":
            same[node.outputs[0]] = same.get(source, source)
        elif node.op == "dequantize" and source in same:
            same[node.outputs[0]] = same[source]
        else:
            nodes.append(replace(node, inputs=tuple(same.get(t, t) for t in node.inputs)))
    outputs = tuple(same.get(t, t) for t in graph.outputs)
    return without_scales(prune(replace(graph, nodes=tuple(nodes), outputs=outputs)))


def integer_graph(graph: Graph) -> Graph:
    """The 8-bit graph; UnsupportedModel, without the file's name, for an operator left in float."""
    graph = fuse(graph)
    work = _Work(graph, list(graph.tensors), _type_of(graph))
    for place, node in enumerate(graph.nodes):
        where = f"layer {place} ({node.op} {quoted(node.name)})"
        if node.op == "quantize":
            _quantize(work, node)
        elif node.op == "dequantize":
            work.twin[node.outputs[0]] = work.within(node.inputs[0])
        else:
            _compute(work, node, where)
    outputs = tuple(_output(work, t) for t in graph.outputs)
    made = replace(graph, tensors=tuple(work.tensors), nodes=tuple(work.nodes), outputs=outputs)
    made = prune(made)
    return replace(made, tensors=tuple(with_distinct_names(made.tensors)))


@dataclass(slots=True, eq=False)
class _Work:
    """The new graph while it grows. `twin` maps a float tensor to the 8-bit one of the same values,
    `same` an 8-bit tensor of the file to the one that it became."""

    graph: Graph
    tensors: list[Tensor]
    dtype: str
    nodes: list[Node] = field(default_factory=list)
    twin: dict[int, int] = field(default_factory=dict)
    same: dict[int, int] = field(default_factory=dict)
    readers: dict[int, list[Node]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.graph.nodes:
            for t in node.inputs:
                self.readers.setdefault(t, []).append(node)

    def add(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def quant(self, t: int) -> Quant:
        """The scale of an 8-bit tensor in the type of this graph."""
        tensor = self.tensors[t]
        assert tensor.quant is not None
        return in_type(tensor.quant, tensor.dtype, self.dtype)

    def on_scale(self, t: int, quant: Quant, name: str) -> int:
        """The values of 8-bit tensor `t` in this graph's type on a scale: itself, or converted."""
        tensor = self.tensors[t]
        if tensor.quant == quant and tensor.dtype == self.dtype:
            return t
        made = self.add(replace(tensor, name=name, dtype=self.dtype, quant=quant))
        self.nodes.append(Node("quantize", name, (t,), (made,)))
        return made

    def within(self, t: int) -> int:
        """What an 8-bit tensor of the file is in this graph."""
        if t not in self.same:
            self.same[t] = self.on_scale(t, self.quant(t), f"{self.tensors[t].name}/{self.dtype}")
        return self.same[t]

    def wanted(self, t: int) -> Quant | None:
        """The scale that the file has for a float tensor."""
        node = next((n for n in self.readers.get(t, ()) if n.op == "quantize"), None)
        return None if node is None else self.quant(node.outputs[0])

    def first_scale(self, t: int) -> Quant | None:
        """The scale that the file has for a float tensor, or for it after operators that keep
        scales."""
        ahead = [t]
        while ahead:
            now = ahead.pop()
            found = self.wanted(now)
            if found is not None:
                return found
            ahead += [node.outputs[0] for node in self.readers.get(now, ())
                      if node.op in SAME_SCALE]
        return None


def _type_of(graph: Graph) -> str:
    """int8, or uint8 where weights need a zero point and have one scale."""
    for node in graph.nodes:
        weights = graph.tensors[node.inputs[1]] if node.op in LINEAR else None
        if (weights is not None and weights.quant is not None and len(weights.quant.scale) == 1):
            steps = _steps(weights, output_axis(node.op))
            if steps is not None and (steps.min() < -128 or steps.max() > 127):
                return "uint8"
    return "int8"


def _quantize(work: _Work, node: Node) -> None:
    """A map of the file on its scale: the one that was computed so, or a conversion of it."""
    source, made = node.inputs[0], node.outputs[0]
    if work.tensors[source].dtype in BYTES:  # a change of scale
        work.same[made] = work.on_scale(work.within(source), work.quant(made),
                                        work.tensors[made].name)
    elif source in work.twin:
        work.same[made] = work.on_scale(work.twin[source], work.quant(made),
                                        work.tensors[made].name)
    else:
        work.same[made] = _entered(work, source, work.quant(made), work.tensors[made].name)


def _entered(work: _Work, source: int, quant: Quant, name: str) -> int:
    """A float map, as a network's input is, on a scale."""
    made = work.add(replace(work.tensors[source], name=name, dtype=work.dtype, quant=quant))
    work.nodes.append(Node("quantize", name, (source,), (made,)))
    work.twin[source] = made
    return made


def _compute(work: _Work, node: Node, where: str) -> None:
    """One operator in 8 bits."""
    inputs = [_input(work, node, k, where) for k in range(len(node.inputs))]
    if node.op in LINEAR:
        _check_linear(work, node, where)
    quant, final = _output_quant(work, node, inputs, where)
    if node.op in _JOINS:
        inputs = [work.on_scale(t, quant, f"{node.name}/{k}") for k, t in enumerate(inputs)]
    out = node.outputs[0]
    made = work.add(replace(work.tensors[out], dtype=work.dtype, quant=quant))
    if node.op in LINEAR:
        inputs[1:] = _constants(work, node, inputs[0], where)
    attrs = in_steps(node.attrs, quant, work.dtype)
    work.nodes.append(replace(node, inputs=tuple(inputs), outputs=(made,), attrs=attrs))
    work.twin[out] = work.on_scale(made, final, f"{work.tensors[out].name}/scaled")


def _check_linear(work: _Work, node: Node, where: str) -> None:
    for t in node.inputs[1:]:
        if t >= 0 and work.tensors[t].data is None:
            raise UnsupportedModel(f"{where}: {quoted(work.tensors[t].name)} is computed; expected "
                                   "constant weights")


def _input(work: _Work, node: Node, k: int, where: str) -> int:
    """Input k in 8 bits; what a linear operator multiplies with comes later."""
    t = node.inputs[k]
    if t < 0 or (k and node.op in LINEAR):
        return t
    tensor = work.tensors[t]
    if tensor.data is not None:
        return _constant(work, tensor)
    if t not in work.twin:
        quant = work.first_scale(t)
        if quant is None:
            raise UnsupportedModel(
                f"{where}: {quoted(tensor.name)} comes in float, with no QuantizeLinear behind it")
        _entered(work, t, quant, f"{tensor.name}/{work.dtype}")
    return work.twin[t]


def _constant(work: _Work, tensor: Tensor) -> int:
    """A constant operand in 8 bits: on the file's scale, or on one that spans it."""
    assert tensor.data is not None
    quant, values = tensor.quant, (float(tensor.data.min()), float(tensor.data.max()))
    if quant is None or len(quant.scale) != 1 or not _holds(quant, values):
        quant = affine(*values)
    steps = np.rint(tensor.data.astype(np.float64) / quant.scale[0]) + quant.zero_point[0]
    data = (np.clip(steps, -128, 127) + SHIFT[work.dtype]).astype(work.dtype)
    return work.add(replace(tensor, dtype=work.dtype, data=data,
                            quant=in_type(quant, "int8", work.dtype)))


def _holds(quant: Quant, values: _Span) -> bool:
    low, high = span_of(quant, "int8")
    half = quant.scale[0] / 2
    return low - half <= values[0] and values[1] <= high + half


# The scale of what an operator makes.

def _output_quant(work: _Work, node: Node, inputs: Sequence[int], where: str
                  ) -> tuple[Quant, Quant]:
    """The scale that the operator gives out, and the one that the file wants."""
    record, same = OPERATORS[node.op], node.op in SAME_SCALE
    wanted = (work.wanted if same and node.op not in _JOINS else work.first_scale)(node.outputs[0])
    if record.scale is Scale.NONE or len(node.outputs) != 1:
        raise UnsupportedModel(f"{where}: it has no 8-bit form")
    if node.op in FIXED_SCALE:
        assert record.fixed is not None
        own = in_type(Quant(record.fixed[:1], record.fixed[1:]), "int8", work.dtype)
    elif node.op in _JOINS:
        own = wanted or work.quant(inputs[0])
    elif same:
        own = work.quant(inputs[0])
    else:
        own = wanted or in_type(affine(*_reach(work, node, inputs, where)), "int8", work.dtype)
    finest = record.finest * work.quant(inputs[0]).scale[0]
    if own.scale[0] <= finest:
        own = Quant((float(np.float32(2 * finest)),), own.zero_point)
    return own, wanted or own


def _reach(work: _Work, node: Node, inputs: Sequence[int], where: str) -> _Span:
    """The least and the greatest value that an operator can make of what its inputs can hold."""
    record = OPERATORS[node.op]
    spans = [_span(work.tensors[t]) for t in inputs[:1 if node.op in LINEAR else None]]
    if node.op in _REACHES:
        low, high = _arithmetic(node.op, spans)
    elif record.kind is Kind.UNARY:
        low, high = _UNARY_REACH.get(node.op, _widest)(*spans[0])
    elif node.op in _KEEPS_RANGE:
        low, high = spans[0]
    else:
        raise UnsupportedModel(
            f"{where}: its output {quoted(work.tensors[node.outputs[0]].name)} stays in float, "
            "with no QuantizeLinear behind it")
    least, most = ACTIVATIONS[node.attrs.get("activation")]
    return max(low, least), min(high, most)


def _span(tensor: Tensor) -> _Span:
    assert tensor.quant is not None
    return span_of(tensor.quant, tensor.dtype)


def _arithmetic(op: str, spans: Sequence[_Span]) -> _Span:
    (a, b), (c, d) = spans
    ends = {"add": (a + c, b + d), "sub": (a - d, b - c), "mul": (a * c, a * d, b * c, b * d)}[op]
    return min(ends), max(ends)


def _widest(low: float, high: float) -> _Span:
    """Of functions that stay between what they are given and -1..1."""
    return min(low, -1.0), max(high, 1.0)


_UNARY_REACH: Final[Mapping[str, Callable[[float, float], _Span]]] = {
    "relu": lambda low, high: (max(low, 0.0), max(high, 0.0)),
    "relu6": lambda low, high: (0.0, min(max(high, 0.0), 6.0)),
    "hard_swish": lambda low, high: (max(low, -0.375), max(high, 0.0)),
}
_REACHES: Final = frozenset({"add", "sub", "mul"})
_JOINS: Final = such(lambda one: one.scale is Scale.SAME and one.inputs[1] > 1)
_KEEPS_RANGE: Final = frozenset({"mean"})


# Weights and bias.

def _constants(work: _Work, node: Node, x: int, where: str) -> tuple[int, int]:
    """8-bit weights in the file's steps, and the bias in steps of their products."""
    weights, axis = work.tensors[node.inputs[1]], output_axis(node.op)
    count = weights.shape[axis]
    steps, scale = _weights(weights, axis)
    if work.dtype == "uint8":
        data, scales, zero = _unsigned(weights, steps, scale, where)
        quant = Quant(scales, (zero,))
    else:
        data, scales = _signed(steps, scale, axis)
        quant = Quant(scales, (0,) * len(scales), None if len(scales) == 1 else axis)
    bias = work.tensors[node.inputs[2]].data if len(node.inputs) > 2 and node.inputs[2] >= 0 else (
        np.zeros(count))
    assert bias is not None
    product = work.quant(x).scale[0] * np.broadcast_to(np.array(quant.scale), (count,))
    bias_steps = np.clip(np.rint(bias.astype(np.float64) / product), -_BIAS_LIMIT, _BIAS_LIMIT)
    into = np.float32(work.quant(x).scale[0])
    bias_quant = Quant(tuple(float(into * np.float32(s)) for s in quant.scale),
                       (0,) * len(quant.scale), None if len(quant.scale) == 1 else 0)
    return (work.add(Tensor(weights.name, data.shape, work.dtype, quant, data)),
            work.add(Tensor(f"{weights.name}/bias", (count,), "int32", bias_quant,
                            bias_steps.astype(np.int32))))


def _weights(weights: Tensor, axis: int) -> tuple[Array, Array]:
    """Steps (whole, float64) and scales, [1] or one per output channel; rounded for the first time
    where the file has none for these numbers."""
    steps = _steps(weights, axis)
    if steps is not None and weights.quant is not None:
        return steps, np.array(weights.quant.scale)
    assert weights.data is not None
    rows = np.moveaxis(weights.data, axis, 0).reshape(weights.shape[axis], -1)
    scale = np.maximum(np.abs(rows).max(axis=1) / 127, 2.0 ** -60).astype(np.float32)
    return np.rint(weights.data / _along(scale, axis, weights.data.ndim)), scale.astype(np.float64)


def _steps(weights: Tensor, axis: int) -> Array | None:
    """The file's steps less their zero point; None where the numbers are not whole steps of its
    scales along this dimension."""
    assert weights.data is not None
    quant = weights.quant
    if quant is None or len(quant.scale) not in (1, weights.shape[axis]):
        return None
    real = weights.data.astype(np.float64) / _along(np.array(quant.scale), axis, weights.data.ndim)
    steps = np.rint(real)
    return steps if np.abs(real - steps).max(initial=0.0) < _NEAR else None


def _along(scale: Array, axis: int, rank: int) -> Array:
    return scale.reshape(tuple(-1 if i == axis else 1 for i in range(rank)))


def _signed(steps: Array, scale: Array, axis: int) -> tuple[Array, tuple[float, ...]]:
    """int8 steps around 0, and their scales; rows that need more steps get coarser ones."""
    rows = np.moveaxis(steps, axis, 0).reshape(steps.shape[axis], -1)
    over = np.maximum(rows.max(axis=1) / 127, rows.min(axis=1) / -128)
    if over.max() > 1:
        factor = np.maximum(over, 1.0)
        steps, scale = np.rint(steps / _along(factor, axis, steps.ndim)), scale * factor
    data = np.ascontiguousarray(np.clip(steps, -128, 127).astype(np.int8))
    return data, tuple(float(np.float32(s)) for s in scale)


def _unsigned(weights: Tensor, steps: Array, scale: Array, where: str
              ) -> tuple[Array, tuple[float, ...], int]:
    """uint8 steps, their one scale, and their zero point."""
    if len(set(scale.tolist())) > 1:
        raise UnsupportedModel(
            f"{where}: its weights {quoted(weights.name)} have a scale per channel, and others of "
            "the file a zero point; expected signed weights throughout (weight_type=QInt8)")
    zero = 128 + (0 if weights.quant is None else weights.quant.zero_point[0])
    return (steps + zero).astype(np.uint8), (float(scale[0]),), int(zero)


# Outputs.

def _output(work: _Work, t: int) -> int:
    """The tensor of a network's output, in the file's type."""
    tensor = work.tensors[t]
    if t in work.graph.inputs:
        return t
    source = work.twin[t] if tensor.dtype == "float32" else work.within(t)
    if tensor.dtype == work.dtype:
        return source
    made = work.add(replace(tensor, quant=None if tensor.dtype == "float32" else tensor.quant))
    op = "dequantize" if tensor.dtype == "float32" else "quantize"
    work.nodes.append(Node(op, tensor.name, (source,), (made,)))
    return made
