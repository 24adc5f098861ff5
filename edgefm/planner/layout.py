# SPDX-License-Identifier: Apache-2.0
"""Facts about a program that every planning pass needs, computed once.

A *storage group* is a set of streams that share bytes (views, and the parts of a channel concat
with their result). A *cut* is a position between two operators; what was made before it and is read
after it is *live* there and has to exist as a whole feature map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgefm.errors import BadInput
from edgefm.network.program import Op, OpKind, Program, Stream
from edgefm.planner.arena import MAX_ROWS
from edgefm.planner.slices import Chain, find_chains


@dataclass(frozen=True, slots=True)
class Extent:
    """The most that any stream of a storage group has: rows, bytes of a row, bytes of the map."""

    rows: int
    row_bytes: int
    map_bytes: int


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Layout:
    """A program in planning order, with the producer and the readers of each stream."""

    program: Program
    group: tuple[int, ...]                     # per stream: its storage group
    producer: tuple[int, ...]                  # per stream: operator
    readers: tuple[tuple[int, ...], ...]       # per stream: operators
    low: tuple[tuple[tuple[int, ...], ...], ...]   # per operator, input and row: first row needed
    high: tuple[tuple[tuple[int, ...], ...], ...]  # and last
    rows: tuple[int, ...]                      # per operator: rows it fires in all
    cuts: tuple[int, ...]                      # allowed positions, 0 and len(ops) included
    extents: Mapping[int, Extent] = field(default_factory=dict)  # per group
    makers: Mapping[int, int] = field(default_factory=dict)  # per group: its first operator
    chains: Mapping[int, tuple[Chain, ...]] = field(default_factory=dict)  # per first operator
    tiled: frozenset[int] = frozenset()  # groups that are made in column tiles

    def maker(self, group: int) -> int:
        """The first operator that writes to the group's storage."""
        return self.makers[group]

    def chain(self, first: int, operators: int) -> Chain:
        """The chain of `operators` operators that begins with operator `first`."""
        return next(c for c in self.chains[first] if len(c.ops) == operators)

    def crossing(self, cut: int) -> tuple[int, ...]:
        """Streams made before the cut and read at or after it."""
        return tuple(s for s, made in enumerate(self.producer)
                     if made < cut and self.readers[s][-1:] >= (cut,))

    def group_bytes(self, group: int) -> int:
        """Bytes of one row of the group's storage: its widest member."""
        return self.extents[group].row_bytes

    def map_bytes(self, group: int) -> int:
        """Bytes of the group's largest map."""
        return self.extents[group].map_bytes


def analyze(program: Program) -> Layout:
    """Order the program for planning and collect its facts.

    Raises BadInput when a map has more rows than the device can count.
    """
    program = replace(program, ops=_settle_ends(program))
    for stream in program.streams:
        if stream.height > MAX_ROWS:
            raise BadInput(f"{program.name}: {stream.name} has {stream.height} rows, "
                           f"at most {MAX_ROWS} are supported")
    producer = [-1] * len(program.streams)
    readers: list[list[int]] = [[] for _ in program.streams]
    for i, op in enumerate(program.ops):
        for s in op.outputs:
            producer[s] = i
        for s in dict.fromkeys(op.inputs):
            readers[s].append(i)
    low = tuple(tuple(tuple(a for a, _ in need) for need in op.needs) for op in program.ops)
    high = tuple(tuple(tuple(b for _, b in need) for need in op.needs) for op in program.ops)
    group = _groups(program)
    layout = Layout(program, group, tuple(producer), tuple(map(tuple, readers)), low,
                    high, tuple(_rows(program, op) for op in program.ops), (),
                    _extents(program, group), _makers(group, producer), find_chains(program))
    cuts = tuple(c for c in range(len(program.ops) + 1) if _may_cut(layout, c))
    tiled = {s for cut in cuts for s in layout.crossing(cut) if program.streams[s].parent >= 0}
    return replace(layout, cuts=cuts, tiled=frozenset(group[s] for s in tiled))


def _rows(program: Program, op: Op) -> int:
    if op.accumulates or not op.outputs:
        return program.streams[op.inputs[0]].height
    return program.streams[op.outputs[0]].height


def _settle_ends(program: Program) -> tuple[Op, ...]:
    """Order inputs just before their first reader, outputs just after their producer."""
    inputs = {op.outputs[0]: op for op in program.ops if op.kind == OpKind.INPUT}
    outputs: dict[int, list[Op]] = {}
    for op in program.ops:
        if op.kind == OpKind.OUTPUT:
            outputs.setdefault(op.inputs[0], []).append(op)
    ordered: list[Op] = []
    for op in program.ops:
        if op.kind in (OpKind.INPUT, OpKind.OUTPUT):
            continue
        for s in op.inputs:
            if s in inputs:
                ordered += [inputs.pop(s), *outputs.pop(s, ())]
        ordered.append(op)
        for s in op.outputs:
            ordered += outputs.pop(s, ())
    for s, op in inputs.items():  # an input that is not read, or is also an output
        ordered += [op, *outputs.pop(s, ())]
    return tuple(ordered)


def _groups(program: Program) -> tuple[int, ...]:
    root = list(range(len(program.streams)))

    def find(s: int) -> int:
        while root[s] != s:
            s = root[s]
        return s

    for i, stream in enumerate(program.streams):
        if stream.parent >= 0:
            root[find(i)] = find(stream.parent)
    for op in program.ops:
        if op.kind == OpKind.VIEW:
            root[find(op.outputs[0])] = find(op.inputs[0])
    return tuple(find(s) for s in range(len(program.streams)))


def _extents(program: Program, group: tuple[int, ...]) -> dict[int, Extent]:
    members: dict[int, list[Stream]] = {}
    for stream, g in zip(program.streams, group, strict=True):
        members.setdefault(g, []).append(stream)
    return {g: Extent(max(s.height for s in own), max(s.row_bytes for s in own),
                      max(s.map_bytes for s in own)) for g, own in members.items()}


def _makers(group: tuple[int, ...], producer: list[int]) -> dict[int, int]:
    makers: dict[int, int] = {}
    for g, made in zip(group, producer, strict=True):
        if made >= 0:
            makers[g] = min(makers.get(g, made), made)
    return makers


def _may_cut(layout: Layout, cut: int) -> bool:
    """A part of a concat has no bytes of its own, so it never crosses a cut, unless it is a column
    tile of a map that is made later."""
    streams, producer = layout.program.streams, layout.producer
    return all(streams[s].parent < 0 or _is_tile(streams[s], producer[streams[s].parent], cut)
               for s in layout.crossing(cut))


def _is_tile(stream: Stream, joined: int, cut: int) -> bool:
    return stream.column >= 0 and joined >= cut
