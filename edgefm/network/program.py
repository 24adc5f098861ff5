# SPDX-License-Identifier: Apache-2.0
"""The network as the C runtime executes it, before anything is decided about memory.

`lower/` turns a quantized `Graph` into a `Program`: every 8-bit map becomes int8 (uint8 is shifted
by 128), unary 8-bit operators become 256-byte tables, weights, biases and multipliers become one
weight section per operator. The planner then only sees streams of rows and what each row needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

ELEMENT_BYTES = {"int8": 1, "float32": 4, "int32": 4, "int64": 8}


class OpKind(IntEnum):
    """Operator ids of docs/FORMAT.md; never renumbered."""

    INPUT = 1
    OUTPUT = 2
    LOAD = 3
    STORE = 4
    VIEW = 5
    CONV = 16
    DEPTHWISE = 17
    ADD = 18
    MUL = 19
    AVERAGE_POOL = 20
    MAX_POOL = 21
    MEAN = 22
    LUT = 23
    SOFTMAX = 24
    RESHAPE = 25
    CONCAT_CHANNELS = 26
    CONCAT_ROWS = 27
    PAD = 28
    TRANSPOSE = 29
    QUANTIZE = 30
    DEQUANTIZE = 31
    RESIZE_BILINEAR = 32
    RESIZE_NEAREST = 33
    ARGMAX = 34
    DETECTION = 35
    GATHER = 36
    PRELU = 37
    EXTREME = 38
    SQUARED_DIFFERENCE = 39
    DIV = 40
    ROW_MEAN = 41
    MATMUL = 42
    L2_NORMALIZATION = 43
    LOG_SOFTMAX = 44
    SLICED = 45
    AGAIN = 46
    COLUMNS = 47


TAKING = frozenset({OpKind.INPUT, OpKind.AGAIN})  # take rows from the caller
ENDS = TAKING | {OpKind.OUTPUT}                   # exchange rows with the caller


@dataclass(frozen=True, slots=True)
class Stream:
    """A tensor as rows: `height` rows of `width` pixels of `channels` elements.

    `parent` and `channel` are set when the stream is a range of channels of another stream and is
    written straight into it (a channel concat that never copies). Of a range of columns, `column`
    is the first one.
    """

    name: str
    height: int
    width: int
    channels: int
    dtype: str = "int8"
    zero_point: int = 0
    tensor: int = -1  # index in Graph.tensors, -1 when lowering invented it
    parent: int = -1
    channel: int = 0
    column: int = -1

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * self.channels * ELEMENT_BYTES[self.dtype]

    @property
    def map_bytes(self) -> int:
        """Bytes of the whole map."""
        return self.height * self.row_bytes


@dataclass(frozen=True, slots=True)
class WeightPort:
    """The way to weights in memory that is not mapped: transfers start at multiples of `alignment`
    bytes, are rounded up to them, and none is longer than `burst` (0: no limit). With 2 `buffers` a
    tile is read while the one before is used."""

    alignment: int = 1
    burst: int = 0
    buffers: int = 2

    def transfer_bytes(self, count: int) -> int:
        """Bytes that cross the port for `count` bytes."""
        return -(-count // self.alignment) * self.alignment


@dataclass(frozen=True, slots=True)
class Coding:
    """How an operator's constant data comes into fast memory, tile by tile: in `codes` (ids of
    docs/FORMAT.md) where one makes the weights of a CONV or DEPTHWISE shorter, one of which may use
    the table of `record`; through a `port`, or, where that is None, from mapped memory. `bytes` is
    about what all of the data takes then."""

    codes: tuple[int, ...]
    record: bytes
    bytes: int
    port: WeightPort | None = None


@dataclass(frozen=True, slots=True)
class Op:
    """One executable operator.

    `needs[i]` gives for input i and every output row y the first and last input row, both
    inclusive and clamped to the input's height. An operator with `accumulates` has one output row
    (or block of rows) and takes its inputs row by row into its state: it is fired once per strip
    of *input* rows, and `needs` then has one entry per input row. `scratch` is the least fast
    memory that a firing takes and `scratch_most` all that it can use. `packing` says how the
    weights lie, `coding` that they are brought into fast memory, tile by tile.
    """

    kind: OpKind
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    params: tuple[int, ...] = ()
    weights: bytes = field(default=b"", repr=False)
    scratch: int = 0
    needs: tuple[tuple[tuple[int, int], ...], ...] = ()
    accumulates: bool = False
    macs: int = 0
    scratch_most: int = 0
    packing: int = 0
    coding: Coding | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """Operators in execution order. Graph inputs are INPUT operators, outputs OUTPUT operators."""

    name: str
    streams: tuple[Stream, ...] = field(repr=False)
    ops: tuple[Op, ...] = field(repr=False)
    folded: tuple[str, ...] = field(default=())  # tensors of the graph that no stream carries
