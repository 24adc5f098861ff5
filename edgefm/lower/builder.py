# SPDX-License-Identifier: Apache-2.0
"""A Program under construction, and how tensors become streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edgefm.errors import UnsupportedModel
from edgefm.lower.fixed_point import LARGEST, SHIFT
from edgefm.lower.row_needs import Need, identity, restream
from edgefm.network.graph import Array, Graph, Node, Quant, Tensor, rows_of
from edgefm.network.program import Op, OpKind, Stream

FLIP = bytes(range(127, -1, -1)) + bytes(range(255, 127, -1))  # a LUT: 127 for -128 and so on
PARTS_MAX = 15  # operands of an operator, less its result
STREAM_DTYPE = {"int8": "int8", "uint8": "int8", "float32": "float32", "int32": "int32",
                "int64": "int64"}


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """A tensor that is nowhere yet: for each value its position in the map of `stream`, -1 where
    `fill` is (a value of the tensor's type)."""

    stream: int
    index: Array
    fill: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A tensor as a function of one 8-bit map: its values for each of the map's 256, and how many
    operators were computed for it."""

    source: int
    values: Array
    operators: int = 0


@dataclass(slots=True)
class Builder:
    """What has been lowered so far; `stream_of` maps tensors of the graph to streams.

    `pads` holds the PAD nodes that vanish into the convolution behind them: padded tensor ->
    (source tensor, rows above, pixels left). `moved` holds tensors that no stream can carry,
    `functions` those that depend on one map value by value.
    """

    graph: Graph
    streams: list[Stream] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    stream_of: dict[int, int] = field(default_factory=dict)
    pads: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    moved: dict[int, Moved] = field(default_factory=dict)
    functions: dict[int, Function] = field(default_factory=dict)
    readers: dict[int, list[Node]] = field(default_factory=dict)
    folded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for node in self.graph.nodes:
            for t in node.inputs:
                self.readers.setdefault(t, []).append(node)

    def fail(self, node: Node, got: str, expected: str) -> UnsupportedModel:
        """The error for a node that cannot run; the caller raises it."""
        return UnsupportedModel(
            f"{self.graph.name}: {node.op} {node.name!r}: {got}; expected {expected}")

    def tensor(self, node: Node, k: int) -> Tensor:
        """Input tensor k of the node, which must be there."""
        if k >= len(node.inputs) or node.inputs[k] < 0:
            raise self.fail(node, f"input {k} is left out", "a tensor")
        return self.graph.tensors[node.inputs[k]]

    def constant(self, node: Node, k: int) -> Array:
        """The data of constant input k."""
        tensor = self.tensor(node, k)
        if tensor.data is None:
            raise self.fail(node, f"input {k} ({tensor.name!r}) is computed", "a constant")
        return tensor.data

    def source(self, node: Node, k: int) -> int:
        """The stream of computed input k."""
        tensor = self.tensor(node, k)
        if node.inputs[k] not in self.stream_of:
            what = "a constant" if tensor.data is not None else f"computed in {tensor.dtype}"
            raise self.fail(node, f"input {k} ({tensor.name!r}) is {what}", "a computed tensor")
        return self.stream_of[node.inputs[k]]

    def weight_quant(self, node: Node, k: int) -> Quant:
        """The quantization of the 8-bit weights in input k, per tensor or per channel."""
        tensor = self.tensor(node, k)
        if tensor.dtype not in SHIFT or tensor.quant is None:
            raise self.fail(node, f"weights {tensor.name!r} are {tensor.dtype}",
                            "quantized 8-bit weights")
        self._check_scales(node, tensor, tensor.quant)
        return tensor.quant

    def zero_point(self, node: Node, index: int) -> int:
        """The zero point of an 8-bit tensor after the move to int8."""
        tensor = self.graph.tensors[index]
        if tensor.dtype not in SHIFT or tensor.quant is None or len(tensor.quant.scale) != 1:
            raise self.fail(node, f"tensor {tensor.name!r} is {tensor.dtype}"
                            f"{'' if tensor.quant else ' without quantization'}",
                            "8 bits with one scale")
        self._check_scales(node, tensor, tensor.quant)
        return tensor.zero_point - SHIFT[tensor.dtype]

    def _check_scales(self, node: Node, tensor: Tensor, quant: Quant) -> None:
        if not all(0 < scale < math.inf for scale in quant.scale):
            raise self.fail(node, f"tensor {tensor.name!r} has scale {min(quant.scale):g}",
                            "positive finite scales")

    def check_factors(self, node: Node, *reals: float) -> None:
        """Refuse ratios of scales that no 31-bit factor with a shift of at most 30 can hold."""
        if max(reals) > LARGEST:
            raise self.fail(node, f"scales whose ratio is {max(reals):g}", f"at most {LARGEST:g}")

    def shape(self, node: Node, index: int) -> tuple[int, int, int]:
        """Rows, pixels and channels of a tensor."""
        tensor = self.graph.tensors[index]
        try:
            height, width, channels = rows_of(tensor.shape)
        except ValueError as error:
            raise self.fail(node, f"tensor {tensor.name!r}: {error}", "a batch of 1") from None
        if min(height, width, channels) < 1:
            raise self.fail(node, f"tensor {tensor.name!r} has shape {tensor.shape}",
                            "at least one element")
        return height, width, channels

    def add_stream(self, node: Node, index: int, shape: tuple[int, int, int] | None = None) -> int:
        """A new stream for a tensor; with another `shape` than the tensor's it is anonymous."""
        tensor = self.graph.tensors[index]
        own = self.shape(node, index)
        if tensor.dtype not in STREAM_DTYPE:
            raise self.fail(node, f"tensor {tensor.name!r} is {tensor.dtype}",
                            "int8, uint8, int32, int64 or float32")
        zero_point = self.zero_point(node, index) if tensor.dtype in SHIFT else 0
        same = shape is None or shape == own
        height, width, channels = own if shape is None else shape
        self.streams.append(Stream(
            tensor.name if same else f"{tensor.name}:rows", height, width, channels,
            STREAM_DTYPE[tensor.dtype], zero_point, index if same else -1))
        if same:
            self.stream_of[index] = len(self.streams) - 1
        return len(self.streams) - 1

    def emit(self, node: Node, kind: OpKind, inputs: Sequence[int], needs: Sequence[Need], *,
             params: Sequence[int] = (), weights: bytes = b"", scratch: int = 0, macs: int = 0,
             shape: tuple[int, int, int] | None = None, accumulates: bool = False) -> None:
        """Append the operator that makes the node's only output.

        `shape` is what the operator itself produces when that may differ from the rows of the
        output tensor (a fully connected layer on several rows, say); a reshape then follows.
        """
        output = node.outputs[0]
        stream = self.add_stream(node, output, shape)
        self.ops.append(Op(kind, node.name, tuple(inputs), (stream,), tuple(params), weights,
                           scratch, tuple(needs), accumulates, macs))
        if output not in self.stream_of:
            self.reshape(node, stream, output)

    def reshape(self, node: Node, stream: int, output: int) -> None:
        """Make tensor `output` from the same elements in another shape: a view where it can be."""
        made = self.add_stream(node, output)
        source, result = self.streams[stream], self.streams[made]
        if source.map_bytes != result.map_bytes:
            raise self.fail(node, f"{source.map_bytes} bytes become {result.map_bytes}",
                            "as many elements as before")
        if source.height == result.height:
            self.ops.append(Op(OpKind.VIEW, node.name, (stream,), (made,),
                               needs=(identity(result.height),)))
        else:
            self.ops.append(Op(OpKind.RESHAPE, node.name, (stream,), (made,),
                               needs=(restream(source, result),)))

    def reshaped(self, node: Node, stream: int, shape: tuple[int, int, int]) -> int:
        """The stream itself, or an anonymous one of the same elements in other rows."""
        old = self.streams[stream]
        if (old.height, old.width, old.channels) == shape:
            return stream
        height, width, channels = shape
        new = Stream(f"{old.name}:rows", height, width, channels, old.dtype, old.zero_point)
        kind = OpKind.VIEW if height == old.height else OpKind.RESHAPE
        needs = identity(height) if height == old.height else restream(old, new)
        return self.append(f"{node.name}:rows", kind, stream, new, needs)

    def append(self, name: str, kind: OpKind, source: int, result: Stream, needs: Need,
               weights: bytes = b"", params: Sequence[int] = ()) -> int:
        """Append an operator that no node asked for; its result's stream index."""
        self.streams.append(result)
        self.ops.append(Op(kind, name, (source,), (len(self.streams) - 1,), tuple(params), weights,
                           needs=(needs,)))
        return len(self.streams) - 1

    def side_by_side(self, node: Node, parts: Sequence[int]) -> int:
        """An anonymous stream whose rows are the parts' rows, one after another; all have one
        height."""
        while len(parts) > PARTS_MAX:
            parts = [self.side_by_side(node, parts[i:i + PARTS_MAX])
                     for i in range(0, len(parts), PARTS_MAX)]
        first = self.streams[parts[0]]
        flat = [self.reshaped(node, p, (first.height, 1, self.row_elements(p))) for p in parts]
        made = replace(first, name=f"{node.name}:joined", width=1, tensor=-1,
                       channels=sum(self.row_elements(p) for p in parts))
        self.streams.append(made)
        self.ops.append(Op(OpKind.CONCAT_CHANNELS, f"{node.name}:joined", tuple(flat),
                           (len(self.streams) - 1,), (1,) * len(flat),
                           needs=(identity(first.height),) * len(flat)))
        return len(self.streams) - 1

    def flipped(self, node: Node, stream: int) -> int:
        """An anonymous stream of the values in the opposite order: each bit is turned."""
        source = self.streams[stream]
        result = replace(source, name=f"{source.name}:flipped", tensor=-1, parent=-1,
                         zero_point=~source.zero_point)
        return self.append(f"{node.name}:flipped", OpKind.LUT, stream, result,
                           identity(source.height), FLIP)

    def row_elements(self, stream: int) -> int:
        """Elements of one row."""
        return self.streams[stream].width * self.streams[stream].channels

    def elements(self, stream: int) -> int:
        """Elements of the whole map."""
        return self.streams[stream].height * self.row_elements(stream)

    def consumers(self, index: int) -> list[Node]:
        """The nodes that read a tensor, once per use."""
        return self.readers.get(index, [])

