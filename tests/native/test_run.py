# SPDX-License-Identifier: Apache-2.0
"""The executor: schedules that cannot be right are refused, callbacks that fail are reported."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import board
import numpy as np
import pytest
from networks import Network, random_network
from packages import DESCRIPTION, Built, build

from edgefm.evaluate.diff import random_inputs
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.network.program import OpKind
from edgefm.ops import run_graph
from edgefm.package.write import write_package
from edgefm.planner import Plan, Target, analyze
from edgefm.planner.build import build_plan
from edgefm.planner.search import Choice
from edgefm.planner.stages import Stage

Firings = tuple[tuple[int, int], ...]


@pytest.fixture(scope="module")
def native(native_lib: Callable[..., ModuleType]) -> ModuleType:
    return board.library(native_lib)


def network() -> Graph:
    """Windows, a residual and a mean; rows are wide enough to be fired one at a time."""
    net = Network(2)
    x = net.conv(net.input(1, 6, 40, 7), 7)
    return net.graph(net.mean(net.add(net.depthwise(x), x)))


@pytest.fixture(scope="module")
def rings() -> Built:
    """One stage: every map is a ring."""
    graph = network()
    layout = analyze(lower(graph))
    stage = Stage(0, len(layout.program.ops), 1000)
    plan = build_plan(layout, Choice((stage,), frozenset(), (0.0, 0.0)), Target(), "cost")
    return Built(write_package(graph, layout.program, plan, {}, DESCRIPTION), graph, layout, plan)


def with_plan(built: Built, plan: Plan) -> bytes:
    return write_package(built.graph, built.layout.program, plan, {}, DESCRIPTION)


def with_firings(built: Built, firings: Firings) -> bytes:
    """The same network with another schedule, all of it in the last stage."""
    (*_, last) = built.plan.stages
    first = len(built.plan.firings) - last.firings
    stages = (*built.plan.stages[:-1], replace(last, firings=len(firings) - first))
    return with_plan(built, replace(built.plan, firings=firings, stages=stages))


# -- schedules -------------------------------------------------------------------------------------


def test_the_planned_schedule_runs(native: ModuleType, rings: Built) -> None:
    inputs = random_inputs(rings.graph, 0)
    run = board.run(native, with_firings(rings, rings.plan.firings), inputs)
    assert run.status == board.EFM_OK
    expected = run_graph(rings.graph, inputs)[rings.graph.outputs[0]]
    np.testing.assert_array_equal(run.outputs[0], expected)


def test_any_firing_left_out_is_refused(native: ModuleType, rings: Built) -> None:
    inputs, firings = random_inputs(rings.graph, 0), rings.plan.firings
    for n in range(len(firings)):
        run = board.run(native, with_firings(rings, firings[:n] + firings[n + 1:]), inputs)
        assert run.status == board.BAD_SCHEDULE


def test_any_firing_done_twice_is_refused(native: ModuleType, rings: Built) -> None:
    """An operator then fires before its rows are there, or more rows than it has."""
    inputs, firings = random_inputs(rings.graph, 0), rings.plan.firings
    for n in range(len(firings)):
        run = board.run(native, with_firings(rings, firings[:n] + firings[n:n + 1] + firings[n:]),
                        inputs)
        assert run.status == board.BAD_SCHEDULE


def test_any_two_neighbors_exchanged_are_refused_or_run_safely(native: ModuleType,
                                                                rings: Built) -> None:
    inputs, firings = random_inputs(rings.graph, 0), rings.plan.firings
    refused = 0
    for n in range(len(firings) - 1):
        other = (*firings[:n], firings[n + 1], firings[n], *firings[n + 2:])
        run = board.run(native, with_firings(rings, other), inputs)
        assert run.status in (board.BAD_SCHEDULE, board.EFM_OK)
        refused += run.status == board.BAD_SCHEDULE
    assert refused > len(firings) // 2


def test_more_rows_than_an_operator_has_are_refused(native: ModuleType, rings: Built) -> None:
    inputs, firings = random_inputs(rings.graph, 0), rings.plan.firings
    op, rows = firings[-1]
    for more in (1, 0xffff - rows):
        run = board.run(native, with_firings(rings, (*firings[:-1], (op, rows + more))), inputs)
        assert run.status == board.BAD_SCHEDULE


def test_a_ring_one_row_too_low_is_refused(native: ModuleType, rings: Built) -> None:
    """Heights are exact: not one ring of the plan can do with less."""
    inputs = random_inputs(rings.graph, 0)
    lowered = 0
    for k, buffer in enumerate(rings.plan.buffers):
        if buffer.slots == 1:
            continue
        buffers = list(rings.plan.buffers)
        buffers[k] = replace(buffer, slots=buffer.slots - 1)
        lower = with_plan(rings, replace(rings.plan, buffers=tuple(buffers)))
        run = board.run(native, lower, inputs)
        assert run.status == board.BAD_SCHEDULE, buffer.name
        lowered += 1
    assert lowered >= 2


def test_a_map_is_not_loaded_before_it_is_stored(native: ModuleType) -> None:
    built = build(network(), cut="ops")
    plan = built.plan
    load = next(i for i, op in enumerate(plan.ops) if op.kind == OpKind.LOAD)
    early = next(n for n, (op, _) in enumerate(plan.firings) if op == load)
    firings = list(plan.firings)
    firings.insert(early - 1, firings.pop(early))
    stages = (replace(plan.stages[0], firings=len(firings)),)
    run = board.run(native, with_plan(built, replace(plan, firings=tuple(firings), stages=stages)),
                    random_inputs(built.graph, 0))
    assert run.status == board.BAD_SCHEDULE


def test_no_schedule_at_all_is_refused(native: ModuleType, rings: Built) -> None:
    run = board.run(native, with_firings(rings, ()), random_inputs(rings.graph, 0))
    assert run.status == board.BAD_SCHEDULE
    assert run.output_rows == 0


# -- callbacks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_rows_are_pulled_and_pushed_in_order_and_stages_announced(native: ModuleType,
                                                                  seed: int) -> None:
    built = build(random_network(seed), cut="ops")
    run = board.run(native, built.package, random_inputs(built.graph, seed))
    assert run.status == board.EFM_OK
    assert run.out_of_order == 0
    assert run.stages == len(built.plan.stages) + 1  # the last event says that all is done
    rows = {kind: sum(op.rows for op in built.plan.ops if op.kind == kind)
            for kind in (OpKind.INPUT, OpKind.OUTPUT)}
    assert (run.input_rows, run.output_rows) == (rows[OpKind.INPUT], rows[OpKind.OUTPUT])


@pytest.mark.parametrize("cut", ["auto", "ops"])
@pytest.mark.parametrize(("knob", "count"), [("fail_input", "input_rows"),
                                             ("fail_output", "output_rows")])
def test_a_callback_that_fails_at_any_row_ends_the_run(native: ModuleType, knob: str, count: str,
                                                       cut: str) -> None:
    net = Network(2)
    graph = net.graph(net.conv(net.input(1, 6, 9, 3), 4))
    built = build(graph, Target(buffers=2), cut=cut)
    inputs = random_inputs(graph, 0)
    rows = getattr(board.run(native, built.package, inputs), count)
    assert rows == 6
    for n in range(rows):
        run = board.run(native, built.package, inputs, late=1, **{knob: n})
        assert run.status == board.HOST_FAILED
        assert getattr(run, count) == n + 1  # it is not asked again
        assert run.pending == 0


@pytest.mark.parametrize("knobs", [{"lacks": 1}, {"lacks": 2}, {"lacks": 6}, {"short_of": 1},
                                   {"shifted": 4}, {"shifted": 1}])
def test_what_the_caller_must_lend_is_checked(native: ModuleType, rings: Built,
                                              knobs: dict[str, int]) -> None:
    run = board.run(native, rings.package, random_inputs(rings.graph, 0), **knobs)
    assert run.status == board.BAD_ARGUMENT
    assert run.input_rows == run.output_rows == run.stages == 0


def test_an_output_that_others_read_is_pushed_as_uint8_and_stays_int8(native: ModuleType) -> None:
    net = Network(6, "uint8")
    x = net.conv(net.input(1, 6, 9, 3), 4)
    graph = net.graph(x, net.conv(x, 3))
    built = build(graph)
    inputs = random_inputs(graph, 0)
    run = board.run(native, built.package, inputs)
    expected = run_graph(graph, inputs)
    for t, output in zip(graph.outputs, run.outputs, strict=True):
        assert output.dtype == np.uint8
        np.testing.assert_array_equal(output, expected[t])


def test_a_part_of_a_concat_is_gathered_before_it_is_pushed(native: ModuleType) -> None:
    net = Network(6)
    x = net.input(1, 6, 9, 3)
    first = net.conv(x, 4)
    second = net.conv(x, 3, result=net.tensors[first].quant)
    graph = net.graph(second, net.conv(net.concat(first, second), 2))
    built = build(graph)
    inputs = random_inputs(graph, 0)
    run = board.run(native, built.package, inputs)
    expected = run_graph(graph, inputs)
    for t, output in zip(graph.outputs, run.outputs, strict=True):
        np.testing.assert_array_equal(output, expected[t])
