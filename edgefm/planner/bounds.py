# SPDX-License-Identifier: Apache-2.0
"""What a stage takes at least, known without simulating it: fast memory, and bytes of weights.

The search simulates a stage only where these bounds leave it a chance. They follow from the first
firings (`firing.py`): the last operator fires a strip, each producer makes what is missing for it,
at most a strip at a time. Rows that one firing reads are in their ring together.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgefm.planner.arena import round_up
from edgefm.planner.instructions import StageInstructions
from edgefm.planner.layout import Layout
from edgefm.planner.stages import Stage, strip_rows
from edgefm.planner.target import Target
from edgefm.planner.weight_tiles import firing_bytes, working_bytes


@dataclass(frozen=True, slots=True)
class Bound:
    """Bytes: of inner rings and scratch at least, and of weights that are read at least. About how
    many instructions, where they are counted."""

    inner: int
    weights: int
    instructions: float


class Bounds:
    """Bounds of a layout's stages, found from each stage's last operator backwards."""

    def __init__(self, layout: Layout, target: Target,
                 instructions: StageInstructions | None = None) -> None:
        self.layout = layout
        self.instructions = instructions
        self.target = target
        self._walks: dict[tuple[int, int], _Walk] = {}
        self._spans = [[max((b - a + 1 for a, b in zip(low, high, strict=True)), default=0)
                        for low, high in zip(lows, highs, strict=True)]
                       for lows, highs in zip(layout.low, layout.high, strict=True)]

    def of(self, stage: Stage) -> Bound:
        """The bound of a stage."""
        strips = stage.strips if stage.strips < max(self.layout.rows[stage.first:stage.last]) else 0
        walk = self._walks.get((stage.last, strips))
        if walk is None:
            walk = self._walks[stage.last, strips] = _Walk(self, stage.last, strips)
        while walk.first > stage.first:
            walk.add()
        return walk.bounds[stage.last - 1 - stage.first]

    def span(self, op: int, operand: int) -> int:
        """The most rows of an input that one row of an operator's output needs."""
        return self._spans[op][operand]


class _Walk:
    """A stage's operators, from its last one backwards; `strips` is 0 row by row."""

    def __init__(self, owner: Bounds, last: int, strips: int) -> None:
        self.owner = owner
        self.layout = owner.layout
        self.first = self.last = last
        self.strips = strips
        self.bounds: list[Bound] = []
        self._outside = {owner.layout.group[s] for s in owner.layout.crossing(last)}
        self._rows: dict[int, int] = {}    # per group: rows that are live together
        self._wanted: dict[int, int] = {}  # per stream: rows that its first reader asks for
        self._rings = self._passing = self._states = self._weights = 0
        self._instructions = 0.0

    def add(self) -> None:
        """Take the operator in front."""
        self.first -= 1
        layout, op = self.layout, self.layout.program.ops[self.first]
        limit = strip_rows(layout, self.first, self.strips)
        asked = self._asked(limit)
        fires = 1 if op.accumulates or asked is None else asked
        for k, s in enumerate(op.inputs):
            high, low = layout.high[self.first][k], layout.low[self.first][k]
            together = max(self.owner.span(self.first, k), high[fires - 1] - low[0] + 1)
            self._note(layout.group[s], together)
            if asked is not None:
                rows = high[asked - 1] + 1
                self._wanted[s] = min(self._wanted.get(s, rows), rows)
        for s in op.outputs:
            self._note(layout.group[s], 1 if op.accumulates else fires)
        self._take_memory()
        self._weights += -(-layout.rows[self.first] // limit) * firing_bytes(op)
        if self.owner.instructions is not None:
            self._instructions += self.owner.instructions.of_strips(self.first, limit)
        self.bounds.append(Bound(self._passing + self._states + self._rings, self._weights,
                                 self._instructions))

    def _asked(self, limit: int) -> int | None:
        """Rows of the first firing, None where others decide."""
        op, rows = self.layout.program.ops[self.first], self.layout.rows[self.first]
        limit = min(limit, rows)
        if self.first == self.last - 1:
            return limit
        wanted = [self._wanted[s] for s in op.outputs if s in self._wanted]
        if not wanted:
            return None
        return limit if op.accumulates else min(limit, *wanted)

    def _note(self, group: int, rows: int) -> None:
        self._rows[group] = max(self._rows.get(group, 0), rows)

    def _take_memory(self) -> None:
        layout, op = self.layout, self.layout.program.ops[self.first]
        for g in {layout.group[s] for s in op.outputs} - self._outside:
            if self.first == layout.maker(g):
                rows = min(self._rows[g], layout.extents[g].rows)
                self._rings += rows * self.owner.target.transfer_bytes(layout.group_bytes(g))
        if op.accumulates:
            self._states += round_up(op.scratch)
        else:
            self._passing = max(self._passing, working_bytes(layout.program, op))
