# SPDX-License-Identifier: Apache-2.0
"""Bounds of stages are at most what the simulation finds, for any network, stage and strips."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from edgefm.lower import lower
from edgefm.planner import Target, analyze
from edgefm.planner.bounds import Bounds
from edgefm.planner.search import STRIPS
from edgefm.planner.stages import Stage, evaluate
from tests.support.networks import Network, random_network


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), ends=st.lists(st.integers(0, 30), min_size=2, max_size=2),
       strips=st.sampled_from((*STRIPS, 10_000)), alignment=st.sampled_from((1, 4)))
def test_a_bound_is_never_more_than_the_simulation_finds(
        seed: int, ends: list[int], strips: int, alignment: int) -> None:
    layout = analyze(lower(random_network(seed)))
    first, last = sorted(layout.cuts[n % len(layout.cuts)] for n in ends)
    if first == last:
        first, last = next(pairwise(layout.cuts))
    tallest = max(layout.rows[first:last])
    stage = Stage(first, last, min(strips, tallest))
    target = Target(alignment=alignment)
    bound, cost = Bounds(layout, target).of(stage), evaluate(layout, stage, target)
    assert bound.inner <= cost.inner_bytes()
    assert bound.weights <= cost.weight_bytes


def test_bounds_of_a_chain_of_windows_are_what_it_takes() -> None:
    net = Network(1)
    x = net.conv(net.input(1, 40, 40, 8), 8)
    layout = analyze(lower(net.graph(net.conv(net.conv(x, 8), 8, 1))))
    stage = Stage(1, 4, 40)
    bound, cost = Bounds(layout, Target()).of(stage), evaluate(layout, stage, Target())
    assert bound.inner == cost.inner_bytes()
    assert bound.weights == cost.weight_bytes
