# SPDX-License-Identifier: Apache-2.0
"""The planner: Program -> Plan. Pure functions of shapes, no files, no arithmetic on data.

`layout` collects facts, `slices` finds chains that may run a slice of channels at a time, `firing`
simulates one stage, `stages` prices it, `search` chooses where to
cut, `build` makes the schedule, and `place` fills the arena. `within` finds the best plan for a
budget, `smallest` finds the smallest budget, and `widen` uses memory that remains. `target` has the
sizes and costs of memories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgefm.console.names import MOST_IN_A_SENTENCE, short
from edgefm.errors import BadInput, Infeasible
from edgefm.planner.build import build_plan
from edgefm.planner.instructions import predicted
from edgefm.planner.layout import Layout, analyze
from edgefm.planner.model import Plan
from edgefm.planner.objective import OBJECTIVES, paying, prices_of
from edgefm.planner.search import block_cuts, named_cuts
from edgefm.planner.smallest import roomier, setting_operator, slim_within, smallest
from edgefm.planner.storage import Storage
from edgefm.planner.target import Target, is_built_in, load_target
from edgefm.planner.widen import widened
from edgefm.planner.within import (
    Case,
    Solution,
    best_within,
    case_for,
    everything_once,
    row_by_row,
)

__all__ = ["OBJECTIVES", "Layout", "Plan", "Storage", "Target", "analyze", "find_plan",
           "is_built_in", "load_target", "make_plan", "plan_storing", "slim_plan", "smallest_plan"]


def make_plan(layout: Layout, target: Target, objective: str = "cost", cut: str = "auto",
              storage: Storage | None = None) -> Plan:
    """The best plan found for the target's fast memory.

    `cut` is auto, ops (every operator its own stage), blocks, or tensor names with commas; all but
    auto store every map at the cuts. Raises Infeasible with the smallest budget that works and the
    operator that sets it, BadInput for an unknown objective or cut.
    """
    prices = prices_of(objective, target)
    if storage is not None:
        storage = paying(layout, storage, prices)
    if cut != "auto":
        return _fixed_plan(layout, target, objective, cut, storage)
    case = case_for(layout, target, objective, storage)
    plan = _found_plan(case)
    if plan is not None:
        return plan
    apart = case.codes and not case.storage.pooled  # maps as they are take the least
    as_it_is = case.storing(case.storage.only(frozenset())) if apart else case
    found = smallest(as_it_is)
    least = found[1]
    if least.fast_bytes > case.budget:
        operator = setting_operator(as_it_is, least)
        raise Infeasible(f"{layout.program.name}: {target.fast_bytes} bytes of fast and "
                         f"{target.external_bytes} of external memory are too few; the smallest "
                         f"feasible budget is {least.fast_bytes} bytes, set by "
                         f"{short(operator, MOST_IN_A_SENTENCE)}",
                         least.fast_bytes, operator)
    found = roomier(as_it_is, found)
    if apart:
        coded = _codes_that_fit(case, found)
        case, found = coded, (found[0], coded.build(found[0]))
    return widened(case, found)[1]


def find_plan(layout: Layout, target: Target, objective: str = "cost",
              storage: Storage | None = None) -> Plan | None:
    """The result of `make_plan`, or None where it would continue with the smallest plan."""
    return _found_plan(case_for(layout, target, objective, storage))


def slim_plan(layout: Layout, target: Target, storage: Storage | None = None) -> Plan | None:
    """A plan that moves few bytes of maps but reads weights for every row, if found quickly."""
    return slim_within(case_for(layout, target, "maps", storage))


def smallest_plan(layout: Layout, target: Target, objective: str = "cost",
                  storage: Storage | None = None) -> tuple[Plan, str]:
    """The plan with the least fast memory, and the operator that sets it.

    It is the smallest that the search finds; one byte less is infeasible.
    """
    case = case_for(layout, target, objective, storage)
    _, least = smallest(case)
    return least, setting_operator(case, least)


def plan_storing(layout: Layout, target: Target, storage: Storage, streams: Sequence[int]) -> Plan:
    """A plan without limits on fast memory that puts these streams into the page pool. It computes
    the same as any plan that stores the same streams."""
    stored = {layout.group[s] for s in streams}
    choice = replace(everything_once(layout), fast=frozenset(layout.group) - stored, pooled=True)
    return build_plan(layout, choice, target.with_budget(1 << 30, 0), "cost", storage)


def _found_plan(case: Case) -> Plan | None:
    """The best of the plans that the search finds."""
    found = [best_within(case)]
    if case.search.slices:  # the search keeps few states, which slices may have crowded out
        found.append(best_within(case.without_slices()))
    if case.codes and not case.storage.pooled:
        found.append(_coded_where_it_fits(case, found[0]))
    plans = [plan for _, plan in filter(None, found)]
    return min(plans, default=None, key=lambda plan: _expected(plan, case))


def _coded_where_it_fits(case: Case, coded: Solution | None) -> Solution | None:
    """The best plan for maps that are stored as they are, which then codes the maps whose codes and
    codec states still fit. A codec's state may cost a plan more than it saves. None if `coded`, the
    best plan for coded maps, codes none."""
    if coded is not None and all(m.codec == "raw" for m in coded[1].maps):
        return None
    found = best_within(case.storing(case.storage.only(frozenset())))
    return found and (found[0], _codes_that_fit(case, found).build(found[0]))


def _codes_that_fit(case: Case, raw: Solution) -> Case:
    """The case with as many of the plan's maps coded as fit, the busiest first."""
    choice, plan = raw
    fits = case.storing(case.storage.only(frozenset()))
    chosen: frozenset[int] = frozenset()
    for stream in sorted((m.stream for m in plan.maps), key=lambda s: -plan.moved_bytes(s)):
        trial = case.storing(case.storage.only(chosen | {stream}))
        if trial.build(choice).fast_bytes <= case.budget:
            chosen, fits = chosen | {stream}, trial
    return fits


def _expected(plan: Plan, case: Case) -> tuple[float, float]:
    """The expected cost of a plan, priced as in the search, but coded maps count only a share."""
    prices, moved = case.search.prices, plan.expected_map_bytes(case.storage.share)
    if prices.maps_first:
        return moved, plan.weight_read_bytes
    paid = moved * prices.maps + plan.weight_read_bytes * prices.weights
    if prices.figures is not None:
        paid += prices.instruction * sum(predicted(case.layout.program, plan, prices.figures))
    return paid, moved


def _fixed_plan(layout: Layout, target: Target, objective: str, cut: str,
                storage: Storage | None) -> Plan:
    ends = [0, *_cut_positions(layout, cut), len(layout.program.ops)]
    pool = storage is not None and storage.pooled and target.external_bytes == 0
    choice = replace(row_by_row(layout, sorted(set(ends))), pooled=pool)
    plan = build_plan(layout, choice, target, objective, storage)
    if target.fast_bytes is not None and plan.fast_bytes > target.fast_bytes:
        tallest = max(plan.stages, key=lambda s: s.fast_bytes)
        raise Infeasible(f"{layout.program.name}: cut at {cut!r}, the plan needs {plan.fast_bytes} "
                         f"bytes of fast memory, got {target.fast_bytes}; set by the "
                         f"stage up to {short(tallest.operators[-1], MOST_IN_A_SENTENCE)}",
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


