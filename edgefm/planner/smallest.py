# SPDX-License-Identifier: Apache-2.0
"""Finds the smallest fast memory with a plan, and the operator that sets it.

The search never places a chain of stages whose estimate exceeds the budget. So it finds nothing
below the smallest estimate of any chain. Row-by-row chains are enough to find this estimate, which
takes little time. If their placement needs no more than the estimate, they are the smallest plan.
If it needs more, the search tries estimates between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from edgefm.errors import Infeasible
from edgefm.planner.model import PlacedOp, Plan
from edgefm.planner.search import EXTERNAL, Choice
from edgefm.planner.within import Case, Solution, best_within, everything_once, row_by_row

_FIRST = 256     # bytes, the first estimate
_GROWTH = 1.3    # from an estimate that is too small to the next
_CLOSE = 512     # the smallest estimate is known to one part in 512
_STEPS = 10      # estimates tried between the smallest one and the smallest placement
_LEAST_STEP = 1.004
_LOOSE = 1.5     # an estimate may be this many times its placement
_FEW_OPS = 40    # networks that are searched in little time
_FEW_TRIALS, _MANY_OPS_TRIALS = 40, 4  # how often a smaller plan is looked for
_MUCH_LESS = 0.992  # of a budget, the next one that is tried where the search takes long
_TRIALS = 8      # budgets that are tried each time in networks of few operators
_PARTS = (0.9, 0.8, 0.65, 0.5, 0.35)  # of a budget, for estimates where all near it stack badly


def smallest(case: Case) -> Solution:
    """The plan with the least fast memory that is found; it does not depend on the case's budget
    nor on its objective.

    The search finds none for one byte less, nor for some budgets in between that and the smallest
    estimate.
    """
    choice, _ = _smallest(case.for_any_objective())
    return choice, case.within(1).build(choice)


def _smallest(case: Case) -> Solution:
    tight = case.within(1)  # placement does its best to come near
    best = min(_placed(tight, [everything_once(case.layout), _all_stored(case)]), key=_fast_bytes)
    least = best[1].fast_bytes
    for place in dict.fromkeys((case.place, case.inner)):
        found = _least_estimate(case, place, int(_LOOSE * best[1].fast_bytes))
        if found is not None:
            least = min(least, found[0])
            best = _between(tight, place, found[1], best)
    return _searched(case, least, best)


def _between(tight: Case, place: str, estimate: float, best: Solution) -> Solution:
    """The smallest placement of estimates from the smallest one up to where none can be smaller."""
    step = 0.0
    while estimate < best[1].fast_bytes or not step:
        choices = [tight.search.best(int(estimate), place, slim=True)]
        if step:
            choices.append(tight.search.best(int(estimate), place))
        best = min([best, *_placed(tight, choices)], key=_fast_bytes)
        step = step or max(_LEAST_STEP, (best[1].fast_bytes / estimate) ** (1 / _STEPS))
        estimate *= step
    return best


def _searched(case: Case, below: int, best: Solution) -> Solution:
    """The smallest plan that the search finds for budgets above `below`: trying some all over them,
    or in networks where that takes long one that is a little smaller, until it has none."""
    few = len(case.layout.program.ops) <= _FEW_OPS
    for _ in range(_FEW_TRIALS if few else _MANY_OPS_TRIALS):
        top = best[1].fast_bytes
        found = (_spread_out(case, below, top - 1) if few
                 else best_within(case.within(max(below, int(_MUCH_LESS * top)))))
        if found is None:
            break
        best = found
    return best


def _spread_out(case: Case, below: int, top: int) -> Solution | None:
    budgets = range(top, below, -max((top - below) // _TRIALS, 1))
    return next(filter(None, (best_within(case.within(b)) for b in budgets)), None)


def roomier(case: Case, least: Solution) -> Solution:
    """A plan for a budget without a result of the search, although the smallest plan needs less:
    the first one that fits with an estimate well below the budget, else the smallest plan."""
    estimates = (int(part * case.budget) for part in _PARTS)
    choices = (case.search.best(e, case.place) for e in estimates if e >= least[1].fast_bytes)
    return next((found for found in _placed(case, choices)
                 if found[1].fast_bytes <= case.budget), least)


def slim_within(case: Case) -> Plan | None:
    """A row-by-row plan within the budget, which takes little time to find."""
    choices = (case.search.best(int(part * case.budget), case.place, slim=True)
               for part in (1, *_PARTS))
    return next((plan for _, plan in _placed(case, choices) if plan.fast_bytes <= case.budget),
                None)


def setting_operator(case: Case, least: Plan) -> str:
    """The operator that sets the smallest budget: the one that needs most on its own, or, if not
    every map may be stored, the one that needs most in the plan's largest stage."""
    for _, plan in _placed(case.within(1), [_all_stored(case)]):
        return max(plan.stages, key=lambda stage: stage.fast_bytes).name
    stage = max(least.stages, key=lambda stage: stage.fast_bytes)
    return max((op for op in least.ops if op.name in stage.operators),
               key=lambda op: _own_bytes(least, op)).name


def _own_bytes(plan: Plan, op: PlacedOp) -> int:
    buffers = {plan.streams[s].buffer for s in (*op.inputs, *op.outputs)} | (
        {op.buffer} if op.buffer >= 0 else set())
    return op.scratch_bytes + sum(plan.buffers[b].bytes for b in buffers)


def _least_estimate(case: Case, place: str, most: int) -> tuple[int, int] | None:
    """An estimate that no chain has, and one slightly above it that a chain has; None if no chain
    has an estimate of at most `most`."""
    below, enough = 0, min(_FIRST, most)
    while case.search.best(enough, place, slim=True) is None:
        if enough == most:
            return None
        below, enough = enough, min(int(enough * _GROWTH), most)
    while enough - below > max(8, enough // _CLOSE):
        middle = (below + enough) // 2
        if case.search.best(middle, place, slim=True) is None:
            below = middle
        else:
            enough = middle
    return below, enough


def _all_stored(case: Case) -> Choice | None:
    """Every operator as a stage, if there is external memory."""
    return row_by_row(case.layout, case.layout.cuts) if case.place == EXTERNAL else None


def _placed(case: Case, choices: Iterable[Choice | None]) -> Iterator[Solution]:
    """The choices that fit into the other memories."""
    for choice in choices:
        with suppress(Infeasible):
            if choice is not None:
                yield choice, case.build(choice)


def _fast_bytes(found: Solution) -> int:
    return found[1].fast_bytes
