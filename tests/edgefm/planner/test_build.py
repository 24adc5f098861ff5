# SPDX-License-Identifier: Apache-2.0
"""Built plans: every byte is where the next operator expects it, and every figure is exact."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Network, random_network
from replay import overlaps, replay

from edgefm.errors import Infeasible
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.network.program import OpKind
from edgefm.planner import Layout, Plan, Storage, Target, analyze, make_plan, smallest_plan
from edgefm.planner.arena import CURSOR_BYTES
from edgefm.planner.build import build_plan
from edgefm.planner.search import Choice
from edgefm.planner.stages import Stage

TARGETS = (Target(), Target(alignment=4, burst=16, buffers=2), Target(alignment=16, buffers=2),
           Target(burst=5), Target(alignment=4, burst=8))
TIGHT = Target(fast_bytes=1)  # placement tries its best only as long as the budget is exceeded


def by_hand(layout: Layout, *ends: int, fast: frozenset[int] = frozenset(), strips: int = 10_000,
            target: Target = TARGETS[0], storage: Storage | None = None) -> Plan:
    """A plan with stages that end at the given operators."""
    stages = tuple(Stage(a, b, strips) for a, b in zip((0, *ends), ends, strict=False))
    return build_plan(layout, Choice(stages, fast, (0.0, 0.0)), target, "cost", storage)


def chain(count: int = 3, rows: int = 10) -> Graph:
    net = Network()
    x = net.input(1, rows, 64, 8)
    for _ in range(count):
        x = net.conv(x, 8)
    return net.graph(x)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), target=st.sampled_from(TARGETS),
       share=st.sampled_from((0.0, 0.1, 0.4, 0.8, 1.0)),
       objective=st.sampled_from(("cost", "maps")))
def test_no_firing_finds_a_byte_that_another_has_overwritten(
        seed: int, target: Target, share: float, objective: str) -> None:
    """Budgets from the smallest that works to one that keeps everything in fast memory."""
    layout = analyze(lower(random_network(seed)))
    least, _ = smallest_plan(layout, target)
    most = make_plan(layout, target, objective)
    budget = least.fast_bytes + int(share * max(0, most.fast_bytes - least.fast_bytes))
    plan = make_plan(layout, replace(target, fast_bytes=budget), objective)
    assert plan.fast_bytes <= budget
    assert replay(layout, plan) <= plan.fast_bytes


def test_the_replay_notices_a_byte_that_was_overwritten() -> None:
    """The witness above is awake: move one buffer onto another and it objects."""
    layout = analyze(lower(chain()))
    plan = by_hand(layout, len(layout.program.ops))
    replay(layout, plan)
    first, second, *rest = plan.buffers
    moved = replace(plan, buffers=(first, replace(second, offset=first.offset), *rest))
    with pytest.raises(AssertionError, match="needs"):
        replay(layout, moved)


def test_a_fast_map_is_written_over_the_input_it_replaces() -> None:
    layout = analyze(lower(chain(1)))
    everything = frozenset(layout.group)
    plan = by_hand(layout, 1, 2, 3, fast=everything, target=TIGHT)
    replay(layout, plan)
    assert [b.bytes for b in plan.buffers] == [10 * 512] * 2
    assert overlaps(plan).max() >= 7 * 512  # all but the rows the window still needs


def test_strips_decide_how_far_a_result_may_follow_its_input() -> None:
    layout = analyze(lower(chain(1)))
    everything = frozenset(layout.group)
    sizes = [by_hand(layout, 1, 2, 3, fast=everything, strips=strips, target=TIGHT).fast_bytes
             for strips in (10_000, 2, 1)]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3


def test_maps_outside_have_a_store_and_a_load_per_reading_stage() -> None:
    net = Network()
    a = net.conv(net.input(1, 10, 64, 8), 8)
    layout = analyze(lower(net.graph(net.add(net.conv(net.conv(a, 8), 8), a))))
    plan = by_hand(layout, 2, 3, 6)
    moves = [(op.kind, plan.maps[op.map].name) for op in plan.ops
             if op.kind in (OpKind.LOAD, OpKind.STORE)]
    assert moves == [(OpKind.STORE, "t3"), (OpKind.LOAD, "t3"), (OpKind.STORE, "t6"),
                     (OpKind.LOAD, "t6"), (OpKind.LOAD, "t3")]
    assert [m.name for m in plan.maps] == ["t3", "t6"]
    assert plan.external_write_bytes == 2 * 10 * 512
    assert plan.external_read_bytes == 3 * 10 * 512


def test_maps_that_are_never_outside_together_share_addresses() -> None:
    layout = analyze(lower(chain(4)))
    plan = by_hand(layout, 2, 3, 4, 6)
    first, second, third = (m.address for m in plan.maps)
    assert first == third != second
    assert plan.external_bytes == 2 * 5120


@pytest.mark.parametrize("target", TARGETS)
def test_external_maps_lie_apart_and_aligned(target: Target) -> None:
    for seed in range(3):
        layout = analyze(lower(random_network(seed)))
        plan, _ = smallest_plan(layout, target)
        replay(layout, plan)
        assert plan.external_bytes >= max((m.address + m.bytes for m in plan.maps), default=0)
        for m in plan.maps:
            assert m.address % target.alignment == m.slot_bytes % target.alignment == 0
            assert m.row_bytes <= m.slot_bytes < m.row_bytes + target.alignment
        for a, b in combinations(range(len(plan.maps)), 2):
            if _meet_outside(plan, a, b):
                first, second = plan.maps[a], plan.maps[b]
                assert (first.address + first.bytes <= second.address
                        or second.address + second.bytes <= first.address)


def _meet_outside(plan: Plan, a: int, b: int) -> bool:
    """The maps are both between their first write and their last read at some firing."""
    spans = []
    for m in (a, b):
        ops = {i for i, op in enumerate(plan.ops) if op.map == m}
        fired = [n for n, (op, _) in enumerate(plan.firings) if op in ops]
        spans.append((fired[0], fired[-1]))
    return spans[0][0] <= spans[1][1] and spans[1][0] <= spans[0][1]


def test_too_little_external_memory_says_what_is_needed() -> None:
    layout = analyze(lower(chain()))
    with pytest.raises(Infeasible, match="needs 5120 bytes of external memory, got 5119"):
        by_hand(layout, 2, 5, target=Target(external_bytes=5119))
    assert by_hand(layout, 2, 5, target=Target(external_bytes=5120)).external_bytes == 5120


def test_coded_maps_get_a_directory_code_buffers_and_state() -> None:
    layout = analyze(lower(chain(1)))
    storage = Storage(codec_of=lambda stream: "context", state_bytes=lambda codec, stream: 100)
    plan = by_hand(layout, 2, 3, target=Target(alignment=4, buffers=2), storage=storage)
    raw = by_hand(layout, 2, 3, target=Target(alignment=4, buffers=2))
    (coded,) = plan.maps
    assert coded.codec == "context"
    assert coded.directory >= raw.control_bytes
    assert plan.control_bytes == raw.control_bytes + 24  # 10 lengths of 2 bytes, in eights
    cursors = [op for op in plan.ops if op.map >= 0]
    assert {op.scratch_bytes for op in cursors} == {CURSOR_BYTES + 2 * 512 + 104}
    replay(layout, plan)


def test_figures_add_up() -> None:
    net = Network()
    a = net.conv(net.input(1, 10, 30, 3), 4)
    graph = net.graph(net.mean(net.conv(a, 5)), a)
    layout = analyze(lower(graph))
    plan = by_hand(layout, 3, len(layout.program.ops), target=Target(alignment=16))
    assert plan.input_read_bytes == 10 * 90
    assert plan.output_write_bytes == 10 * 120 + 5
    assert plan.io_bytes == 90 + 120
    assert plan.external_write_bytes == plan.external_read_bytes == 10 * 128
    sections = {op.name: len(op.weights) for op in layout.program.ops}
    fired = [plan.ops[i].name for i, _ in plan.firings]
    assert plan.weight_read_bytes == sum(sections.get(name, 0) for name in fired)
    assert plan.macs == 10 * 30 * (4 * 27 + 5 * 36)
    assert max(s.fast_bytes for s in plan.stages) == plan.fast_bytes
    assert sum(s.firings for s in plan.stages) == len(plan.firings)


def test_the_description_has_every_figure_stage_and_buffer() -> None:
    layout = analyze(lower(chain()))
    plan = by_hand(layout, 2, 5)
    told = plan.to_json()
    assert told["fast_bytes"] == plan.fast_bytes
    assert told["external_read_bytes"] == 5120
    stages = told["stages"]
    assert isinstance(stages, list)
    assert [s["operators"] for s in stages] == [["t0", "conv2d_0"], ["conv2d_1", "conv2d_2", "t9"]]
    assert all(s["buffers"] for s in stages)
