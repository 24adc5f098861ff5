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

from collections.abc import Callable, Mapping, Sequence
from math import prod

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
    scalar_of,
    vector_of,
)
from edgefm.importers.onnx_moves import (
    depth_to_space,
    expand,
    gather,
    pad,
    padded,
    resize,
    slice_,
    space_to_depth,
    split,
    tile,
)
from edgefm.importers.onnx_pointwise import POINTWISE, plain, with_constant
from edgefm.importers.onnx_quantized import cast, dequantize_linear, quantize_linear
from edgefm.importers.onnx_reductions import REDUCTIONS
from edgefm.importers.onnx_windows import conv, conv_transpose, pool
from edgefm.network.graph import Array
from edgefm.network.operators import by_onnx


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
        bias = build.constant(call, call.inputs[2], values, axis=0)
    return _fully_connected(build, call, x, weights, bias)


def _matmul(build: Build, call: Call) -> Edge:
    if all(isinstance(build.values[name], Edge) for name in call.inputs):
        return _product(build, call)
    weights = floats_of(build, call, 1, rank=2).T
    return _fully_connected(build, call, edge_of(build, call), weights, -1)


def _product(build: Build, call: Call) -> Edge:
    """Two computed matrices, or as many pairs of them as the other dimensions say."""
    left, right = (_plain(build, build.values[name]) for name in call.inputs)
    if min(len(left.shape), len(right.shape)) < 2 or left.shape[-1] != right.shape[-2]:
        raise ValueError(f"matrices {list(left.shape)} and {list(right.shape)}")
    shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2],
             right.shape[-1])
    return build.emit("batch_matmul", call.outputs[0], (left.tensor, right.tensor), shape,
                      tuple(range(len(shape))), adj_x=False, adj_y=False)


def _plain(build: Build, value: Edge | Array) -> Edge:
    """An activation stored in ONNX's order."""
    assert isinstance(value, Edge)
    return arranged(build, value, tuple(range(len(value.shape))))


def _fully_connected(build: Build, call: Call, x: Edge, weights: Array, bias: int) -> Edge:
    order = tuple(range(len(x.shape)))
    if weights.shape[1] != x.shape[-1]:
        raise ValueError(f"weights for {weights.shape[1]} inputs, but a map {list(x.shape)}")
    constant = build.constant(call, call.inputs[1], weights, axis=0)
    inputs = arranged(build, x, order).tensor, constant, bias
    return build.emit("fully_connected", call.outputs[0], inputs, (*x.shape[:-1], len(weights)),
                      order, activation=None, keep_dims=len(order) > 2)


def _softmax(build: Build, call: Call) -> Edge:
    x = _scores(build, call)
    if call.op == "LogSoftmax":
        return build.emit("log_softmax", call.outputs[0], (x.tensor,), x.shape, x.axes)
    return build.emit("softmax", call.outputs[0], (x.tensor,), x.shape, x.axes, beta=1.0)


def _scores(build: Build, call: Call) -> Edge:
    """The first input with the axis of Softmax or LogSoftmax last."""
    x = edge_of(build, call)
    rank = len(x.shape)
    axis = axis_of(int(call.attrs.get("axis", 1 if build.opset < 13 else -1)), rank)
    if build.opset < 13 and prod(x.shape[axis + 1:]) != 1:  # it spans all axes that follow
        raise build.fail(call, f"axis {axis} of {list(x.shape)} in opset {build.opset}; "
                               "expected the last axis")
    return _with_last(build, x, axis)


def _with_last(build: Build, x: Edge, axis: int) -> Edge:
    """The same activation, stored with an axis last."""
    if x.axes[-1] == axis:
        return x
    return arranged(build, x, (*(a for a in range(len(x.shape)) if a != axis), axis))


def _normalization(build: Build, call: Call) -> Edge:
    x = edge_of(build, call)
    if int(call.attrs.get("p", 2)) != 2:
        raise build.fail(call, f"p {call.attrs['p']}; expected 2")
    x = _with_last(build, x, axis_of(int(call.attrs.get("axis", -1)), len(x.shape)))
    return build.emit("l2_normalization", call.outputs[0], (x.tensor,), x.shape, x.axes)


# Shapes.

def _concat(build: Build, call: Call) -> Edge:
    values = [build.values[name] for name in call.inputs]
    like = next(value for value in values if isinstance(value, Edge))
    axis = axis_of(int(call.attrs["axis"]), len(like.shape))
    for value in values:
        if (*value.shape[:axis], *value.shape[axis + 1:]) != (
                *like.shape[:axis], *like.shape[axis + 1:]):
            raise ValueError(f"shapes {list(value.shape)} and {list(like.shape)} on axis {axis}")
    if any(isinstance(value, np.ndarray) for value in values):
        return _with_constants(build, call, values, axis)
    tensors = [arranged(build, value, like.axes).tensor for value in values
               if isinstance(value, Edge)]
    return _joined(build, call.outputs[0], tensors, like, axis, sum(v.shape[axis] for v in values))


def _joined(build: Build, name: str, tensors: Sequence[int], like: Edge, axis: int, total: int
            ) -> Edge:
    shape = (*like.shape[:axis], total, *like.shape[axis + 1:])
    return build.emit("concat", name, tensors, shape, like.axes, axis=like.axes.index(axis))


def _with_constants(build: Build, call: Call, values: Sequence[Edge | Array], axis: int) -> Edge:
    """Constants beside activations: activations with zeros in their place, plus the constants."""
    name, made, at = call.outputs[0], list[Edge](), 0
    total = sum(value.shape[axis] for value in values)
    rank = len(values[0].shape)
    full = np.zeros((*values[0].shape[:axis], total, *values[0].shape[axis + 1:]), np.float32)
    build.spend(call, full.nbytes)
    for k, value in enumerate(values):
        end = at + value.shape[axis]
        if isinstance(value, Edge):
            before = [at if d == axis else 0 for d in range(rank)]
            after = [total - end if d == axis else 0 for d in range(rank)]
            made.append(padded(build, f"{name}/part{k}", value, before, after))
        else:
            full[(slice(None),) * axis + (slice(at, end),)] = value
        at = end
    whole = made[0]
    for k, part in enumerate(made[1:]):
        whole = build.emit("add", f"{name}/sum{k}", (
            whole.tensor, arranged(build, part, whole.axes).tensor), whole.shape, whole.axes,
            activation=None)
    return with_constant(build, call, ("add", ""), whole, full)


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


Converter = Callable[[Build, Call], Edge | Array]
_OWN: Mapping[str, Converter] = {
    **POINTWISE, **REDUCTIONS, "AveragePool": pool, "Cast": cast, "Concat": _concat, "Conv": conv,
    "ConvTranspose": conv_transpose, "DepthToSpace": depth_to_space,
    "DequantizeLinear": dequantize_linear, "Dropout": _same, "Expand": expand, "Flatten": _flatten,
    "Gather": gather, "Gemm": _gemm, "Identity": _same, "LogSoftmax": _softmax,
    "LpNormalization": _normalization, "MatMul": _matmul, "MaxPool": pool,
    "Pad": pad, "QuantizeLinear": quantize_linear, "Reshape": _reshape, "Resize": resize,
    "Shape": _shape, "Slice": slice_, "Softmax": _softmax, "SpaceToDepth": space_to_depth,
    "Split": split, "Squeeze": _squeeze, "Tile": tile, "Transpose": _transpose,
    "Unsqueeze": _unsqueeze, "Upsample": resize,
}
_WITHOUT_NODES = frozenset({"Dropout", "Identity", "Shape"})
CONVERTERS: Mapping[str, Converter] = by_onnx("importers.onnx_operators", _OWN, plain,
                                              _WITHOUT_NODES)
