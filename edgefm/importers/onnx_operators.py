# SPDX-License-Identifier: Apache-2.0
"""What each ONNX operator becomes in a `Graph`; `onnx.py` reads the file around them.

ONNX is channel-first, a `Graph` is channel-last. Every activation therefore remembers which ONNX
axis each dimension of its stored tensor holds (`Edge.axes`): a Transpose only relabels, and bytes
are moved where an operator needs another order (a Reshape needs ONNX order). `rewrite.fuse` then
folds such a move into the weights that follow.

A converter raises UnsupportedModel (through `Build.fail`) for what edgefm cannot run and ValueError
for what cannot be right; the caller adds file, node and tensor to the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, prod
from typing import Any

import numpy as np

from edgefm.importers.onnx_build import (
    Build,
    Call,
    Edge,
    arranged,
    axis_of,
    edge_of,
    floats_of,
    ints_of,
    number_of,
    operand,
    scalar_of,
    vector_of,
)
from edgefm.importers.onnx_quantized import cast, dequantize_linear, quantize_linear
from edgefm.importers.onnx_windows import conv, pad, pool
from edgefm.network.graph import Array
from edgefm.network.operators import OF_ONNX, by_onnx


def _gemm(build: Build, call: Call) -> Edge:
    x = edge_of(build, call, rank=2)
    matrix = floats_of(build, call, 1, rank=2)
    if call.attrs.get("transA", 0):
        raise build.fail(call, "a transposed activation (transA) is not supported")
    weights = matrix if call.attrs.get("transB", 0) else matrix.T
    weights = weights * np.float32(call.attrs.get("alpha", 1.0))
    bias = -1
    if call.has(2):
        values = vector_of(build, call, 2, len(weights)) * np.float32(call.attrs.get("beta", 1.0))
        bias = build.constant(call, call.inputs[2], values)
    return _fully_connected(build, call, x, weights, bias)


def _matmul(build: Build, call: Call) -> Edge:
    weights = floats_of(build, call, 1, rank=2).T
    return _fully_connected(build, call, edge_of(build, call), weights, -1)


def _fully_connected(build: Build, call: Call, x: Edge, weights: Array, bias: int) -> Edge:
    order = tuple(range(len(x.shape)))
    if weights.shape[1] != x.shape[-1]:
        raise ValueError(f"weights for {weights.shape[1]} inputs, but a map {list(x.shape)}")
    inputs = (arranged(build, x, order).tensor, build.constant(call, call.inputs[1], weights), bias)
    return build.emit("fully_connected", call.outputs[0], inputs, (*x.shape[:-1], len(weights)),
                      order, activation=None, keep_dims=len(order) > 2)


def _binary(build: Build, call: Call) -> Edge:
    left, right = (build.values[name] for name in call.inputs)
    op = call.op.lower()
    if op == "div":
        divisor = floats_of(build, call, 1)
        if not divisor.all():
            raise ValueError("division by a constant that holds a zero")
        op, right = "mul", np.asarray(np.float32(1) / divisor)
    like = left if isinstance(left, Edge) else right
    assert isinstance(like, Edge)  # constants alone are folded before
    shape = np.broadcast_shapes(left.shape, right.shape)
    tensors = []
    for value, name in zip((left, right), call.inputs, strict=True):
        if isinstance(value, np.ndarray):
            tensors.append(operand(build, call, value, like, "" if op != call.op.lower() else name))
        elif len(value.shape) != len(like.shape):
            raise build.fail(call, f"activations {list(like.shape)} and {list(value.shape)}; "
                                   "expected equally many dimensions")
        else:
            tensors.append(arranged(build, value, like.axes).tensor)
    return build.emit(op, call.outputs[0], tensors, shape, like.axes, activation=None)


def _batch_norm(build: Build, call: Call) -> Edge:
    """y = (x - mean) / sqrt(variance + epsilon) * scale + shift, per channel (axis 1)."""
    x = edge_of(build, call)
    if call.attrs.get("training_mode", 0) or any(call.outputs[1:]):
        raise build.fail(call, "training mode is not supported")
    scale, shift, mean, variance = (
        vector_of(build, call, i, x.shape[1]).astype(np.float64) for i in range(1, 5))
    if variance.min() < 0:
        raise ValueError("a variance is negative")
    factor = scale / np.sqrt(variance + call.attrs.get("epsilon", 1e-5))
    column = (-1,) + (1,) * (len(x.shape) - 2)
    scaled = _with_constant(build, call, ("mul", "scaled"), x, factor.reshape(column))
    return _with_constant(build, call, ("add", ""), scaled, (shift - mean * factor).reshape(column))


def _with_constant(build: Build, call: Call, step: tuple[str, str], x: Edge, data: Array) -> Edge:
    """One step of a call, (operator, name; the last has none): `x` plus or times a constant."""
    name = "/".join(filter(None, (call.outputs[0], step[1])))
    inputs = x.tensor, operand(build, call, data, x)
    return build.emit(step[0], name, inputs, x.shape, x.axes, activation=None)


def _hard_sigmoid(build: Build, call: Call) -> Edge:
    """y = min(max(alpha * x + beta, 0), 1), as relu6 of six times that; TFLite has no other."""
    x = edge_of(build, call)
    alpha, beta = number_of(call, "alpha", 0.2), number_of(call, "beta", 0.5)
    slope = np.float32(6) * np.float32(alpha)
    if slope != 1:
        x = _with_constant(build, call, ("mul", "scaled"), x, np.array(slope))
    x = _with_constant(build, call, ("add", "shifted"), x, np.array(6 * beta))
    six = build.emit("relu6", f"{call.outputs[0]}/six", (x.tensor,), x.shape, x.axes)
    return _with_constant(build, call, ("mul", ""), six, np.array(1 / 6))


def _clip(build: Build, call: Call) -> Edge:
    low, high = scalar_of(build, call, "min", 1), scalar_of(build, call, "max", 2)
    unlimited = high is None or high in (inf, float(np.finfo(np.float32).max))
    if low != 0 or not (high == 6 or unlimited):
        raise build.fail(call, f"limits {low} and {high}; expected 0 and 6, or 0 alone")
    return _unary(build, call, "relu" if unlimited else "relu6")


def _unary(build: Build, call: Call, op: str, **attrs: Any) -> Edge:
    x = edge_of(build, call)
    return build.emit(op, call.outputs[0], (x.tensor,), x.shape, x.axes, **attrs)


def _softmax(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    rank = len(x.shape)
    axis = axis_of(int(call.attrs.get("axis", 1 if build.opset < 13 else -1)), rank)
    if build.opset < 13 and prod(x.shape[axis + 1:]) != 1:  # it spans all axes that follow
        raise build.fail(call, f"axis {axis} of {list(x.shape)} in opset {build.opset}; "
                               "expected the last axis")
    if x.axes[-1] != axis:
        x = arranged(build, x, (*(a for a in range(rank) if a != axis), axis))
    return build.emit("softmax", call.outputs[0], (x.tensor,), x.shape, x.axes, beta=1.0)


def _mean(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    rank = len(x.shape)
    if call.op == "GlobalAveragePool":
        axes = list(range(2, rank))
    else:
        axes = ints_of(build, call, "axes", 1) or []
        if not axes and call.attrs.get("noop_with_empty_axes", 0):
            return x
    gone = {axis_of(axis, rank) for axis in axes} or set(range(rank))
    keep = bool(call.attrs.get("keepdims", 1))
    left = [axis for axis in range(rank) if keep or axis not in gone]
    shape = tuple(1 if axis in gone else x.shape[axis] for axis in left)
    order = tuple(left.index(axis) for axis in x.axes if axis in left)
    stored = tuple(sorted(x.axes.index(axis) for axis in gone))
    return build.emit("mean", call.outputs[0], (x.tensor,), shape, order, keep_dims=keep,
                      axes=stored)


# Shapes.

def _concat(build: Build, call: Call) -> Edge:
    values = [build.values[name] for name in call.inputs]
    like = next(value for value in values if isinstance(value, Edge))
    axis = axis_of(int(call.attrs["axis"]), len(like.shape))
    tensors, total = [], 0
    for name, value in zip(call.inputs, values, strict=True):
        if (*value.shape[:axis], *value.shape[axis + 1:]) != (
                *like.shape[:axis], *like.shape[axis + 1:]):
            raise ValueError(f"shapes {list(value.shape)} and {list(like.shape)} on axis {axis}")
        total += value.shape[axis]
        tensors.append(arranged(build, value, like.axes).tensor if isinstance(value, Edge)
                       else operand(build, call, value, like, name))
    shape = (*like.shape[:axis], total, *like.shape[axis + 1:])
    return build.emit("concat", call.outputs[0], tensors, shape, like.axes,
                      axis=like.axes.index(axis))


def _reshaped(build: Build, call: Call, x: Edge, shape: tuple[int, ...]) -> Edge:
    if prod(shape) != prod(x.shape):
        raise ValueError(f"cannot reshape {list(x.shape)} to {list(shape)}")
    plain = arranged(build, x, tuple(range(len(x.shape))))
    order = tuple(range(len(shape)))
    return build.emit("reshape", call.outputs[0], (plain.tensor,), shape, order)


def _flatten(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    axis, rank = int(call.attrs.get("axis", 1)), len(x.shape)
    axis = axis if axis == rank else axis_of(axis, rank)
    return _reshaped(build, call, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def _reshape(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    wanted = ints_of(build, call, "shape", 1) or []
    if not call.attrs.get("allowzero", 0):
        wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    if build.batch > 1 and wanted[:1] == [build.batch] and x.shape[0] == 1:
        wanted[0] = 1
    if wanted.count(-1) == 1:
        rest = -prod(wanted)
        if rest < 1 or prod(x.shape) % rest:
            raise ValueError(f"cannot reshape {list(x.shape)} to {wanted}")
        wanted[wanted.index(-1)] = prod(x.shape) // rest
    return _reshaped(build, call, x, tuple(wanted))


def _squeeze(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    axes = ints_of(build, call, "axes", 1)
    if axes is None:
        axes = [i for i, size in enumerate(x.shape) if size == 1]
    gone = {axis_of(axis, len(x.shape)) for axis in axes}
    kept = tuple(size for i, size in enumerate(x.shape) if i not in gone)
    return _reshaped(build, call, x, kept)


def _unsqueeze(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    axes = ints_of(build, call, "axes", 1) or []
    rank = len(x.shape) + len(axes)
    shape = list(x.shape)
    for axis in sorted(axis_of(axis, rank) for axis in axes):
        shape.insert(axis, 1)
    return _reshaped(build, call, x, tuple(shape))


def _transpose(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    rank = len(x.shape)
    perm = [int(v) for v in call.attrs.get("perm", reversed(range(rank)))]
    if sorted(perm) != list(range(rank)):
        raise ValueError(f"perm {perm} for the shape {list(x.shape)}")
    shape = tuple(x.shape[axis] for axis in perm)
    return Edge(x.tensor, shape, tuple(perm.index(axis) for axis in x.axes))


def _shape(build: Build, call: Call) -> Array:
    shape = build.values[call.inputs[0]].shape
    return np.array(shape[call.attrs.get("start", 0):call.attrs.get("end")], np.int64)


def _same(build: Build, call: Call) -> Edge | Array:
    if any(call.outputs[1:]) or (call.op == "Dropout" and scalar_of(build, call, "", 2)):
        raise build.fail(call, "training mode is not supported")
    return build.values[call.inputs[0]]


def _plain(build: Build, call: Call) -> Edge:
    """A unary operator whose attributes are ONNX's."""
    record = OF_ONNX[call.op]
    attrs = {name: number_of(call, name, default) for name, default in record.onnx_defaults.items()}
    return _unary(build, call, record.name, **attrs)


Converter = Callable[[Build, Call], Edge | Array]
_OWN: Mapping[str, Converter] = {
    "Add": _binary, "AveragePool": pool, "BatchNormalization": _batch_norm, "Cast": cast,
    "Clip": _clip, "DequantizeLinear": dequantize_linear, "QuantizeLinear": quantize_linear,
    "Concat": _concat, "Conv": conv, "Div": _binary, "Dropout": _same, "Flatten": _flatten,
    "Gemm": _gemm, "GlobalAveragePool": _mean, "HardSigmoid": _hard_sigmoid, "Identity": _same,
    "MatMul": _matmul, "MaxPool": pool, "Mul": _binary, "Pad": pad, "ReduceMean": _mean,
    "Reshape": _reshape, "Shape": _shape, "Softmax": _softmax, "Squeeze": _squeeze, "Sub": _binary,
    "Transpose": _transpose, "Unsqueeze": _unsqueeze,
}
_WITHOUT_NODES = frozenset({"Dropout", "Identity", "Shape"})
CONVERTERS: Mapping[str, Converter] = by_onnx("importers.onnx_operators", _OWN, _plain,
                                              _WITHOUT_NODES)
