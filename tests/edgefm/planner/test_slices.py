# SPDX-License-Identifier: Apache-2.0
"""Chains that run a slice of channels at a time give the bits of their operators one by one, and
read what the plan says."""

from dataclasses import replace

import numpy as np
import pytest
from networks import Network
from replay import replay

from edgefm.errors import RuntimeFault
from edgefm.evaluate.diff import random_inputs
from edgefm.kernels.sets import suited
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.network.program import OpKind
from edgefm.ops import run_graph
from edgefm.package.write import Description, write_package
from edgefm.planner import Layout, Plan, Target, analyze, make_plan
from edgefm.planner.build import build_plan
from edgefm.planner.slices import find_chains
from edgefm.runtime import Runtime
from tests.support.slices import in_slices

COUNTED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
           "output_write_bytes")
PACKINGS = ("portable", "halves", "pairs", "rows")


def block(seed: int, dtype: str = "int8") -> Graph:
    """An inverted residual between two convolutions, and a head; sizes that nothing divides."""
    random = np.random.default_rng(seed)
    net = Network(seed, dtype)
    x = net.conv(net.input(1, 13, 9, 3), int(random.integers(2, 13)), stride=1)
    y = net.conv(x, int(random.integers(3, 70)), kernel=1)
    y = net.depthwise(y, kernel=int(random.choice((3, 5))), stride=int(random.integers(1, 3)),
                      dilation=1)
    y = net.conv(y, int(random.integers(1, 23)), kernel=1)
    y = net.mean(net.conv(y, int(random.integers(3, 60)), kernel=1))
    return net.graph(net.dense(net.flat(y), 5))


def layout_of(graph: Graph, packing: str = "portable") -> Layout:
    kernels = "portable" if packing == "portable" else "dsp"
    return analyze(suited(lower(graph), kernels, None if packing == "portable" else packing))


def by_hand(layout: Layout, strips: int, most: int, target: Target | None = None) -> Plan:
    return build_plan(layout, in_slices(layout, strips, most), target or Target(), "cost")


def agrees(graph: Graph, layout: Layout, plan: Plan, as_it_is: bool = True) -> None:
    """One run gives what the operators mean, and counts what the plan says; of weights that this
    machine first makes rows of there are fewer."""
    package = write_package(graph, layout.program, plan, {}, Description(""))
    inputs = random_inputs(graph, 1)
    with Runtime(package) as runtime:
        result = runtime.run(inputs)
    expected = run_graph(graph, inputs)
    for t, got in zip(graph.outputs, result.outputs, strict=True):
        np.testing.assert_array_equal(got, expected[t])
    counted = [name for name in COUNTED if as_it_is or name != "weight_read_bytes"]
    assert {name: getattr(result.counters, name) for name in counted} == {
        name: getattr(plan, name) for name in counted}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("most", [2, 3])
@pytest.mark.parametrize("strips", [100, 3, 1])
@pytest.mark.parametrize("seed", range(3))
def test_slices_give_the_bits_of_the_operators(seed: int, strips: int, most: int,
                                               packing: str) -> None:
    graph = block(seed, "uint8" if seed == 0 else "int8")
    layout = layout_of(graph, packing)
    kernels = "portable" if packing == "portable" else "dsp"
    plan = by_hand(layout, strips, most, Target(kernels=kernels))
    assert [op.sliced.operators for op in plan.ops if op.sliced] == [most, 2]
    assert replay(layout, plan) <= plan.fast_bytes
    agrees(graph, layout, plan, packing not in ("halves", "pairs"))


@pytest.mark.parametrize("slices", [(4,) * 9 + (1,), (16, 21), (36, 1), (37,)])
def test_slices_may_be_of_any_size(slices: tuple[int, ...]) -> None:
    net = Network(4)
    x = net.conv(net.input(1, 6, 5, 3), 37, kernel=1)
    graph = net.graph(net.conv(net.depthwise(x), 7, kernel=1))
    layout = layout_of(graph)
    plan = by_hand(layout, 2, 3, Target(fast_bytes=1 << 20))
    ops = [replace(op, sliced=replace(op.sliced, slices=slices), scratch_bytes=8000)
           if op.sliced else op for op in plan.ops]
    cut = replace(plan, ops=tuple(ops), fast_bytes=1 << 20)
    package = write_package(graph, layout.program, cut, {}, Description(""))
    inputs = random_inputs(graph, 1)
    with Runtime(package) as runtime:
        got = runtime.run(inputs).outputs
    np.testing.assert_array_equal(got[0], run_graph(graph, inputs)[graph.outputs[0]])


def test_what_a_firing_makes_again_counts_as_work() -> None:
    """Three firings of 3 rows take 4, 5 and 4 rows of the map before: 13 instead of 9."""
    net = Network(4)
    x = net.conv(net.input(1, 9, 9, 4), 20, kernel=1)
    layout = layout_of(net.graph(net.conv(net.depthwise(x), 4, kernel=1)))
    whole, parts = (by_hand(layout, strips, 3) for strips in (1, 3))
    assert whole.macs == sum(op.macs for op in layout.program.ops)
    assert parts.macs - whole.macs == 4 * 9 * 4 * 20
    assert parts.weight_read_bytes == 3 * whole.weight_read_bytes


def test_a_firing_reads_each_weight_once() -> None:
    net = Network(4)
    x = net.conv(net.input(1, 9, 9, 4), 200, kernel=1)
    layout = layout_of(net.graph(net.conv(net.depthwise(x), 4, kernel=1)))
    plan = by_hand(layout, 1, 3)
    (placed,) = [op for op in plan.ops if op.sliced]
    weights = sum(len(op.weights) for op in layout.program.ops)
    assert plan.weight_read_bytes == weights + 16 * (len(placed.sliced.slices) - 1)


def test_the_planner_takes_slices_where_they_move_fewer_bytes() -> None:
    net = Network(4)
    x = net.conv(net.input(1, 12, 12, 8), 24, stride=1)
    for _ in range(2):
        y = net.depthwise(net.conv(x, 144, kernel=1))
        x = net.add(x, net.conv(y, 24, kernel=1))
    graph = net.graph(x)
    layout = layout_of(graph)
    plan = make_plan(layout, Target(fast_bytes=24_000), "bytes")
    assert any(op.sliced for op in plan.ops)
    assert replay(layout, plan) <= plan.fast_bytes <= 24_000
    agrees(graph, layout, plan)
    unsliced = make_plan(layout, Target(fast_bytes=24_000))
    moved, before = (p.weight_read_bytes + p.external_read_bytes + p.external_write_bytes
                     for p in (plan, unsliced))
    assert moved < 0.8 * before
    assert not any(op.sliced for op in unsliced.ops)


@pytest.mark.parametrize("fast", [2500, 3000, 4000, 6000, 9000])
def test_slices_never_make_a_plan_move_more(fast: int) -> None:
    layout = layout_of(block(3))
    target = Target(fast_bytes=fast)

    def moved(objective: str) -> int:
        plan = make_plan(layout, target, objective)
        return plan.external_read_bytes + plan.external_write_bytes + plan.weight_read_bytes

    assert moved("bytes") <= moved("cost")


def test_chains_are_what_may_run_in_slices() -> None:
    """Not where a map between has another reader, a window leaves the map, or channels multiply."""
    net = Network(4)
    x = net.input(1, 8, 8, 4)
    read_twice = net.conv(x, 12, kernel=1)
    a = net.depthwise(read_twice)
    b = net.conv(read_twice, 12, kernel=1)
    wide = net.conv(net.depthwise(net.conv(net.add(a, b), 8, kernel=3)), 6, kernel=1)
    many = net.depthwise(net.conv(wide, 8, kernel=1), multiplier=2)
    kinds = [op.kind for op in lower(net.graph(many)).ops]
    assert kinds.count(OpKind.DEPTHWISE) == 3
    assert find_chains(lower(net.graph(many))) == {}


def test_more_rows_than_there_are_sums_for_are_refused() -> None:
    net = Network(4)
    x = net.conv(net.input(1, 6, 6, 4), 8, kernel=1)
    graph = net.graph(net.conv(net.depthwise(x), 4, kernel=1))
    layout = layout_of(graph)
    plan = by_hand(layout, 1, 3)
    ops = [replace(op, sliced=replace(op.sliced, strip=5)) if op.sliced else op for op in plan.ops]
    package = write_package(graph, layout.program, replace(plan, ops=tuple(ops)), {},
                            Description(""))
    with Runtime(package) as runtime, pytest.raises(RuntimeFault, match="BAD_SCHEDULE"):
        runtime.run(random_inputs(graph, 0))
