# SPDX-License-Identifier: Apache-2.0
"""What each ONNX operator becomes in a `Graph`; `onnx.py` reads the file around them.

ONNX is channel-first, a `Graph` is channel-last. Every activation therefore remembers which ONNX
axis each dimension of its stored tensor holds (`Edge.axes`): a Transpose only relabels, and bytes
are moved where an operator needs another order (a Reshape needs ONNX order). `optimize.fuse` then
folds such a move into the weights that follow.

A converter raises UnsupportedModel (through `Build.fail`) for what edgefm cannot run and ValueError
for what cannot be right; the caller adds file, node and tensor to the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np

from edgefm.errors import UnsupportedModel
from edgefm.importers.check import MOST_ELEMENTS
from edgefm.importers.rules import quoted
from edgefm.importers.windows import same_padding
from edgefm.network.graph import MOST_NAME, Array, Node, Tensor
from edgefm.network.operators import OF_ONNX, by_onnx

CHANNEL_LAST = (0, 2, 3, 1)
_ALLOWANCE = 1 << 26       # bytes of constants that even the smallest model may make
_PER_BYTE = 8              # bytes of constants per byte of the model, beyond the allowance
_MOST_CONSTANTS = 1 << 31  # bytes
MOST_DIMENSIONS = 8
MOST_SIZES = 64            # or axes, in one list
MAX_DIMENSION = 1 << 24


@dataclass(frozen=True, slots=True)
class Edge:
    """An activation: its ONNX shape; stored dimension i holds ONNX axis `axes[i]`."""

    tensor: int
    shape: tuple[int, ...]
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One ONNX node with its attributes as Python values; "" stands for an omitted input."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]

    def has(self, index: int) -> bool:
        """True when the optional input `index` is there."""
        return len(self.inputs) > index and bool(self.inputs[index])


def place(path: Path, call: Call) -> str:
    """Where an error is: file, operator, node and the tensor it makes."""
    tensor = call.outputs[0] if call.outputs else ""
    return f"{path}: {call.op[:60]} {quoted(call.name)} (tensor {quoted(tensor)})"


def most_constants(size: int) -> int:
    """Bytes that constants may take, those of a model of `size` bytes and all made of them."""
    return min(_ALLOWANCE + _PER_BYTE * size, _MOST_CONSTANTS)


@dataclass(slots=True)
class Build:
    """The graph while it grows; `values` holds what every ONNX name stands for so far."""

    path: Path
    opset: int
    left: int  # bytes that constants may still take
    tensors: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Edge | Array] = field(default_factory=dict)

    def fail(self, call: Call, why: str) -> UnsupportedModel:
        """The error for an operator that is used in a way edgefm cannot run."""
        return UnsupportedModel(f"{place(self.path, call)}: {why}")

    def spend(self, call: Call, size: int) -> None:
        """Count bytes of constants before they are made; beyond the limit UnsupportedModel."""
        self.left -= size
        if self.left < 0:
            raise self.fail(call, "the constants made so far take too much memory, at most "
                                  f"{_PER_BYTE} bytes per byte of the file and {_ALLOWANCE} more "
                                  "are expected")

    def constant(self, call: Call, name: str, data: Array) -> int:
        """Add a constant tensor; returns its index."""
        self.spend(call, data.nbytes)
        data = np.ascontiguousarray(data)
        self.tensors.append(Tensor(name, data.shape, str(data.dtype), data=data))
        return len(self.tensors) - 1

    def emit(self, op: str, name: str, inputs: Sequence[int], shape: tuple[int, ...],
             order: tuple[int, ...], **attrs: Any) -> Edge:
        """Add a node and its output: ONNX shape `shape`, stored in the order `order` of axes."""
        stored = tuple(shape[axis] for axis in order)
        if (not 1 <= len(stored) <= MOST_DIMENSIONS or min(stored) < 1
                or max(stored) > MAX_DIMENSION or prod(stored) > MOST_ELEMENTS):
            raise ValueError(f"its output would have the shape {str(list(shape))[:60]}")
        self.tensors.append(Tensor(name, stored, "float32"))
        index = len(self.tensors) - 1
        self.nodes.append(Node(op, name[:MOST_NAME], tuple(inputs), (index,), attrs))
        return Edge(index, shape, order)


def arranged(build: Build, edge: Edge, axes: tuple[int, ...]) -> Edge:
    """The same activation stored in the order `axes`; moves bytes only where the order changes."""
    if edge.axes == axes:
        return edge
    perm = tuple(edge.axes.index(axis) for axis in axes)
    moved = [i for i in perm if edge.shape[edge.axes[i]] != 1]
    name = f"{build.tensors[edge.tensor].name}/order{''.join(map(str, axes))}"
    if moved == sorted(moved):
        return build.emit("reshape", name, (edge.tensor,), edge.shape, axes)
    return build.emit("transpose", name, (edge.tensor,), edge.shape, axes, perm=perm)


# The inputs of a call.

def _edge(build: Build, call: Call, rank: int | None = None) -> Edge:
    """The first input, which must be computed and, where asked, have `rank` dimensions."""
    name = call.inputs[0]
    value = build.values[name]
    if not isinstance(value, Edge):
        raise build.fail(call, f"input {name!r} is constant; expected an activation")
    if rank is not None and len(value.shape) != rank:
        raise build.fail(call, f"input {name!r} has the shape {list(value.shape)}; "
                               f"expected {rank} dimensions")
    return value


def _image(build: Build, call: Call) -> Edge:
    """The first input, four dimensions, stored channel-last."""
    return arranged(build, _edge(build, call, rank=4), CHANNEL_LAST)


def _constant(build: Build, call: Call, index: int) -> Array:
    value = build.values[call.inputs[index]]
    if not isinstance(value, np.ndarray):
        raise build.fail(call, f"input {call.inputs[index]!r} is computed; expected a constant")
    return value


def _floats(build: Build, call: Call, index: int, rank: int | None = None) -> Array:
    """Input `index`, a float32 constant with `rank` dimensions."""
    data, name = _constant(build, call, index), call.inputs[index]
    if data.dtype != np.float32:
        raise build.fail(call, f"constant {name!r} is {data.dtype}; expected float32")
    if rank is not None and data.ndim != rank:
        raise ValueError(f"constant {name!r} has the shape {list(data.shape)}; "
                         f"expected {rank} dimensions")
    return data


def _vector(build: Build, call: Call, index: int, count: int) -> Array:
    """Input `index`, `count` float32 values or one that stands for all of them."""
    data = _floats(build, call, index)
    if data.size not in (1, count):
        raise ValueError(f"constant {call.inputs[index]!r} has the shape {list(data.shape)}; "
                         f"expected [{count}]")
    return np.broadcast_to(data.reshape(-1), (count,))


def _ints(build: Build, call: Call, attr: str, index: int) -> list[int] | None:
    """A list of integers that older opsets keep in an attribute and newer ones in an input."""
    if attr not in call.attrs and not call.has(index):
        return None
    values = call.attrs[attr] if attr in call.attrs else _constant(build, call, index).ravel()
    if len(values) > MOST_SIZES:
        raise ValueError(f"{len(values)} {attr}; expected at most {MOST_SIZES}")
    return [int(v) for v in values]


def _scalar(build: Build, call: Call, attr: str, index: int) -> float | None:
    """A number that older opsets keep in an attribute and newer ones in an input."""
    if attr in call.attrs:
        return float(call.attrs[attr])
    return float(_constant(build, call, index).item()) if call.has(index) else None


def _number(call: Call, attr: str, default: float) -> float:
    """An attribute that is a finite number."""
    value = float(call.attrs.get(attr, default))
    if not isfinite(value):
        raise ValueError(f"{attr} {value}; expected a finite number")
    return value


def _two(call: Call, attr: str, default: tuple[int, int]) -> tuple[int, int]:
    values = tuple(int(v) for v in call.attrs.get(attr, default))
    if len(values) != 2 or min(values) < 1:
        raise ValueError(f"{attr} {list(values)}; expected two sizes >= 1")
    return values[0], values[1]


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is outside {rank} dimensions")
    return axis % rank


def _operand(build: Build, call: Call, data: Array, like: Edge) -> int:
    """A constant for an element-wise operator, stored in the order of `like`."""
    rank = len(like.shape)
    if data.ndim > rank or data.dtype.kind != "f":
        raise build.fail(call, f"a constant {data.dtype} {list(data.shape)} beside an activation "
                               f"float32 {list(like.shape)}")
    full = data.reshape((1,) * (rank - data.ndim) + data.shape).transpose(like.axes)
    return build.constant(call, f"{call.name}/constant", full.astype(np.float32))


# Windows: convolution and pooling.

def _windows(call: Call, size: tuple[int, ...], kernel: tuple[int, int]
             ) -> tuple[dict[str, Any], tuple[int, int]]:
    """Stride, dilation and padding of a window operator; height and width of its output.

    Padding after the last row or column is what the windows really reach, so that ceil_mode
    leaves no flag behind.
    """
    stride, dilation = _two(call, "strides", (1, 1)), _two(call, "dilations", (1, 1))
    padding, out = [], []
    for i, (before, after) in enumerate(_ends(call, size, kernel)):
        reach = dilation[i] * (kernel[i] - 1) + 1
        space = size[i] + before + after - reach
        if space < 0:
            raise ValueError(f"a window of {reach} does not fit {size[i]} "
                             f"with padding {before} and {after}")
        stretch = bool(call.attrs.get("ceil_mode", 0))
        last = -(-space // stride[i]) if stretch else space // stride[i]
        if stretch and last * stride[i] >= size[i] + before:
            last -= 1  # as in torch, a window starts inside the map or the padding before it
        padding.append((before, max(0, last * stride[i] + reach - size[i] - before)))
        out.append(last + 1)
    geometry = {"stride": stride, "dilation": dilation, "padding": tuple(padding)}
    return geometry, (out[0], out[1])


def _ends(call: Call, size: tuple[int, ...], kernel: tuple[int, int]
          ) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding before and after along both axes, `auto_pad` resolved."""
    auto = call.attrs.get("auto_pad", b"NOTSET")
    pads = [int(v) for v in call.attrs.get("pads", (0, 0, 0, 0))]
    if len(pads) != 4 or min(pads) < 0:
        raise ValueError(f"pads {pads}; expected four sizes >= 0")
    if auto in (b"NOTSET", b"VALID"):
        return ((pads[0], pads[2]), (pads[1], pads[3])) if auto == b"NOTSET" else ((0, 0), (0, 0))
    if auto not in (b"SAME_UPPER", b"SAME_LOWER"):
        raise ValueError(f"auto_pad {auto!r}")
    stride, dilation = _two(call, "strides", (1, 1)), _two(call, "dilations", (1, 1))
    (top, bottom), (left, right) = (same_padding(*axis) for axis in zip(
        size, kernel, stride, dilation, strict=True))
    return ((top, bottom), (left, right)) if auto == b"SAME_UPPER" else (
        (bottom, top), (right, left))


def _conv(build: Build, call: Call) -> Edge:
    x = _image(build, call)
    weights = _floats(build, call, 1, rank=4)
    filters, depth, *kernel = weights.shape
    channels, group, size = x.shape[1], int(call.attrs.get("group", 1)), (kernel[0], kernel[1])
    if _two(call, "kernel_shape", size) != size or depth * group != channels or filters % group:
        raise ValueError(f"weights {list(weights.shape)} do not fit {channels} channels "
                         f"in {group} groups")
    geometry, (height, width) = _windows(call, x.shape[2:], size)
    if group == 1:
        op, data = "conv2d", weights.transpose(0, 2, 3, 1)
    elif group == channels:
        op, data = "depthwise_conv2d", weights.transpose(1, 2, 3, 0)
        geometry["multiplier"] = filters // channels
    else:
        raise build.fail(call, f"{group} groups of {depth} channels; expected 1 or {channels}")
    bias = -1
    if call.has(2):
        bias = build.constant(call, call.inputs[2], _vector(build, call, 2, filters))
    inputs = (x.tensor, build.constant(call, call.inputs[1], data), bias)
    return build.emit(op, call.outputs[0], inputs, (1, filters, height, width), CHANNEL_LAST,
                      activation=None, **geometry)


def _pool(build: Build, call: Call) -> Edge:
    x = _image(build, call)
    if any(call.outputs[1:]):
        raise build.fail(call, "the output with the positions of the maxima is not supported")
    kernel = _two(call, "kernel_shape", (0, 0))
    geometry, (height, width) = _windows(call, x.shape[2:], kernel)
    if geometry.pop("dilation") != (1, 1):
        raise build.fail(call, "dilated pooling is not supported")
    ends = _ends(call, x.shape[2:], kernel)
    if any(max(pads) >= k for pads, k in zip(ends, kernel, strict=True)):
        raise build.fail(call, f"padding {ends} leaves windows {kernel} empty")
    if call.op == "AveragePool" and call.attrs.get("count_include_pad", 0):
        x = _padding_counted(build, call, x, ends, geometry)
    op = "average_pool" if call.op == "AveragePool" else "max_pool"
    return build.emit(op, call.outputs[0], (x.tensor,), (1, x.shape[1], height, width),
                      CHANNEL_LAST, kernel=kernel, activation=None, **geometry)


def _padding_counted(build: Build, call: Call, x: Edge, ends: Sequence[tuple[int, int]],
                     geometry: dict[str, Any]) -> Edge:
    """An average that counts the padding: make the zeros part of the map. What windows reach beyond
    them, with ceil_mode, still does not count."""
    geometry["padding"] = tuple((0, max(0, reached[1] - end[1])) for reached, end in zip(
        geometry["padding"], ends, strict=True))
    before, after = zip(*ends, strict=True)
    if not any(before + after):
        return x
    return _padded(build, f"{call.outputs[0]}/pad", x, (0, 0, *before), (0, 0, *after))


def _padded(build: Build, name: str, x: Edge, before: Sequence[int], after: Sequence[int]) -> Edge:
    if min(*before, *after) < 0:
        raise ValueError(f"pads {[*before, *after]}; expected sizes >= 0")
    shape = tuple(a + size + b for a, size, b in zip(before, x.shape, after, strict=True))
    padding = tuple((before[axis], after[axis]) for axis in x.axes)
    return build.emit("pad", name, (x.tensor,), shape, x.axes, padding=padding)


def _pad(build: Build, call: Call) -> Edge:
    x = _edge(build, call)
    rank = len(x.shape)
    if call.attrs.get("mode", b"constant") != b"constant" or _scalar(build, call, "value", 2):
        raise build.fail(call, "only padding with zeros is supported")
    sizes, axes = _ints(build, call, "pads", 1) or [], list(range(rank))
    if call.has(3):
        axes = [_axis(int(axis), rank) for axis in _constant(build, call, 3).ravel()]
    if len(sizes) != 2 * len(axes):
        raise ValueError(f"pads {sizes} for {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = sizes[i], sizes[i + len(axes)]
    return _padded(build, call.outputs[0], x, before, after)


# Matrices, element by element, means.

def _gemm(build: Build, call: Call) -> Edge:
    x = _edge(build, call, rank=2)
    matrix = _floats(build, call, 1, rank=2)
    if call.attrs.get("transA", 0):
        raise build.fail(call, "a transposed activation (transA) is not supported")
    weights = matrix if call.attrs.get("transB", 0) else matrix.T
    weights = weights * np.float32(call.attrs.get("alpha", 1.0))
    bias = -1
    if call.has(2):
        values = _vector(build, call, 2, len(weights)) * np.float32(call.attrs.get("beta", 1.0))
        bias = build.constant(call, call.inputs[2], values)
    return _fully_connected(build, call, x, weights, bias)


def _matmul(build: Build, call: Call) -> Edge:
    weights = _floats(build, call, 1, rank=2).T
    return _fully_connected(build, call, _edge(build, call), weights, -1)


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
        divisor = _floats(build, call, 1)
        if not divisor.all():
            raise ValueError("division by a constant that holds a zero")
        op, right = "mul", np.asarray(np.float32(1) / divisor)
    like = left if isinstance(left, Edge) else right
    assert isinstance(like, Edge)  # constants alone are folded before
    shape = np.broadcast_shapes(left.shape, right.shape)
    tensors = []
    for value in (left, right):
        if isinstance(value, np.ndarray):
            tensors.append(_operand(build, call, value, like))
        elif len(value.shape) != len(like.shape):
            raise build.fail(call, f"activations {list(like.shape)} and {list(value.shape)}; "
                                   "expected equally many dimensions")
        else:
            tensors.append(arranged(build, value, like.axes).tensor)
    return build.emit(op, call.outputs[0], tensors, shape, like.axes, activation=None)


def _batch_norm(build: Build, call: Call) -> Edge:
    """y = (x - mean) / sqrt(variance + epsilon) * scale + shift, per channel (axis 1)."""
    x = _edge(build, call)
    if call.attrs.get("training_mode", 0) or any(call.outputs[1:]):
        raise build.fail(call, "training mode is not supported")
    scale, shift, mean, variance = (
        _vector(build, call, i, x.shape[1]).astype(np.float64) for i in range(1, 5))
    if variance.min() < 0:
        raise ValueError("a variance is negative")
    factor = scale / np.sqrt(variance + call.attrs.get("epsilon", 1e-5))
    column = (-1,) + (1,) * (len(x.shape) - 2)
    scaled = _with_constant(build, call, ("mul", "scaled"), x, factor.reshape(column))
    return _with_constant(build, call, ("add", ""), scaled, (shift - mean * factor).reshape(column))


def _with_constant(build: Build, call: Call, step: tuple[str, str], x: Edge, data: Array) -> Edge:
    """One step of a call, (operator, name; the last has none): `x` plus or times a constant."""
    name = "/".join(filter(None, (call.outputs[0], step[1])))
    inputs = x.tensor, _operand(build, call, data, x)
    return build.emit(step[0], name, inputs, x.shape, x.axes, activation=None)


def _hard_sigmoid(build: Build, call: Call) -> Edge:
    """y = min(max(alpha * x + beta, 0), 1), as relu6 of six times that; TFLite has no other."""
    x = _edge(build, call)
    alpha, beta = _number(call, "alpha", 0.2), _number(call, "beta", 0.5)
    slope = np.float32(6) * np.float32(alpha)
    if slope != 1:
        x = _with_constant(build, call, ("mul", "scaled"), x, np.array(slope))
    x = _with_constant(build, call, ("add", "shifted"), x, np.array(6 * beta))
    six = build.emit("relu6", f"{call.outputs[0]}/six", (x.tensor,), x.shape, x.axes)
    return _with_constant(build, call, ("mul", ""), six, np.array(1 / 6))


def _clip(build: Build, call: Call) -> Edge:
    low, high = _scalar(build, call, "min", 1), _scalar(build, call, "max", 2)
    unlimited = high is None or high in (inf, float(np.finfo(np.float32).max))
    if low != 0 or not (high == 6 or unlimited):
        raise build.fail(call, f"limits {low} and {high}; expected 0 and 6, or 0 alone")
    return _unary(build, call, "relu" if unlimited else "relu6")


def _unary(build: Build, call: Call, op: str, **attrs: float) -> Edge:
    x = _edge(build, call)
    return build.emit(op, call.outputs[0], (x.tensor,), x.shape, x.axes, **attrs)


def _softmax(build: Build, call: Call) -> Edge:
    x = _edge(build, call)
    rank = len(x.shape)
    axis = _axis(int(call.attrs.get("axis", 1 if build.opset < 13 else -1)), rank)
    if build.opset < 13 and prod(x.shape[axis + 1:]) != 1:  # it spans all axes that follow
        raise build.fail(call, f"axis {axis} of {list(x.shape)} in opset {build.opset}; "
                               "expected the last axis")
    if x.axes[-1] != axis:
        x = arranged(build, x, (*(a for a in range(rank) if a != axis), axis))
    return build.emit("softmax", call.outputs[0], (x.tensor,), x.shape, x.axes, beta=1.0)


def _mean(build: Build, call: Call) -> Edge:
    x = _edge(build, call)
    rank = len(x.shape)
    if call.op == "GlobalAveragePool":
        axes = list(range(2, rank))
    else:
        axes = _ints(build, call, "axes", 1) or []
        if not axes and call.attrs.get("noop_with_empty_axes", 0):
            return x
    gone = {_axis(axis, rank) for axis in axes} or set(range(rank))
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
    axis = _axis(int(call.attrs["axis"]), len(like.shape))
    tensors, total = [], 0
    for value in values:
        if (*value.shape[:axis], *value.shape[axis + 1:]) != (
                *like.shape[:axis], *like.shape[axis + 1:]):
            raise ValueError(f"shapes {list(value.shape)} and {list(like.shape)} on axis {axis}")
        total += value.shape[axis]
        tensors.append(arranged(build, value, like.axes).tensor if isinstance(value, Edge)
                       else _operand(build, call, value, like))
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
    x = _edge(build, call)
    axis, rank = int(call.attrs.get("axis", 1)), len(x.shape)
    axis = axis if axis == rank else _axis(axis, rank)
    return _reshaped(build, call, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def _reshape(build: Build, call: Call) -> Edge:
    x = _edge(build, call)
    wanted = _ints(build, call, "shape", 1) or []
    if not call.attrs.get("allowzero", 0):
        wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = -prod(wanted)
        if rest < 1 or prod(x.shape) % rest:
            raise ValueError(f"cannot reshape {list(x.shape)} to {wanted}")
        wanted[wanted.index(-1)] = prod(x.shape) // rest
    return _reshaped(build, call, x, tuple(wanted))


def _squeeze(build: Build, call: Call) -> Edge:
    x = _edge(build, call)
    axes = _ints(build, call, "axes", 1)
    if axes is None:
        axes = [i for i, size in enumerate(x.shape) if size == 1]
    gone = {_axis(axis, len(x.shape)) for axis in axes}
    kept = tuple(size for i, size in enumerate(x.shape) if i not in gone)
    return _reshaped(build, call, x, kept)


def _unsqueeze(build: Build, call: Call) -> Edge:
    x = _edge(build, call)
    axes = _ints(build, call, "axes", 1) or []
    rank = len(x.shape) + len(axes)
    shape = list(x.shape)
    for axis in sorted(_axis(axis, rank) for axis in axes):
        shape.insert(axis, 1)
    return _reshaped(build, call, x, tuple(shape))


def _transpose(build: Build, call: Call) -> Edge:
    x = _edge(build, call)
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
    if any(call.outputs[1:]) or (call.op == "Dropout" and _scalar(build, call, "", 2)):
        raise build.fail(call, "training mode is not supported")
    return build.values[call.inputs[0]]


def _plain(build: Build, call: Call) -> Edge:
    """A unary operator whose attributes are ONNX's."""
    record = OF_ONNX[call.op]
    attrs = {name: _number(call, name, default) for name, default in record.onnx_defaults.items()}
    return _unary(build, call, record.name, **attrs)


Converter = Callable[[Build, Call], Edge | Array]
_OWN: Mapping[str, Converter] = {
    "Add": _binary, "AveragePool": _pool, "BatchNormalization": _batch_norm, "Clip": _clip,
    "Concat": _concat, "Conv": _conv, "Div": _binary, "Dropout": _same, "Flatten": _flatten,
    "Gemm": _gemm, "GlobalAveragePool": _mean, "HardSigmoid": _hard_sigmoid, "Identity": _same,
    "MatMul": _matmul, "MaxPool": _pool, "Mul": _binary, "Pad": _pad, "ReduceMean": _mean,
    "Reshape": _reshape, "Shape": _shape, "Softmax": _softmax, "Squeeze": _squeeze, "Sub": _binary,
    "Transpose": _transpose, "Unsqueeze": _unsqueeze,
}
_WITHOUT_NODES = frozenset({"Dropout", "Identity", "Shape"})
CONVERTERS: Mapping[str, Converter] = by_onnx("importers.onnx_operators", _OWN, _plain,
                                              _WITHOUT_NODES)
