# SPDX-License-Identifier: Apache-2.0
"""The frontier: from the smallest plan to everything in fast memory, ever fewer bytes."""

import pytest
from networks import random_network

from edgefm.lower import lower
from edgefm.planner import Layout, Target, analyze, make_plan, smallest_plan
from edgefm.planner.frontier import frontier


@pytest.fixture(params=range(4))
def layout(request: pytest.FixtureRequest) -> Layout:
    return analyze(lower(random_network(request.param)))


def test_more_memory_moves_fewer_bytes(layout: Layout) -> None:
    points = frontier(layout, Target())
    budgets, moved = [p.budget for p in points], [p.moved_bytes for p in points]
    assert budgets == sorted(set(budgets)) and moved == sorted(set(moved), reverse=True)
    assert all(p.plan.fast_bytes <= p.budget for p in points)


def test_it_begins_at_the_smallest_plan(layout: Layout) -> None:
    assert frontier(layout, Target())[0].budget == smallest_plan(layout, Target())[0].fast_bytes


def test_no_plan_moves_fewer_bytes_than_its_last_point(layout: Layout) -> None:
    last = frontier(layout, Target())[-1]
    assert last.map_bytes == 0
    assert last.moved_bytes == sum(len(op.weights) for op in layout.program.ops)


def test_a_point_is_the_plan_for_its_budget_or_one_of_less_memory(layout: Layout) -> None:
    points = frontier(layout, Target())
    for point in points[1:-1]:
        plan = make_plan(layout, Target(fast_bytes=point.budget))
        assert point.plan.to_json() == plan.to_json()


def test_a_target_that_says_its_memory_is_still_planned_for_every_size(layout: Layout) -> None:
    free, bound = (frontier(layout, Target(fast_bytes=size)) for size in (None, 1 << 10))
    assert [p.budget for p in free] == [p.budget for p in bound]


def test_it_says_how_far_it_is(layout: Layout) -> None:
    told: list[tuple[int, int]] = []
    frontier(layout, Target(), tick=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert {total for _, total in told} == {len(told)}
