# SPDX-License-Identifier: Apache-2.0
"""Gives a row-by-row plan taller strips if its memory has room for them.

Each firing reads an operator's weights, so an operator with fewer firings reads fewer bytes of
them. Cuts and places of maps do not change; single stages get the fewest strips for which the arena
fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgefm.planner.layout import Layout
from edgefm.planner.search import STRIPS
from edgefm.planner.stages import Stage
from edgefm.planner.within import Case, Solution

_MOST_TRIALS = 24  # placements in all


def widened(case: Case, found: Solution) -> Solution:
    """The plan, which fits the budget, with its stages in as few strips as still fit; the stages
    that read the most bytes of weights come first."""
    trials = _MOST_TRIALS
    reads = [stage.weight_read_bytes for stage in found[1].stages]
    for i in sorted(range(len(reads)), key=lambda i: -reads[i]):
        for stage in _wider(case.layout, found[0].stages[i]):
            trial = _with_stage(case, found, i, stage) if trials else None
            if trial is None:
                break
            found, trials = trial, trials - 1
    return found


def _with_stage(case: Case, found: Solution, at: int, stage: Stage) -> Solution | None:
    """The plan with other strips in one stage, if that fits."""
    if case.search.cost(stage).inner_bytes() > case.budget:
        return None
    stages = found[0].stages
    choice = replace(found[0], stages=(*stages[:at], stage, *stages[at + 1:]))
    plan = case.build(choice)
    return (choice, plan) if plan.fast_bytes <= case.budget else None


def _wider(layout: Layout, stage: Stage) -> Iterator[Stage]:
    """The same operators in fewer and fewer strips."""
    rows = [r for r in layout.rows[stage.first:stage.last] if r > 1]
    shortest = min(rows, default=1)
    yield from (replace(stage, strips=strips) for strips in STRIPS
                if strips < stage.strips and strips <= shortest)
