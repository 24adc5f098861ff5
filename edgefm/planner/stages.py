# SPDX-License-Identifier: Apache-2.0
"""The cost of running operators [first, last) as one depth-first stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgefm.network.program import Op, Program
from edgefm.planner.arena import round_up
from edgefm.planner.firing import Rows, Task, Trace, simulate
from edgefm.planner.layout import Layout
from edgefm.planner.slices import Chain
from edgefm.planner.target import Target
from edgefm.planner.weight_tiles import firing_bytes, working_bytes

_GRAIN = 256  # bytes of rows that are worth a firing of their own


@dataclass(frozen=True, slots=True)
class Stage:
    """Operators [first, last) of a layout, run in about `strips` strips per map. The first `sliced`
    of them run as one SLICED operator, all others then row by row."""

    first: int
    last: int
    strips: int
    sliced: int = 0


@dataclass(frozen=True, slots=True)
class StageOp:
    """An operator as a stage runs it: one of the program's, number `index`, or a chain of them that
    begins there."""

    op: Op
    index: int
    low: tuple[Sequence[int], ...]
    high: tuple[Sequence[int], ...]
    rows: int
    weight_bytes: int     # that a firing reads, about
    limit: int            # rows that it fires at once
    chain: Chain | None = None


def units_of(layout: Layout, stage: Stage, target: Target) -> list[StageOp]:
    """The operators of a stage, in order."""
    units = [_sliced(layout, stage, target)] if stage.sliced else []
    for i in range(stage.first + stage.sliced, stage.last):
        op = layout.program.ops[i]
        stream = (op.inputs if op.accumulates else (*op.outputs, *op.inputs))[0]
        units.append(StageOp(op, i, layout.low[i], layout.high[i], layout.rows[i], firing_bytes(op),
                          _limit(layout, stage, layout.rows[i], stream)))
    return units


def _sliced(layout: Layout, stage: Stage, target: Target) -> StageOp:
    chain = layout.chain(stage.first, stage.sliced)
    height = chain.output.height
    strip = -(-height // min(stage.strips, height))
    low, high = zip(*chain.rows, strict=True)
    return StageOp(chain.op(target.kernels, strip), stage.first, (low,), (high,), height,
                chain.weight_bytes(-(-chain.channels // chain.least)), strip, chain)


def _limit(layout: Layout, stage: Stage, rows: int, stream: int) -> int:
    """Rows of a map that an operator fires at once, at most."""
    return _strip(layout, rows, stream, 0 if stage.sliced else stage.strips)


@dataclass(frozen=True, slots=True)
class Boundary:
    """The streams between a stage and the others: read from earlier ones, left for later ones."""

    loads: tuple[int, ...]
    stores: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StageCost:
    """One simulated stage, with every boundary map assumed external.

    `rings` are bytes per storage group. `live` gives, for each group that crosses the stage's ends,
    the bytes it would occupy at each firing if it were a map in fast memory instead. `fired` says
    how often an operator fires a number of rows.
    """

    stage: Stage
    boundary: Boundary
    rings: Mapping[int, int]
    live: Mapping[int, Rows]
    scratch: int
    weight_bytes: int
    fired: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @property
    def firings(self) -> int:
        """Of its operators, maps that move not counted."""
        return sum(self.fired.values())

    def inner_bytes(self) -> int:
        """Fast memory for scratch and inner rings, whatever the places of boundary maps."""
        return self.scratch + sum(b for g, b in self.rings.items() if g not in self.live)


def boundary_of(layout: Layout, first: int, last: int) -> Boundary:
    """Streams that operators [first, last) take from earlier ones and leave for later ones."""
    loads: dict[int, None] = {}
    stores: dict[int, None] = {}
    for i in range(first, last):
        op = layout.program.ops[i]
        loads.update((s, None) for s in op.inputs if layout.producer[s] < first)
        stores.update((s, None) for s in op.outputs
                      if layout.readers[s][-1:] >= (last,))
    return Boundary(tuple(loads), tuple(stores))


def stage_tasks(layout: Layout, stage: Stage, loads: Sequence[int], stores: Sequence[int],
                target: Target) -> list[Task]:
    """The stage's tasks: loads, stores, then the operators (the last one drives)."""
    heights = [s.height for s in layout.program.streams]
    tasks = [Task((), (s,), (), (), heights[s], _limit(layout, stage, heights[s], s))
             for s in loads]
    tasks += [Task((s,), (), (range(heights[s]),), (range(heights[s]),), heights[s], heights[s],
                   hold=target.buffers - 1) for s in stores]
    tasks += [Task(u.op.inputs, u.op.outputs, u.low, u.high, u.rows, u.limit, u.op.accumulates,
                   whole=u.chain is not None) for u in units_of(layout, stage, target)]
    return tasks


def strip_rows(layout: Layout, index: int, strips: int) -> int:
    """Rows that an operator fires at once, at most; 0 strips: row by row."""
    op = layout.program.ops[index]
    stream = (op.inputs if op.accumulates else (*op.outputs, *op.inputs))[0]
    return _strip(layout, layout.rows[index], stream, strips)


def _strip(layout: Layout, rows: int, stream: int, strips: int) -> int:
    strip = -(-rows // strips) if strips else 1
    return max(1, strip, _GRAIN // layout.program.streams[stream].row_bytes)


def run_stage(layout: Layout, tasks: Sequence[Task], ready: Sequence[int], kept: Sequence[int],
              watched: Sequence[int]) -> Trace:
    """Simulate tasks built by `stage_tasks`; `kept` and `watched` are storage groups."""
    heights = [s.height for s in layout.program.streams]
    return simulate(tasks, layout.group, heights, frozenset(ready), frozenset(kept),
                    frozenset(watched))


def evaluate(layout: Layout, stage: Stage, target: Target) -> StageCost:
    """Simulate a stage on its own, every boundary map external."""
    boundary = boundary_of(layout, stage.first, stage.last)
    units = units_of(layout, stage, target)
    tasks = stage_tasks(layout, stage, boundary.loads, boundary.stores, target)
    crossing = {layout.group[s] for s in (*boundary.loads, *boundary.stores)}
    trace = run_stage(layout, tasks, (), (), sorted(crossing))
    loaded = {layout.group[s] for s in boundary.loads}
    rings, live = {}, {}
    for g, height in trace.heights.items():
        extra = target.buffers - 1 if g in loaded else 0
        rows = min(height + extra, layout.extents[g].rows)
        rings[g] = rows * target.transfer_bytes(layout.group_bytes(g))
    for g in crossing:
        low, high = trace.live[g]
        row = layout.group_bytes(g)
        if g in loaded:
            height = max(layout.program.streams[s].height for s in boundary.loads
                         if layout.group[s] == g)
            live[g] = (height - low) * row
        else:
            live[g] = high * row
    fired = np.bincount([t for t, _ in trace.firings], minlength=len(tasks))[-len(units):]
    weights = sum(int(n) * unit.weight_bytes for n, unit in zip(fired, units, strict=True))
    ops = [unit.op for unit in units]
    before = len(tasks) - len(units)
    counted = Counter((units[t - before].index, n) for t, n in trace.firings if t >= before)
    return StageCost(stage, boundary, rings, live, scratch_bytes(layout.program, ops), weights,
                     counted)


def scratch_bytes(program: Program, ops: Sequence[Op]) -> int:
    """Working memory of a stage: the largest that passes, buffers of weights included, and every
    accumulator's state."""
    passing = max((working_bytes(program, op) for op in ops if not op.accumulates), default=0)
    return passing + sum(round_up(op.scratch) for op in ops if op.accumulates)
