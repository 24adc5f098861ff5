# SPDX-License-Identifier: Apache-2.0
"""The instructions of an inference, predicted: what a plan does, by what each unit of it takes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from edgefm.kernels.work import firing_work, moved_work
from edgefm.network.program import OpKind, Program
from edgefm.planner.figures import Figures
from edgefm.planner.layout import Layout
from edgefm.planner.model import Plan

RAW = "raw"


def predicted(program: Program, plan: Plan, figures: Figures) -> tuple[int, ...]:
    """Instructions of each stage of a plan that `is_measured`, and at the end of what is around
    them."""
    work = [*plan_work(program, plan, figures.kernel), run_work(plan)]
    return tuple(round(figures.of(one)) for one in work)


def is_measured(program: Program, plan: Plan) -> bool:
    """Whether all that a plan does was measured: no map and no weights are coded, and no chain runs
    in slices."""
    return (all(stored.codec == RAW for stored in plan.maps)
            and all(program.ops[placed.op].coding is None and placed.sliced is None
                    for placed in plan.ops if placed.op >= 0))


def plan_work(program: Program, plan: Plan, kernel: str) -> list[dict[str, float]]:
    """The units of each stage of a plan."""
    return [_stage_work(program, plan, kernel, plan.firings[s.first_firing:s.first_firing
                                                            + s.firings]) for s in plan.stages]


def run_work(plan: Plan) -> dict[str, float]:
    """The units of a run around its stages."""
    return {"run": 1, "control byte": plan.control_bytes, "operator": len(plan.ops)}


def _stage_work(program: Program, plan: Plan, kernel: str, firings: Sequence[tuple[int, int]]
                ) -> dict[str, float]:
    work: dict[str, float] = defaultdict(float)
    for (index, rows), times in Counter(firings).items():
        for unit, count in _firing(program, plan, kernel, index, rows).items():
            work[unit] += count * times
    return work


def _firing(program: Program, plan: Plan, kernel: str, index: int, rows: int) -> dict[str, float]:
    placed = plan.ops[index]
    if placed.kind in (OpKind.LOAD, OpKind.STORE):
        stored = plan.maps[placed.map]
        return moved_work(placed.kind, stored.codec, rows, stored.row_bytes)
    return firing_work(program, program.ops[placed.op], rows, placed.scratch_bytes, kernel)


class StageInstructions:
    """Instructions of a layout's firings, for the search; scratch is what they can use at most."""

    def __init__(self, layout: Layout, figures: Figures) -> None:
        self.layout = layout
        self.figures = figures
        self._known: dict[tuple[int, int], float] = {}

    def of_firing(self, index: int, rows: int) -> float:
        """Of one firing of an operator."""
        if (index, rows) not in self._known:
            op = self.layout.program.ops[index]
            self._known[index, rows] = self.figures.of(firing_work(
                self.layout.program, op, rows, max(op.scratch, op.scratch_most),
                self.figures.kernel))
        return self._known[index, rows]

    def of_firings(self, fired: Mapping[tuple[int, int], int]) -> float:
        """Of firings: times by (operator, rows)."""
        return sum(times * self.of_firing(*which) for which, times in fired.items())

    def of_strips(self, index: int, limit: int) -> float:
        """Of an operator that fires `limit` rows at a time."""
        whole, rest = divmod(self.layout.rows[index], limit)
        return whole * self.of_firing(index, limit) + (self.of_firing(index, rest) if rest else 0)

    def of_move(self, kind: OpKind, stream: int, codec: str = "raw") -> float:
        """Of a map on its way out or in, row by row; infinite with a code that was not measured."""
        shape = self.layout.program.streams[stream]
        if codec != RAW and f"{kind.name.lower()} {codec} byte" not in self.figures.units:
            return math.inf
        return shape.height * self.figures.of(moved_work(kind, codec, 1, shape.row_bytes))
