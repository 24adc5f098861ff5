# SPDX-License-Identifier: Apache-2.0
"""Memory against bytes: the best plan for every size of fast memory that changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from edgefm.errors import Infeasible
from edgefm.planner import make_plan, smallest_plan
from edgefm.planner.layout import Layout
from edgefm.planner.model import Plan
from edgefm.planner.target import Target

_PARTS = 4  # budgets from one power of two to the next


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """The best plan for a budget of fast memory, in bytes."""

    budget: int
    plan: Plan

    @property
    def map_bytes(self) -> int:
        """Bytes of maps through external memory, written and read, per inference."""
        return self.plan.external_read_bytes + self.plan.external_write_bytes

    @property
    def moved_bytes(self) -> int:
        """The same with the bytes of weights that are read."""
        return self.map_bytes + self.plan.weight_read_bytes

    def to_json(self) -> dict[str, int]:
        """The point's figures, all in bytes but the multiply-adds."""
        return {"budget": self.budget, "fast_bytes": self.plan.fast_bytes,
                "external_bytes": self.plan.external_bytes, "map_bytes": self.map_bytes,
                "weight_read_bytes": self.plan.weight_read_bytes,
                "moved_bytes": self.moved_bytes, "macs": self.plan.macs}


def frontier(layout: Layout, target: Target, objective: str = "cost",
             tick: Callable[[int, int], None] = lambda done, total: None) -> tuple[BudgetPlan, ...]:
    """Plans from the smallest fast memory up to the least that keeps every map in it.

    Maps are stored raw. Each plan moves fewer bytes, maps and weights together, than all plans of
    less memory. The budgets between the two ends are powers of two and three steps between them
    (64, 80, 96, 112, 128 KiB, ...). `tick` gets how many plans are made, and of how many.
    """
    least, _ = smallest_plan(layout, target.with_budget(1, None), objective)
    most = make_plan(layout, replace(target, fast_bytes=None), objective)
    between = list(_budgets(least.fast_bytes, most.fast_bytes))
    total = len(between) + 1
    points = [BudgetPlan(least.fast_bytes, least)]
    for done, budget in enumerate(between, 1):
        tick(done, total)
        with suppress(Infeasible):  # a budget just above the smallest one
            points.append(BudgetPlan(budget, make_plan(layout, target.with_budget(budget, None),
                                                  objective)))
    tick(total, total)
    return tuple(_better([*points, BudgetPlan(most.fast_bytes, most)]))


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
    """Points that move fewer bytes than all before them, which come in order of memory."""
    best: BudgetPlan | None = None
    for point in points:
        if best is None or point.moved_bytes < best.moved_bytes:
            best = point
            yield point
