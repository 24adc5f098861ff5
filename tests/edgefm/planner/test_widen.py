# SPDX-License-Identifier: Apache-2.0
"""Strips get taller where the budget has room, and the plan stays what it was otherwise."""

import pytest
from networks import random_network

from edgefm.lower import lower
from edgefm.planner import Target, analyze
from edgefm.planner.smallest import smallest
from edgefm.planner.widen import widened
from edgefm.planner.within import Case, Solution, case_for


def smallest_with(seed: int, spare: int) -> tuple[Case, Solution]:
    """The smallest plan of a network, and the case with `spare` bytes more."""
    layout = analyze(lower(random_network(seed)))
    case = case_for(layout, Target(external_bytes=0), "cost", None)
    found = smallest(case)
    return case.within(found[1].fast_bytes + spare), found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spare", [0, 200, 1 << 20])
def test_weights_are_read_no_more_often_within_the_budget(seed: int, spare: int) -> None:
    case, found = smallest_with(seed, spare)
    choice, plan = widened(case, found)
    assert plan.fast_bytes <= case.budget
    assert plan.weight_read_bytes <= found[1].weight_read_bytes
    assert choice.fast == found[0].fast and plan.maps == found[1].maps
    assert [(s.first, s.last) for s in choice.stages] == [
        (s.first, s.last) for s in found[0].stages]


def test_with_room_for_all_every_weight_is_read_once_where_strips_allow_it() -> None:
    read = []
    for seed in range(5):
        case, found = smallest_with(seed, 1 << 20)
        once = sum(len(op.weights) for op in case.layout.program.ops)
        read.append((widened(case, found)[1].weight_read_bytes, found[1].weight_read_bytes, once))
    assert any(wide < narrow for wide, narrow, _ in read)
    assert all(wide == once for wide, _, once in read)
