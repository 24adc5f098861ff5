# SPDX-License-Identifier: Apache-2.0
"""Firing order and ring heights of one stage that holds a whole network."""

from collections import Counter

import pytest
from networks import Network, random_network

from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.planner import Layout, Target, analyze
from edgefm.planner.firing import Task, Trace, simulate
from edgefm.planner.stages import Stage, run_stage, stage_tasks

ROW_BY_ROW = 10_000  # strips; more than any map here has rows
WIDE = (64, 8)  # pixels and channels of rows that are worth a firing each


def as_one_stage(graph: Graph, strips: int = ROW_BY_ROW) -> tuple[Layout, Trace]:
    layout = analyze(lower(graph))
    stage = Stage(0, len(layout.program.ops), strips)
    tasks = stage_tasks(layout, stage, (), (), Target())
    return layout, run_stage(layout, tasks, (), (), ())


def rings(graph: Graph, strips: int = ROW_BY_ROW) -> dict[str, int]:
    """Ring height by the name of the stream that gives a storage group its bytes."""
    layout, trace = as_one_stage(graph, strips)
    return {layout.program.streams[g].name: rows for g, rows in trace.heights.items()}


def identity(rows: int) -> tuple[range]:
    return (range(rows),)


# -- ring heights ----------------------------------------------------------------------------------


def test_a_chain_of_3x3_windows_keeps_three_rows_each() -> None:
    net = Network()
    x = net.input(1, 12, *WIDE)
    a = net.conv(x, 8)
    b = net.depthwise(a)
    c = net.conv(b, 8)
    assert rings(net.graph(c)) == {"t0": 3, "t3": 3, "t6": 3, "t9": 1}
    assert [net.tensors[t].name for t in (x, a, b, c)] == ["t0", "t3", "t6", "t9"]


def test_a_1x1_window_keeps_one_row() -> None:
    net = Network()
    x = net.input(1, 12, *WIDE)
    assert rings(net.graph(net.conv(x, 8, 1)))["t0"] == 1


@pytest.mark.parametrize(("kernel", "stride", "dilation", "rows"), [
    (3, 2, 1, 3), (5, 1, 1, 5), (3, 1, 2, 5), (1, 2, 1, 1), (2, 2, 1, 2), (3, 3, 1, 3)])
def test_a_window_keeps_the_rows_it_spans(kernel: int, stride: int, dilation: int,
                                          rows: int) -> None:
    net = Network()
    x = net.input(1, 16, *WIDE)
    y = net.conv(net.conv(x, 8, 1), 8, kernel, stride, dilation)
    assert rings(net.graph(y))["t3"] == rows


def test_no_ring_is_higher_than_its_map() -> None:
    net = Network()
    x = net.input(1, 3, *WIDE)
    assert rings(net.graph(net.conv(x, 8, 5)))["t0"] == 3


def test_strips_add_their_rows_to_the_window() -> None:
    net = Network()
    x = net.input(1, 12, *WIDE)
    y = net.conv(x, 8)
    assert rings(net.graph(y), strips=3) == {"t0": 6, "t3": 4}
    assert rings(net.graph(y), strips=1) == {"t0": 12, "t3": 12}


def test_a_residual_waits_for_the_rows_its_branch_looks_ahead() -> None:
    net = Network()
    x = net.conv(net.input(1, 12, *WIDE), 8, 1)
    branch = net.conv(net.conv(net.conv(x, 8), 8), 8)
    assert rings(net.graph(net.add(branch, x)))[net.tensors[x].name] == 4


def test_two_readers_share_one_ring_of_the_larger_window() -> None:
    net = Network()
    x = net.conv(net.input(1, 12, *WIDE), 8, 1)
    y = net.add(net.conv(x, 8, 3), net.conv(x, 8, 5))
    assert rings(net.graph(y))[net.tensors[x].name] == 5


def test_a_side_branch_takes_rows_as_they_come() -> None:
    net = Network()
    x = net.conv(net.input(1, 12, *WIDE), 8, 1)
    side, main = net.conv(x, 8, 1), net.conv(x, 8, 3)
    heights = rings(net.graph(side, main))
    assert heights[net.tensors[x].name] == 3
    assert heights[net.tensors[side].name] == 1


def test_a_mean_over_everything_keeps_no_rows() -> None:
    net = Network()
    x = net.conv(net.input(1, 12, *WIDE), 8, 3)
    heights = rings(net.graph(net.mean(x)))
    assert heights[net.tensors[x].name] == 1


def test_a_resize_by_two_keeps_the_two_rows_it_blends() -> None:
    net = Network()
    x = net.conv(net.input(1, 8, *WIDE), 8, 1)
    heights = rings(net.graph(net.resize(x, 16, 128)))
    assert heights[net.tensors[x].name] == 2


def test_a_transpose_needs_the_whole_map() -> None:
    net = Network()
    x = net.conv(net.input(1, 8, *WIDE), 8, 1)
    heights = rings(net.graph(net.transpose(x, 0, 2, 1, 3)))
    assert heights[net.tensors[x].name] == 8


def test_parts_of_a_channel_concat_share_one_ring() -> None:
    net = Network()
    x = net.input(1, 12, *WIDE)
    a = net.conv(x, 8)
    b = net.conv(x, 8, 1, result=net.tensors[a].quant)
    whole = net.concat(a, b)
    y = net.conv(whole, 8)
    layout, trace = as_one_stage(net.graph(y))
    group = {s.name: g for s, g in zip(layout.program.streams, layout.group, strict=True)}
    together = group[net.tensors[whole].name]
    assert group[net.tensors[a].name] == group[net.tensors[b].name] == together
    assert trace.heights[together] == 3


# -- order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("strips", [1, 3, ROW_BY_ROW])
def test_every_operator_fires_all_its_rows(seed: int, strips: int) -> None:
    layout, trace = as_one_stage(random_network(seed), strips)
    fired: Counter[int] = Counter()
    for task, rows in trace.firings:
        fired[task] += rows
    assert [fired[i] for i in range(len(layout.rows))] == list(layout.rows)


@pytest.mark.parametrize("seed", range(12))
def test_no_operator_fires_before_the_rows_it_needs_are_made(seed: int) -> None:
    layout, trace = as_one_stage(random_network(seed))
    made = [0] * len(layout.program.streams)
    done = [0] * len(layout.program.ops)
    for i, rows in trace.firings:
        op = layout.program.ops[i]
        for k, s in enumerate(op.inputs):
            assert layout.high[i][k][done[i] + rows - 1] < made[s]
        done[i] += rows
        for s in op.outputs:
            complete = done[i] == layout.rows[i]
            made[s] = done[i] if not op.accumulates else layout.program.streams[s].height * complete


def test_the_last_task_pulls_only_what_its_next_row_needs() -> None:
    window = ((0, 0, 1, 2), (1, 2, 3, 3))
    tasks = [Task((), (0,), (), (), 4, 1), Task((0,), (1,), window[:1], window[1:], 4, 1)]
    trace = simulate(tasks, [0, 1], [4, 4], frozenset(), frozenset(), frozenset())
    assert trace.firings == ((0, 1), (0, 1), (1, 1), (0, 1), (1, 1), (0, 1), (1, 1), (1, 1))
    assert trace.heights == {0: 3, 1: 1}


def test_a_write_in_flight_keeps_its_row_for_one_more_firing() -> None:
    def heights(hold: int) -> dict[int, int]:
        tasks = [Task((0,), (), identity(5), identity(5), 5, 5, hold=hold),
                 Task((), (0,), (), (), 5, 1)]
        return simulate(tasks, [0], [5], frozenset(), frozenset(), frozenset()).heights

    assert heights(0) == {0: 1}
    assert heights(1) == {0: 2}


def test_kept_rows_are_not_given_up() -> None:
    tasks = [Task((), (0,), (), (), 5, 1), Task((0,), (1,), identity(5), identity(5), 5, 1)]
    trace = simulate(tasks, [0, 1], [5, 5], frozenset(), frozenset({0}), frozenset({0}))
    assert trace.heights == {0: 5, 1: 1}
    assert list(trace.live[0][0]) == [0] * 10


def test_live_rows_slide_from_what_was_read_to_what_was_made() -> None:
    tasks = [Task((0,), (1,), identity(3), identity(3), 3, 1)]
    trace = simulate(tasks, [0, 1], [3, 3], frozenset({0}), frozenset({1}), frozenset({0, 1}))
    low, high = trace.live[0]
    assert (list(low), list(high)) == ([0, 1, 2], [3, 3, 3])
    low, high = trace.live[1]
    assert (list(low), list(high)) == ([0, 0, 0], [1, 2, 3])


def test_an_accumulating_task_makes_its_row_with_its_last_input_row() -> None:
    tasks = [Task((), (0,), (), (), 3, 1),
             Task((0,), (1,), identity(3), identity(3), 3, 1, accumulates=True),
             Task((1,), (), identity(1), identity(1), 1, 1)]
    trace = simulate(tasks, [0, 1], [3, 1], frozenset(), frozenset(), frozenset())
    assert trace.firings == ((0, 1), (1, 1), (0, 1), (1, 1), (0, 1), (1, 1), (2, 1))
    assert trace.heights == {0: 1, 1: 1}
