# SPDX-License-Identifier: Apache-2.0
"""Finds the best plan within a budget, by turns of estimating search and exact placement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from edgefm.errors import Infeasible
from edgefm.planner.build import build_plan
from edgefm.planner.layout import Layout
from edgefm.planner.model import Plan
from edgefm.planner.search import EXTERNAL, NOWHERE, POOL, Choice, Search
from edgefm.planner.stages import Stage
from edgefm.planner.storage import Storage
from edgefm.planner.target import Target

SIZING = "cost"  # the objective by which the smallest memory is searched for
_LEAST_STEP = 64  # bytes that an estimate is lowered by at first
_CLOSE = 512  # bytes between estimates that need no other between them; less for small budgets
_ROUNDS = 12  # how often the search is repeated with a smaller estimate

Solution = tuple[Choice, Plan]
_Arena = tuple[tuple[Stage, ...], frozenset[int], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A layout to plan, with its board, its objective and the storage of its maps.

    `crowded` are placements that did not fit the budget they were made for. All orders were tried
    for them, so placement finds nothing better for any budget that they exceed.
    """

    search: Search
    target: Target
    crowded: dict[_Arena, Plan] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """The layout to plan."""
        return self.search.layout

    @property
    def storage(self) -> Storage:
        """The storage of maps that leave fast memory."""
        return self.search.storage

    @property
    def codes(self) -> bool:
        """True when some map would be coded if it were stored."""
        streams = range(len(self.layout.program.streams))
        return any(self.storage.codec_of(s) != "raw" for s in streams)

    @property
    def budget(self) -> int:
        """Bytes of fast memory."""
        return self.target.fast_bytes or 0

    @property
    def inner(self) -> str:
        """The place of maps that do not stay as they are, without external memory."""
        return POOL if self.storage.pooled else NOWHERE

    @property
    def place(self) -> str:
        """The same, in external memory if there is any."""
        return EXTERNAL if self.target.external_bytes > 0 else self.inner

    def within(self, fast: int) -> Case:
        """The same with another budget."""
        return replace(self, target=self.target.with_budget(fast, None))

    def for_any_objective(self) -> Case:
        """The same with the prices that decide what the smallest memory is, so that every objective
        has the same."""
        if self.search.objective == SIZING:
            return self
        return Case(Search(self.layout, self.target, SIZING, storage=self.storage), self.target)

    def without_slices(self) -> Case:
        """The same with every operator on its own."""
        search = self.search
        return Case(Search(self.layout, self.target, search.objective, search.fixed, self.storage,
                           slices=False), self.target)

    def storing(self, storage: Storage) -> Case:
        """The same with another storage of maps."""
        return Case(self.search.with_storage(storage), self.target)

    def build(self, choice: Choice) -> Plan:
        """Build and place the choice. Raises Infeasible when its external maps do not fit."""
        arena = choice.stages, choice.fast, choice.pooled
        known = self.crowded.get(arena)
        if known is not None and known.fast_bytes > self.budget:
            return known
        plan = build_plan(self.layout, choice, self.target, self.search.objective, self.storage)
        if plan.fast_bytes > self.budget:
            self.crowded[arena] = plan
        return plan


def case_for(layout: Layout, target: Target, objective: str, storage: Storage | None) -> Case:
    """A case; without `storage` every map is stored as it is."""
    return Case(Search(layout, target, objective, storage=storage), target)


def row_by_row(layout: Layout, cuts: Sequence[int]) -> Choice:
    """Stages between cuts, walked row by row, every map at the cuts stored."""
    stages = tuple(Stage(a, b, max(layout.rows[a:b])) for a, b in pairwise(cuts))
    return Choice(stages, frozenset(), (0.0, 0.0))


def everything_once(layout: Layout) -> Choice:
    """Operator by operator, each firing once, every map in fast memory."""
    stages = tuple(Stage(a, b, 1) for a, b in pairwise(layout.cuts))
    return Choice(stages, frozenset(layout.group), (0.0, 0.0))


def best_within(case: Case) -> Solution | None:
    """The best plan within both memories. If external maps do not fit, a plan with a page pool if
    that is allowed, else a plan that stores nothing. None when the search finds none."""
    keep = everything_once(case.layout)
    once = case.build(keep)
    if case.target.fast_bytes is None or once.fast_bytes <= case.budget:
        return keep, once  # no map leaves it, every weight is read once: nothing is cheaper
    if case.target.external_bytes > 0:
        try:
            return _home_in(case, EXTERNAL)
        except Infeasible:
            pass
    return _home_in(case, case.inner)


def _home_in(case: Case, place: str) -> Solution | None:
    """Search with an estimate of the fast memory, place exactly, and home in on the best estimate.

    The estimate is optimistic if live bytes do not stack perfectly. So its limit is lowered by the
    missing bytes, by ever more where the search finds the same again, until the placement fits.
    Then it is raised half-way while that still finds better plans. Raises Infeasible
    when the external maps do not fit.
    """
    budget = case.budget
    best: Solution | None = None
    fits, fails = 0, budget + 1
    estimate, step = budget, _LEAST_STEP
    failed: Choice | None = None
    for _ in range(_ROUNDS):
        choice = case.search.best(estimate, place)
        if choice is None or (best is not None and choice.price >= best[0].price):
            fits = max(fits, estimate)
        else:
            plan = case.build(choice)
            if plan.fast_bytes <= budget:
                best = choice, plan
                fits = estimate
            else:
                fails = min(fails, estimate)
                step = 2 * step if choice == failed else _LEAST_STEP
                failed, lower = choice, max(plan.fast_bytes - budget, step)
                if best is None and fails - lower > fits:
                    estimate = fails - lower
                    continue
        if fails - fits < min(_CLOSE, budget >> 7):
            break
        estimate = (fits + fails) // 2
    return best or _stage_by_stage(case, place)


def _stage_by_stage(case: Case, place: str) -> Solution | None:
    """Search with the whole budget, and add the missing bytes of a placed stage to the estimate of
    that stage alone. This helps when one stage leaves no room for a smaller estimate of all."""
    excess: dict[Stage, int] = {}
    for _ in range(_ROUNDS):
        choice = case.search.best(case.budget, place, excess)
        if choice is None:
            return None
        plan = case.build(choice)
        if plan.fast_bytes <= case.budget:
            return choice, plan
        for stage, placed in zip(choice.stages, plan.stages, strict=True):
            if placed.fast_bytes > case.budget:
                excess[stage] = excess.get(stage, 0) + placed.fast_bytes - case.budget
    return None
