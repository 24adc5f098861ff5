# SPDX-License-Identifier: Apache-2.0
"""Memory against bytes: the best plan for every size of fast memory that changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from edgefm.errors import Infeasible
from edgefm.planner import make_plan, smallest_plan
from edgefm.planner.figures import figures_of
from edgefm.planner.instructions import is_measured, predicted
from edgefm.planner.layout import Layout
from edgefm.planner.model import Plan
from edgefm.planner.target import Target

_PARTS = 4  # budgets from one power of two to the next


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """The best plan for a budget of fast memory, in bytes. `instructions` are predicted where the
    target's processor is one of those measured. `here`: it is the budget that was asked about."""

    budget: int
    plan: Plan
    instructions: int | None = None
    here: bool = False

    @property
    def map_bytes(self) -> int:
        """Bytes of maps through external memory, written and read, per inference."""
        return self.plan.external_read_bytes + self.plan.external_write_bytes

    @property
    def moved_bytes(self) -> int:
        """The same with the bytes of weights that are read."""
        return self.map_bytes + self.plan.weight_read_bytes

    def to_json(self) -> dict[str, int]:
        """The point's figures, all in bytes but the multiply-adds and instructions."""
        return {"budget": self.budget, "fast_bytes": self.plan.fast_bytes,
                "external_bytes": self.plan.external_bytes, "map_bytes": self.map_bytes,
                "weight_read_bytes": self.plan.weight_read_bytes,
                "moved_bytes": self.moved_bytes, "macs": self.plan.macs,
                **({} if self.instructions is None else {"instructions": self.instructions}),
                **({"here": True} if self.here else {})}


def frontier(layout: Layout, target: Target, objective: str = "cost",
             tick: Callable[[int, int], None] = lambda done, total: None,
             here: int | None = None) -> tuple[BudgetPlan, ...]:
    """Plans from the smallest fast memory up to the least that keeps every map in it.

    Maps are stored raw. Each plan moves fewer bytes, maps and weights together, than all plans of
    less memory. The budgets between the two ends are powers of two and three steps between them
    (64, 80, 96, 112, 128 KiB, ...). `here` is one more budget, which has a point in any case.
    `tick` gets how many plans are made, and of how many. Raises Infeasible where `here` is too
    small.
    """
    figures = figures_of(target.counted_as)

    def point(budget: int, plan: Plan) -> BudgetPlan:
        counted = (sum(predicted(layout.program, plan, figures))
                   if figures is not None and is_measured(layout.program, plan) else None)
        return BudgetPlan(budget, plan, counted, budget == here)

    least, _ = smallest_plan(layout, target.with_budget(1, None), objective)
    most = make_plan(layout, replace(target, fast_bytes=None), objective)
    between = {*_budgets(least.fast_bytes, most.fast_bytes), *([] if here is None else [here])}
    total = len(between) + 1
    points = [point(least.fast_bytes, least)]
    for done, budget in enumerate(sorted(between), 1):
        tick(done, total)
        with suppress(*() if budget == here else (Infeasible,)):  # one just above the smallest
            points.append(point(budget, make_plan(layout, target.with_budget(budget, None),
                                                  objective)))
    tick(total, total)
    points.append(point(most.fast_bytes, most))
    return tuple(_better(sorted(points, key=lambda one: one.budget)))


def _budgets(least: int, most: int) -> Iterator[int]:
    """Round budgets between two sizes, both left out."""
    power = 1 << max(least.bit_length() - 1, _PARTS.bit_length())
    while power < most:
        for part in range(_PARTS):
            budget = power + power // _PARTS * part
            if least < budget < most:
                yield budget
        power *= 2


def _better(points: list[BudgetPlan]) -> Iterator[BudgetPlan]:
    """Points that move fewer bytes than all before them, which come in order of memory, and the one
    that was asked about: more memory never moves more, so it is as good as the one before."""
    best: BudgetPlan | None = None
    for point in points:
        if best is None or point.moved_bytes < best.moved_bytes:
            best = point
            yield point
        elif point.here:
            yield replace(best, budget=point.budget, here=True)
