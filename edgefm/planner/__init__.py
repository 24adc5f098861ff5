# SPDX-License-Identifier: Apache-2.0
"""The planner: Program -> Plan. Pure functions of shapes, no files, no arithmetic on data.

`layout` collects facts, `firing` simulates one stage, `stages` prices it, `search` chooses where to
cut, `build` makes the schedule, `place` fills the arena, `target` says what memories cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from edgefm.errors import BadInput, Infeasible
from edgefm.planner.build import build_plan
from edgefm.planner.layout import Layout, analyse
from edgefm.planner.model import Plan
from edgefm.planner.search import (
    EXTERNAL,
    NOWHERE,
    OBJECTIVES,
    POOL,
    Choice,
    Search,
    block_cuts,
    named_cuts,
)
from edgefm.planner.stages import Stage
from edgefm.planner.storage import Storage
from edgefm.planner.target import Target, load_target

__all__ = ["Layout", "Plan", "Storage", "Target", "analyse", "load_target", "make_plan",
           "plan_storing", "smallest_plan"]

_ROUNDS = 12  # how often the search is repeated with a smaller estimate

_Found = tuple[Choice, Plan]


def make_plan(layout: Layout, target: Target, objective: str = "cost", cut: str = "auto",
              storage: Storage | None = None) -> Plan:
    """The best plan found for the target's fast memory.

    `cut` is auto, ops (every operator its own stage), blocks, or tensor names with commas; all but
    auto store every map at the cuts. Raises Infeasible with the smallest budget that works and the
    operator that sets it, BadInput for an unknown objective or cut.
    """
    if objective not in OBJECTIVES:
        raise BadInput(f"objective {objective!r}: expected one of {', '.join(OBJECTIVES)}")
    if cut != "auto":
        return _fixed_plan(layout, target, objective, cut, storage)
    if target.fast_bytes is None:
        return build_plan(layout, _everything_once(layout), target, objective, storage)
    search = Search(layout, target, objective, storage=storage)
    found = [_plan_within(layout, target, objective, search, storage)]
    if storage is not None and not storage.pooled:
        found.append(_coded_where_it_fits(layout, target, objective, search, storage, found[0]))
    plans = [plan for _, plan in filter(None, found)]
    if plans:
        share = storage.share if storage else 1.0
        return min(plans, key=lambda plan: _expected(plan, target, share))
    least, operator = smallest_plan(layout, target, objective, storage)
    if least.fast_bytes > target.fast_bytes:
        raise Infeasible(f"{layout.program.name}: {target.fast_bytes} bytes of fast and "
                         f"{target.external_bytes} of external memory are too few; the smallest "
                         f"feasible budget is {least.fast_bytes} bytes, set by {operator}",
                         least.fast_bytes, operator)
    return least


def smallest_plan(layout: Layout, target: Target, objective: str = "cost",
                  storage: Storage | None = None) -> tuple[Plan, str]:
    """The plan with the least fast memory, and the operator that needs most of it on its own.

    It is the best that the search finds for that budget; one byte less is infeasible.
    """
    tight = target.with_budget(1, None)  # placement does its best to come near
    least = build_plan(layout, _everything_once(layout), tight, objective, storage)
    operator = max(least.stages, key=lambda stage: stage.fast_bytes).name
    try:
        outside = build_plan(layout, _row_by_row(layout, layout.cuts), tight, objective, storage)
    except Infeasible:
        pass  # not enough external memory to keep every map there
    else:
        operator = max(outside.stages, key=lambda stage: stage.fast_bytes).name
        least = min(least, outside, key=lambda plan: plan.fast_bytes)
    search = Search(layout, target, objective, storage=storage)
    while True:
        lower = target.with_budget(least.fast_bytes - 1, None)
        smaller = _plan_within(layout, lower, objective, search, storage)
        if smaller is None:
            return least, operator
        _, least = smaller


def plan_storing(layout: Layout, target: Target, storage: Storage, streams: Sequence[int]) -> Plan:
    """A plan without limits on fast memory that puts these streams into the page pool: what it
    computes is what any plan computes that stores the same ones."""
    stored = {layout.group[s] for s in streams}
    choice = replace(_everything_once(layout), fast=frozenset(layout.group) - stored, pooled=True)
    return build_plan(layout, choice, target.with_budget(1 << 30, 0), "cost", storage)


def _row_by_row(layout: Layout, cuts: Sequence[int]) -> Choice:
    stages = tuple(Stage(a, b, max(layout.rows[a:b])) for a, b in pairwise(cuts))
    return Choice(stages, frozenset(), (0.0, 0.0))


def _everything_once(layout: Layout) -> Choice:
    """Operator by operator, each firing once, every map in fast memory."""
    stages = tuple(Stage(a, b, 1) for a, b in pairwise(layout.cuts))
    return Choice(stages, frozenset(layout.group), (0.0, 0.0))


def _coded_where_it_fits(layout: Layout, target: Target, objective: str, search: Search,
                         storage: Storage, coded: _Found | None) -> _Found | None:
    """The best plan for maps that are stored as they are, with those of them coded whose codes and
    codec states still fit the memory, the busiest first. A codec's state may cost a plan more than
    it saves. None where `coded`, the best plan for coded maps, codes none."""
    if coded is not None and all(m.codec == "raw" for m in coded[1].maps):
        return None
    none = storage.only(frozenset())
    found = _plan_within(layout, target, objective, search.with_storage(none), none)
    if found is None:
        return None
    choice, plan = found
    chosen: frozenset[int] = frozenset()
    for stream in sorted((m.stream for m in plan.maps), key=lambda s: -_moved(found[1], s)):
        trial = build_plan(layout, choice, target, objective, storage.only(chosen | {stream}))
        if trial.fast_bytes <= (target.fast_bytes or 0):
            chosen, plan = chosen | {stream}, trial
    return choice, plan


def _moved(plan: Plan, stream: int) -> int:
    """Bytes that a stored map moves as it is, written and read."""
    return sum(m.bytes * sum(op.map == i for op in plan.ops)
               for i, m in enumerate(plan.maps) if m.stream == stream)


def _expected(plan: Plan, target: Target, share: float) -> tuple[float, float]:
    """What a plan is expected to cost, as the search prices choices, but of coded maps a share."""
    moved = sum((share if m.codec != "raw" else 1) * _moved(plan, m.stream) for m in plan.maps)
    if plan.objective == "maps":
        return moved, plan.weight_read_bytes
    return moved * target.external_cost + plan.weight_read_bytes * target.weight_cost, moved


def _plan_within(layout: Layout, target: Target, objective: str, search: Search,
                 storage: Storage | None) -> _Found | None:
    """The best plan within both memories; where external maps would not fit, one with a page pool
    if there may be one, else one that stores nothing."""
    keep = _everything_once(layout)
    once = build_plan(layout, keep, target, objective, storage)
    if once.fast_bytes <= (target.fast_bytes or 0):
        return keep, once  # no map leaves it, every weight is read once: nothing is cheaper
    if target.external_bytes > 0:
        try:
            return _home_in(layout, target, objective, search, storage, EXTERNAL)
        except Infeasible:
            pass
    pool = storage is not None and storage.pooled
    return _home_in(layout, target, objective, search, storage, POOL if pool else NOWHERE)


def _home_in(layout: Layout, target: Target, objective: str, search: Search,
             storage: Storage | None, place: str) -> _Found | None:
    """Search with an estimate of the fast memory, place exactly, and home in on the best estimate.

    The estimate is optimistic where live bytes do not stack perfectly, so it is lowered by what was
    lacking until the placement fits, then raised half-way back while that still finds better plans.
    Raises Infeasible when the external maps do not fit.
    """
    budget = target.fast_bytes or 0
    best: _Found | None = None
    fits, fails = 0, budget + 1
    estimate = budget
    for _ in range(_ROUNDS):
        choice = search.best(estimate, place)
        if choice is None or (best is not None and choice.price >= best[0].price):
            fits = max(fits, estimate)
        else:
            plan = build_plan(layout, choice, target, objective, storage)
            if plan.fast_bytes <= budget:
                best = choice, plan
                fits = estimate
            else:
                fails = min(fails, estimate)
                if best is None and fails - max(plan.fast_bytes - budget, 64) > fits:
                    estimate = fails - max(plan.fast_bytes - budget, 64)
                    continue
        if fails - fits < 512:
            break
        estimate = (fits + fails) // 2
    return best or _stage_by_stage(layout, target, objective, search, storage, place)


def _stage_by_stage(layout: Layout, target: Target, objective: str, search: Search,
                    storage: Storage | None, place: str) -> _Found | None:
    """Search with the whole budget; what a placed stage needs beyond it is added to the estimate of
    that stage alone. For where one stage leaves no room for a smaller estimate of all."""
    budget = target.fast_bytes or 0
    excess: dict[Stage, int] = {}
    for _ in range(_ROUNDS):
        choice = search.best(budget, place, excess)
        if choice is None:
            return None
        plan = build_plan(layout, choice, target, objective, storage)
        if plan.fast_bytes <= budget:
            return choice, plan
        for stage, placed in zip(choice.stages, plan.stages, strict=True):
            if placed.fast_bytes > budget:
                excess[stage] = excess.get(stage, 0) + placed.fast_bytes - budget
    return None


def _fixed_plan(layout: Layout, target: Target, objective: str, cut: str,
                storage: Storage | None) -> Plan:
    ends = [0, *_cut_positions(layout, cut), len(layout.program.ops)]
    pool = storage is not None and storage.pooled and target.external_bytes == 0
    choice = replace(_row_by_row(layout, sorted(set(ends))), pooled=pool)
    plan = build_plan(layout, choice, target, objective, storage)
    if target.fast_bytes is not None and plan.fast_bytes > target.fast_bytes:
        tallest = max(plan.stages, key=lambda s: s.fast_bytes)
        raise Infeasible(f"{layout.program.name}: cut at {cut!r}, the plan needs {plan.fast_bytes} "
                         f"bytes of fast memory, {target.fast_bytes} are offered; {tallest.name} "
                         "sets it",
                         plan.fast_bytes, tallest.name)
    return plan


def _cut_positions(layout: Layout, cut: str) -> tuple[int, ...]:
    if cut == "ops":
        return layout.cuts
    if cut == "blocks":
        return block_cuts(layout)
    try:
        return named_cuts(layout, cut.split(","))
    except KeyError as error:
        raise BadInput(f"{layout.program.name}: --cut names {error}, which no operator makes"
                       ) from None


