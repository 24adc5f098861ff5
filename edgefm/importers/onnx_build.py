# SPDX-License-Identifier: Apache-2.0
"""A graph that grows while ONNX nodes are read, and what a node says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefm.errors import UnsupportedModel
from edgefm.importers.check import MOST_ELEMENTS
from edgefm.importers.rules import quoted
from edgefm.network.graph import MOST_NAME, Array, Node, Quant, Tensor

if TYPE_CHECKING:
    import onnx

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
    node: onnx.NodeProto | None = None  # of the file; None where edgefm made the call

    def has(self, index: int) -> bool:
        """True when the optional input `index` is there."""
        return len(self.inputs) > index and bool(self.inputs[index])


def as_float32(data: Array) -> Array:
    """Real numbers of any width in float32; anything else as it is."""
    real = data.dtype.kind == "f" or data.dtype.name == "bfloat16"
    return data.astype(np.float32) if real and data.dtype != np.float32 else data


def place(path: Path, call: Call) -> str:
    """Where an error is: file, operator, node and the tensor it makes."""
    tensor = call.outputs[0] if call.outputs else ""
    return f"{path}: {call.op[:60]} {quoted(call.name)} (tensor {quoted(tensor)})"


def most_constants(size: int) -> int:
    """Bytes that constants may take, those of a model of `size` bytes and all made of them."""
    return min(_ALLOWANCE + _PER_BYTE * size, _MOST_CONSTANTS)


@dataclass(slots=True)
class Build:
    """The graph while it grows; `values` holds what every ONNX name stands for so far.

    `quants` has the scales and zero points of constants that the file holds quantized, by name.
    """

    path: Path
    opset: int
    left: int  # bytes that constants may still take
    tensors: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Edge | Array] = field(default_factory=dict)
    quants: dict[str, Quant] = field(default_factory=dict)
    batch: int = 1  # of the file; the graph's is 1
    lost: set[str] = field(default_factory=set)  # names that layers with kept faults do not make

    def fail(self, call: Call, why: str) -> UnsupportedModel:
        """The error for an operator that is used in a way edgefm cannot run."""
        return UnsupportedModel(f"{place(self.path, call)}: {why}")

    def spend(self, call: Call, size: int) -> None:
        """Count bytes of constants before they are made; beyond the limit UnsupportedModel."""
        self.left -= size
        if self.left < 0:
            raise self.fail(call, "the constants made so far take too much memory, expected at "
                                  f"most {_PER_BYTE} bytes per byte of the file and {_ALLOWANCE} "
                                  "more")

    def constant(self, call: Call, name: str, data: Array, source: str = "",
                 axis: int | None = None) -> int:
        """Add a constant tensor, made of the value `source` or `name`; returns its index. Scales
        that the file has for it, if several, are along `axis`."""
        self.spend(call, data.nbytes)
        data = np.ascontiguousarray(data)
        quant = self.quants.get(source or name)
        if quant is not None and len(quant.scale) > 1:
            fits = axis is not None and data.shape[axis] == len(quant.scale)
            quant = replace(quant, axis=axis) if fits else None
        self.tensors.append(Tensor(name, data.shape, str(data.dtype), quant, data))
        return len(self.tensors) - 1

    def with_quant(self, tensor: int, quant: Quant) -> None:
        """Give a tensor a scale and zero point."""
        self.tensors[tensor] = replace(self.tensors[tensor], quant=quant)

    def emit(self, op: str, name: str, inputs: Sequence[int], shape: tuple[int, ...],
             order: tuple[int, ...], *, dtype: str = "float32", quant: Quant | None = None,
             **attrs: Any) -> Edge:
        """Add a node and its output: ONNX shape `shape`, stored in the order `order` of axes."""
        stored = tuple(shape[axis] for axis in order)
        if (not 1 <= len(stored) <= MOST_DIMENSIONS or min(stored) < 1
                or max(stored) > MAX_DIMENSION or prod(stored) > MOST_ELEMENTS):
            raise ValueError(f"its output would have the shape {str(list(shape))[:60]}")
        self.tensors.append(Tensor(name, stored, dtype, quant))
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

def edge_of(build: Build, call: Call, rank: int | None = None) -> Edge:
    """The first input, which must be computed and, where asked, have `rank` dimensions."""
    name = call.inputs[0]
    value = build.values[name]
    if not isinstance(value, Edge):
        raise build.fail(call, f"input {name!r} is constant; expected an activation")
    if rank is not None and len(value.shape) != rank:
        raise build.fail(call, f"input {name!r} has the shape {list(value.shape)}; "
                               f"expected {rank} dimensions")
    return value


def image_of(build: Build, call: Call) -> Edge:
    """The first input, four dimensions, stored channel-last."""
    return arranged(build, edge_of(build, call, rank=4), CHANNEL_LAST)


def constant_of(build: Build, call: Call, index: int) -> Array:
    value = build.values[call.inputs[index]]
    if not isinstance(value, np.ndarray):
        raise build.fail(call, f"input {call.inputs[index]!r} is computed; expected a constant")
    return value


def floats_of(build: Build, call: Call, index: int, rank: int | None = None) -> Array:
    """Input `index`, a float32 constant with `rank` dimensions."""
    data, name = constant_of(build, call, index), call.inputs[index]
    if data.dtype != np.float32:
        raise build.fail(call, f"constant {name!r} is {data.dtype}; expected float32")
    if rank is not None and data.ndim != rank:
        raise ValueError(f"constant {name!r} has the shape {list(data.shape)}; "
                         f"expected {rank} dimensions")
    return data


def vector_of(build: Build, call: Call, index: int, count: int) -> Array:
    """Input `index`, `count` float32 values or one that stands for all of them."""
    data = floats_of(build, call, index)
    if data.size not in (1, count):
        raise ValueError(f"constant {call.inputs[index]!r} has the shape {list(data.shape)}; "
                         f"expected [{count}]")
    return np.broadcast_to(data.reshape(-1), (count,))


def ints_of(build: Build, call: Call, attr: str, index: int) -> list[int] | None:
    """A list of integers that older opsets keep in an attribute and newer ones in an input."""
    if attr not in call.attrs and not call.has(index):
        return None
    values = call.attrs[attr] if attr in call.attrs else constant_of(build, call, index).ravel()
    if len(values) > MOST_SIZES:
        raise ValueError(f"{len(values)} {attr}; expected at most {MOST_SIZES}")
    return [int(v) for v in values]


def scalar_of(build: Build, call: Call, attr: str, index: int) -> float | None:
    """A number that older opsets keep in an attribute and newer ones in an input."""
    if attr in call.attrs:
        return float(call.attrs[attr])
    return float(constant_of(build, call, index).item()) if call.has(index) else None


def number_of(call: Call, attr: str, default: float) -> float:
    """An attribute that is a finite number."""
    value = float(call.attrs.get(attr, default))
    if not isfinite(value):
        raise ValueError(f"{attr} {value}; expected a finite number")
    return value


def two_of(call: Call, attr: str, default: tuple[int, int]) -> tuple[int, int]:
    values = tuple(int(v) for v in call.attrs.get(attr, default))
    if len(values) != 2 or min(values) < 1:
        raise ValueError(f"{attr} {list(values)}; expected two sizes >= 1")
    return values[0], values[1]


def axis_of(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is outside {rank} dimensions")
    return axis % rank


def operand(build: Build, call: Call, data: Array, like: Edge, source: str = "") -> int:
    """A constant for an element-wise operator, stored in the order of `like`; `source` is the
    value of the file that it is, if it is one as it stands."""
    rank = len(like.shape)
    if data.ndim > rank or data.dtype.kind != "f":
        raise build.fail(call, f"a constant {data.dtype} {list(data.shape)} beside an activation "
                               f"float32 {list(like.shape)}")
    full = data.reshape((1,) * (rank - data.ndim) + data.shape).transpose(like.axes)
    return build.constant(call, f"{call.name}/constant", full.astype(np.float32), source)

