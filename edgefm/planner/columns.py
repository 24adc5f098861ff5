# SPDX-License-Identifier: Apache-2.0
"""Column tiles: a program whose first operators run once for each range of their result's columns.

Rows of large maps are wide, so rings of the first operators take most of the arena. In tiles each
copy of these operators makes some columns of the result, from the columns of their maps that those
depend on. What stays whole is the result alone. Columns that two tiles depend on are made twice,
and the rows of an input are asked for once per tile (AGAIN). To the planner the copies are
operators like any other, which it runs in stages of their own.

COLUMNS takes columns out of a map, or joins the tiles. A stream with a `parent` lies in the
parent's bytes, and nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from edgefm.network.graph import distinct
from edgefm.network.program import Op, OpKind, Program

Range = tuple[int, int]  # first column, and one behind the last

_OF_STREAMS, _OF_CHANNELS = 0, 2  # the second operand of ADD and MUL, which has the same columns
_PIXELS = {OpKind.LUT: None, OpKind.QUANTIZE: None, OpKind.ADD: (_OF_STREAMS, _OF_CHANNELS),
           OpKind.MUL: (_OF_STREAMS, _OF_CHANNELS)}
_PAD_LEFT = {OpKind.CONV: 7, OpKind.DEPTHWISE: 7, OpKind.AVERAGE_POOL: 5, OpKind.MAX_POOL: 5}
_DILATED = frozenset({OpKind.CONV, OpKind.DEPTHWISE})


@dataclass(frozen=True, slots=True)
class Tiling:
    """The first `operators` of a program run in `tiles` ranges of their result's columns."""

    operators: int
    tiles: int


def tileable(program: Program) -> tuple[int, ...]:
    """How many of the first operators may run in column tiles: all numbers with one result."""
    found = []
    for count, op in enumerate(program.ops, 1):
        if any(program.streams[s].parent >= 0 for s in op.outputs) or not (
                _keeps_columns(op) or _is_alias(program, op)):
            break
        if _leaving(program, count) == op.outputs and op.kind != OpKind.INPUT:
            found.append(count)
    return tuple(found)


def _keeps_columns(op: Op) -> bool:
    """Whether columns of the result depend on columns of the inputs alone."""
    if op.kind in _PIXELS:
        operands = _PIXELS[op.kind]
        return operands is None or op.params[0] in operands
    return op.kind == OpKind.INPUT or (op.kind in _PAD_LEFT and op.coding is None)


def _is_alias(program: Program, op: Op) -> bool:
    """Whether the operator only gives its input another name, under which alone it is read."""
    if op.kind != OpKind.VIEW:
        return False
    source, made = program.streams[op.inputs[0]], program.streams[op.outputs[0]]
    readers = sum(op.inputs[0] in other.inputs for other in program.ops)
    return readers == 1 and (source.width, source.channels) == (made.width, made.channels)


def _leaving(program: Program, count: int) -> tuple[int, ...]:
    """Streams of the first operators that others read, or none."""
    inside = {s for op in program.ops[:count] for s in op.inputs}
    read = {s for op in program.ops[count:] for s in op.inputs}
    return tuple(s for op in program.ops[:count] for s in op.outputs
                 if s in read or s not in inside)


def macs_in_columns(program: Program, tiling: Tiling) -> int:
    """Multiply-adds of `in_columns`."""
    return _Tiles(program, tiling).macs()


def in_columns(program: Program, tiling: Tiling) -> Program:
    """The program with its first operators in column tiles. The tiles' streams carry no tensor of
    the graph, but for the input of the first one."""
    return _Tiles(program, tiling).joined()


class _Tiles:
    """The program during its construction; call `joined`."""

    def __init__(self, program: Program, tiling: Tiling) -> None:
        self.program = program
        self.tiling = tiling
        self.inside = program.ops[:tiling.operators]
        self.result = self.inside[-1].outputs[0]
        self.streams = list(program.streams)
        self.ops: list[Op] = []

    def macs(self) -> int:
        """Multiply-adds of all tiles and of the operators behind."""
        total = sum(op.macs for op in self.program.ops[self.tiling.operators:])
        for columns in pairwise(self._edges()):
            ranges = self._ranges(columns)
            total += sum(self._share(op, ranges[op.outputs[0]]) for op in self.inside)
        return total

    def _edges(self) -> list[int]:
        count, width = self.tiling.tiles, self.program.streams[self.result].width
        return [k * width // count for k in range(count + 1)]

    def _share(self, op: Op, columns: Range) -> int:
        """Multiply-adds of some columns of an operator's result."""
        width = self.program.streams[op.outputs[0]].width
        return op.macs * (columns[1] - columns[0]) // width

    def joined(self) -> Program:
        """All tiles, then what joins them, then the operators behind."""
        edges = self._edges()
        parts = [self._tile(k, columns) for k, columns in enumerate(pairwise(edges))]
        for part, column in zip(parts, edges, strict=False):
            self.streams[part] = replace(self.streams[part], parent=self.result, column=column)
        self._columns("joined", parts, self.result, 0)
        behind = self.program.ops[self.tiling.operators:]
        return _without_unused(replace(self.program, streams=tuple(self.streams),
                                       ops=(*self.ops, *behind)))

    def _tile(self, number: int, wanted: Range) -> int:
        """Append a tile's operators; the stream that it makes of the result."""
        ranges = self._ranges(wanted)
        made: dict[int, int] = {}
        for op in self.inside:
            s = op.outputs[0]
            if op.kind == OpKind.INPUT:
                made[s] = self._input(op, number, ranges[s])
            else:
                inputs, left = self._inputs(op, made, ranges)
                made[s] = self._stream(s, number, ranges[s])
                self.ops.append(replace(op, inputs=inputs, outputs=(made[s],),
                                        params=_padded(op, left), macs=self._share(op, ranges[s])))
        return made[self.result]

    def _ranges(self, wanted: Range) -> dict[int, Range]:
        """The columns of each stream that a tile makes."""
        found = {self.result: wanted}
        for op in reversed(self.inside):
            for s in op.inputs:
                low, high = _needed(op, found[op.outputs[0]], self.program.streams[s].width)
                a, b = found.get(s, (low, high))
                found[s] = min(a, low), max(b, high)
        return found

    def _input(self, op: Op, number: int, columns: Range) -> int:
        """Take the rows of an input, the whole of which the caller gives."""
        s = op.outputs[0]
        width = self.program.streams[s].width
        whole = s if number == 0 else self._stream(s, number, (0, width))
        kind = OpKind.INPUT if number == 0 else OpKind.AGAIN
        self.ops.append(replace(op, kind=kind, outputs=(whole,)))
        if columns == (0, width):
            return whole
        part = self._stream(s, number, columns)
        self._columns("columns", [whole], part, columns[0])
        return part

    def _inputs(self, op: Op, made: dict[int, int], ranges: dict[int, Range]
                ) -> tuple[tuple[int, ...], int]:
        """An operator's inputs in a tile, and its padding on the left."""
        out = ranges[op.outputs[0]]
        if op.kind in _PAD_LEFT:
            (s,) = op.inputs
            left = ranges[s][0] - _first(op, out[0])
            return (self._cropped(made[s], -left, ranges[s][1] - ranges[s][0])
                    if left < 0 else made[s],), max(left, 0)
        return tuple(self._cropped(made[s], out[0] - ranges[s][0], out[1] - ranges[s][0])
                     for s in op.inputs), 0

    def _cropped(self, stream: int, first: int, end: int) -> int:
        """Columns of a tile's stream, which lie where that has them."""
        if (first, end) == (0, self.streams[stream].width):
            return stream
        whole = self.streams[stream]
        self.streams.append(replace(whole, name=f"{whole.name}:some", width=end - first,
                                    parent=stream, column=first))
        self._columns("columns", [stream], len(self.streams) - 1, first)
        return len(self.streams) - 1

    def _stream(self, s: int, number: int, columns: Range) -> int:
        stream = self.program.streams[s]
        self.streams.append(replace(stream, name=f"{stream.name}:{number}", tensor=-1,
                                    width=columns[1] - columns[0]))
        return len(self.streams) - 1

    def _columns(self, what: str, inputs: Sequence[int], output: int, first: int) -> None:
        need = tuple((y, y) for y in range(self.streams[output].height))
        self.ops.append(Op(OpKind.COLUMNS, f"{self.streams[output].name}:{what}", tuple(inputs),
                           (output,), (first,), needs=(need,) * len(inputs)))


def _padded(op: Op, left: int) -> tuple[int, ...]:
    """An operator's parameters with another padding on the left."""
    at = _PAD_LEFT.get(op.kind)
    return op.params if at is None else (*op.params[:at], left, *op.params[at + 1:])


def _first(op: Op, column: int) -> int:
    """The first column under the window of a result's column; negative in the padding."""
    return column * op.params[3] - op.params[_PAD_LEFT[op.kind]]


def _needed(op: Op, made: Range, width: int) -> Range:
    """Columns of an input, `width` wide, that columns of an operator's result depend on."""
    if op.kind not in _PAD_LEFT:
        return made
    dilation = op.params[5] if op.kind in _DILATED else 1
    end = _first(op, made[1] - 1) + (op.params[1] - 1) * dilation + 1
    return min(max(_first(op, made[0]), 0), width - 1), max(min(end, width), 1)


def _without_unused(program: Program) -> Program:
    """The program without streams that no operator makes, under names that differ."""
    used = sorted({s for op in program.ops for s in op.outputs})
    number = {s: i for i, s in enumerate(used)}
    names = _names(program, used)
    streams = (replace(program.streams[s], name=name,
                       parent=number.get(program.streams[s].parent, -1))
               for s, name in zip(used, names, strict=True))
    ops = (replace(op, inputs=tuple(number[s] for s in op.inputs),
                   outputs=tuple(number[s] for s in op.outputs)) for op in program.ops)
    return replace(program, streams=tuple(streams), ops=tuple(ops))


def _names(program: Program, used: Sequence[int]) -> Iterator[str]:
    streams = [program.streams[s] for s in used]
    known = [s.name for s in streams if s.tensor >= 0]
    made = iter(distinct([s.name for s in streams if s.tensor < 0], known))
    return (s.name if s.tensor >= 0 else next(made) for s in streams)
