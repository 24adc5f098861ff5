# SPDX-License-Identifier: Apache-2.0
"""ONNX operators whose inputs are all constant, computed while a model is read.

How much a result takes follows from the shapes, so that it is known before anything is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edgefm.importers.onnx_build import MOST_DIMENSIONS, MOST_SIZES, Build, Call, as_float32
from edgefm.importers.onnx_file import first_line
from edgefm.network.graph import Array

if TYPE_CHECKING:
    import onnx

_ELEMENTWISE = frozenset({
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min",
    "Mod", "Mul", "Or", "Pow", "Sub", "Where"})
FOLDABLE = _ELEMENTWISE | frozenset({
    "Abs", "Cast", "CastLike", "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape", "Exp",
    "Expand", "Flatten", "Floor", "Gather", "Identity", "Log", "Neg", "Not", "Range", "Reciprocal",
    "ReduceProd", "Reshape", "Round", "Slice", "Split", "Sqrt", "Squeeze", "Tile", "Transpose",
    "Unsqueeze",
})
_SHAPING = frozenset({"ConstantOfShape", "Expand", "Reshape", "Slice", "Squeeze", "Tile",
                      "Transpose", "Unsqueeze"})
_KEEPS_STEPS = frozenset({"Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_ELEMENT = 8   # bytes of the largest
_NUMBERS = "biuf"
_CAST_TO = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13})  # TensorProto.DataType


def fold(build: Build, call: Call) -> None:
    """Compute a call; raises ValueError when it cannot be, UnsupportedModel beyond the limit."""
    from onnx.reference import ReferenceEvaluator
    given = [_numbers(build.values[name]) for name in call.inputs if name]
    if call.op == "Cast" and call.attrs.get("to") not in _CAST_TO:
        raise ValueError(f"it casts to type {call.attrs.get('to')}; expected truth values, whole "
                         "or real numbers")
    lists = [len(value) for value in call.attrs.values() if isinstance(value, Sequence)]
    sizes = given[0 if call.op == "ConstantOfShape" else 1:]
    if call.op in _SHAPING and max((*lists, *(v.size for v in sizes)), default=0) > MOST_SIZES:
        raise ValueError(f"more than {MOST_SIZES} sizes or axes")
    build.spend(call, _ELEMENT * _elements(call, given))
    feeds = dict(zip(filter(None, call.inputs), given, strict=True))
    try:
        results = ReferenceEvaluator(_node(call), opsets={"": build.opset}).run(None, feeds)
    except Exception as error:  # whatever the evaluator makes of a hostile node
        raise ValueError(f"cannot be computed: {first_line(error)}") from error
    for name, result in zip(call.outputs, results, strict=False):
        build.values[name] = _numbers(result)
    if call.op in _KEEPS_STEPS and call.inputs[0] in build.quants:
        build.quants[call.outputs[0]] = build.quants[call.inputs[0]]


def _node(call: Call) -> onnx.NodeProto:
    from onnx.helper import make_node
    return call.node or make_node(call.op, call.inputs, call.outputs, **call.attrs)


def _elements(call: Call, given: Sequence[Array]) -> int:
    """How many elements the result has, at most."""
    if call.op == "Constant":
        return 0  # as many as the file has
    if call.op in _ELEMENTWISE:
        return prod(np.broadcast_shapes(*(value.shape for value in given)))
    if call.op == "Concat":
        return sum(value.size for value in given)
    if call.op == "Gather":
        data, indices = given
        left_out = int(call.attrs.get("axis", 0)) % max(data.ndim, 1)
        return indices.size * prod(data.shape[:left_out] + data.shape[left_out + 1:])
    if call.op == "ConstantOfShape":
        return _most(given[0])
    if call.op == "Expand":
        return prod(np.broadcast_shapes(given[0].shape, tuple(given[1].ravel().tolist())))
    if call.op == "Tile":
        return given[0].size * _most(given[1])
    if call.op == "Range":
        start, limit, step = (float(value) for value in given)
        return max(0, int((limit - start) / step) + 1)
    return given[0].size


def _most(sizes: Array) -> int:
    """How many elements these sizes give."""
    return prod(max(0, int(size)) for size in sizes.ravel())


def _numbers(value: object) -> Array:
    """An array of truth values, whole or real numbers; ValueError for anything else."""
    if not isinstance(value, np.ndarray | np.generic) or (
            value.dtype.kind not in _NUMBERS and value.dtype.name != "bfloat16"):
        raise ValueError(f"a constant of {getattr(value, 'dtype', type(value).__name__)}; expected "
                         "truth values, whole or real numbers")
    if value.ndim > MOST_DIMENSIONS:
        raise ValueError(f"a constant of {value.ndim} dimensions; expected at most "
                         f"{MOST_DIMENSIONS}")
    return as_float32(np.asarray(value))
