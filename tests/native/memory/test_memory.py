# SPDX-License-Identifier: Apache-2.0
"""LOAD and STORE: whenever the port moves bytes, none is lost and none is touched on its way."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import board
import numpy as np
import pytest
from networks import Network, random_network
from packages import Built, build

from edgefm.evaluate.diff import random_inputs
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.planner import Target

COUNTED = ("write_bytes", "read_bytes", "raw_rows")
SYNCHRONOUS, OVERLAPPED = Target(alignment=4), Target(alignment=4, buffers=2)


@pytest.fixture(scope="module")
def native(native_lib: Callable[..., ModuleType]) -> ModuleType:
    return board.library(native_lib)


def network(seed: int = 1) -> Graph:
    """Three stages; the middle map has rows of 60 bytes, of which many are zero points."""
    net = Network(seed)
    x = net.conv(net.input(1, 7, 10, 3), 6, activation="relu")
    return net.graph(net.conv(net.conv(x, 5), 4, 1))


def correct(built: Built, inputs: list[Array], outputs: list[Array]) -> bool:
    expected = run_graph(built.graph, inputs)
    return all(np.array_equal(expected[t].ravel(), output.ravel())
               for t, output in zip(built.graph.outputs, outputs, strict=True))


# -- when bytes move -------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("target", [SYNCHRONOUS, OVERLAPPED, replace(OVERLAPPED, burst=12),
                                    replace(SYNCHRONOUS, burst=8), Target(alignment=16, buffers=2)])
@pytest.mark.parametrize("codec", ["raw", "rle", "context"])
def test_early_and_late_ports_give_the_same_bits(native: ModuleType, codec: str, target: Target,
                                                 late: int) -> None:
    """A late port spoils what it will fill: neither it nor what it still reads may be touched."""
    built = build(network(), target, cut="ops", codec=codec)
    inputs = random_inputs(built.graph, 3)
    run = board.run(native, built.package, inputs, late=late)
    assert run.status == board.EFM_OK
    assert correct(built, inputs, run.outputs)
    assert run.touched == run.pending == 0


@pytest.mark.parametrize("seed", range(30))
def test_no_plan_touches_bytes_on_their_way(native: ModuleType, seed: int) -> None:
    graph = random_network(seed)
    target = Target(alignment=4, buffers=2, burst=16)
    for cut, codec in (("auto", "raw"), ("ops", "raw"), ("ops", "ebpc")):
        roomy = build(graph, target, cut=cut, codec=codec)
        tight = replace(target, fast_bytes=roomy.plan.fast_bytes)
        built = build(graph, tight, cut=cut, codec=codec)
        inputs = random_inputs(graph, seed)
        run = board.run(native, built.package, inputs, late=1)
        assert (run.status, run.touched, run.pending) == (board.EFM_OK, 0, 0)
        assert correct(built, inputs, run.outputs)


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("target", [SYNCHRONOUS, OVERLAPPED, replace(OVERLAPPED, burst=12),
                                    Target(alignment=16, buffers=2)])
@pytest.mark.parametrize("codec", ["zvc", "context", "rice"])
@pytest.mark.parametrize("height", [1, 2, 7, 8])
def test_codes_of_row_pairs_give_the_same_bits(native: ModuleType, height: int, codec: str,
                                               target: Target, late: int) -> None:
    net = Network(4)
    x = net.conv(net.input(1, height, 10, 3), 6, activation="relu")
    graph = net.graph(net.conv(net.conv(x, 5), 4, 1))
    built = build(graph, target, cut="ops", codec=codec, paired=True)
    inputs = random_inputs(graph, 3)
    run = board.run(native, built.package, inputs, late=late)
    assert run.status == board.EFM_OK
    assert correct(built, inputs, run.outputs)
    assert run.touched == run.pending == 0
    stored = [built.layout.program.streams[m.stream] for m in built.plan.maps]
    assert [m.rows for m in built.plan.maps] == [-(-height // 2)] * len(stored)


@pytest.mark.parametrize("seed", range(12))
def test_row_pairs_in_strips_of_any_height(native: ModuleType, seed: int) -> None:
    graph = random_network(seed)
    target = Target(alignment=4, buffers=1 + seed % 2)
    roomy = build(graph, target, cut="ops", codec="context", paired=True)
    for cut, fast in (("ops", roomy.plan.fast_bytes), ("auto", roomy.plan.fast_bytes),
                      ("auto", None)):
        built = build(graph, replace(target, fast_bytes=fast), cut=cut, codec="context",
                      paired=True)
        inputs = random_inputs(graph, seed)
        run = board.run(native, built.package, inputs, late=1)
        assert (run.status, run.touched, run.pending) == (board.EFM_OK, 0, 0)
        assert correct(built, inputs, run.outputs)


def test_one_buffer_waits_for_every_transfer_and_two_overlap(native: ModuleType) -> None:
    most = {}
    for target in (SYNCHRONOUS, OVERLAPPED):
        built = build(network(), target, cut="ops")
        run = board.run(native, built.package, random_inputs(built.graph, 0), late=1)
        most[target.buffers] = run.most_pending
    assert most == {1: 1, 2: 2}  # a row read ahead and a row being written


@pytest.mark.parametrize("burst", [4, 8, 32, 0])
def test_no_transfer_is_longer_than_a_burst(native: ModuleType, burst: int) -> None:
    built = build(network(), Target(alignment=4, burst=burst), cut="ops")
    run = board.run(native, built.package, random_inputs(built.graph, 0))
    assert run.longest == (burst or max(m.slot_bytes for m in built.plan.maps))
    assert run.waits == run.begin_reads + run.begin_writes


def test_a_coded_row_that_would_not_shrink_crosses_as_it_is(native: ModuleType) -> None:
    net = Network(8)
    x = net.conv(net.input(1, 7, 10, 3), 6)
    graph = net.graph(net.conv(x, 4, 1))
    built = build(graph, SYNCHRONOUS, cut="ops", codec="zvc")
    noise = [np.random.default_rng(0).integers(-128, 128, (1, 7, 10, 3)).astype(np.int8)]
    run = board.run(native, built.package, noise)
    assert correct(built, noise, run.outputs)
    assert run.longest == max(m.slot_bytes for m in built.plan.maps)


# -- what is counted map by map --------------------------------------------------------------------


def sums(run: board.Run) -> dict[str, int]:
    """Figures of all maps together."""
    return {name: sum(getattr(one, name) for one in run.maps) for name in COUNTED}


@pytest.mark.parametrize("codec", ["raw", "rle", "ebpc", "context"])
@pytest.mark.parametrize("target", [SYNCHRONOUS, replace(OVERLAPPED, burst=12)])
@pytest.mark.parametrize("seed", range(8))
def test_the_figures_of_all_maps_are_the_runs(native: ModuleType, seed: int, target: Target,
                                              codec: str) -> None:
    built = build(random_network(seed), target, cut="ops", codec=codec)
    run = board.run(native, built.package, random_inputs(built.graph, seed), late=1)
    found, counters = sums(run), run.counters
    assert found["write_bytes"] == counters.external_write_bytes
    assert found["read_bytes"] == counters.external_read_bytes
    assert found["raw_rows"] == counters.raw_rows
    loads = [sum(op.map == i for op in built.plan.ops) - 1 for i in range(len(built.plan.maps))]
    coded = 0
    for m, one, readers in zip(built.plan.maps, run.maps, loads, strict=True):
        assert (one.rows_written, one.rows_read) == (m.rows, readers * m.rows)
        assert one.read_bytes == readers * one.write_bytes
        assert one.capped_rows == one.largest_shift == 0
        if m.codec == "raw":
            assert one.write_bytes == m.bytes and one.raw_rows == 0
        else:
            assert 0 < one.write_bytes <= m.bytes
            coded += one.write_bytes + one.read_bytes
    assert coded == counters.coded_bytes


def test_nothing_changes_where_no_figures_by_map_are_wanted(native: ModuleType) -> None:
    built = build(network(), OVERLAPPED, cut="ops", codec="context")
    inputs = random_inputs(built.graph, 3)
    wanted, plain = (board.run(native, built.package, inputs, lend=lend) for lend in (True, False))
    assert wanted.counters == plain.counters and plain.maps == ()
    assert all(np.array_equal(a, b) for a, b in zip(wanted.outputs, plain.outputs, strict=True))


def test_figures_are_of_one_run_also_of_one_that_failed(native: ModuleType) -> None:
    """What is lent is cleared first: the board fills it with a pattern."""
    built = build(network(), SYNCHRONOUS, cut="ops", codec="rle")
    inputs = random_inputs(built.graph, 3)
    run = board.run(native, built.package, inputs, fail_begin_write=9)
    assert run.status == board.PORT_FAILED
    first, *rest = run.maps
    assert first.rows_written == built.plan.maps[0].rows == 7
    assert sum(one.rows_written for one in rest) == 10 - 7  # the one that failed was begun
    assert sums(run)["write_bytes"] == run.counters.external_write_bytes


# -- when the port fails ---------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["raw", "context"])
@pytest.mark.parametrize("target", [SYNCHRONOUS, replace(OVERLAPPED, burst=24)])
@pytest.mark.parametrize(("knob", "count"), [
    ("fail_begin_read", "begin_reads"), ("fail_begin_write", "begin_writes"),
    ("fail_wait", "waits")])
def test_a_port_that_dies_at_any_call_is_reported(native: ModuleType, knob: str, count: str,
                                                  target: Target, codec: str) -> None:
    built = build(network(), target, cut="ops", codec=codec)
    inputs = random_inputs(built.graph, 3)
    calls = getattr(board.run(native, built.package, inputs), count)
    assert calls > 10
    for n in range(calls):
        run = board.run(native, built.package, inputs, late=1, **{knob: n})
        assert run.status == board.PORT_FAILED
        assert run.pending == 0  # the caller can have the arena back
    assert board.run(native, built.package, inputs, **{knob: calls}).status == board.EFM_OK


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("target", [SYNCHRONOUS, OVERLAPPED])
@pytest.mark.parametrize("codec", ["rle", "zvc", "ebpc", "context"])
def test_memory_that_gives_back_other_bytes_is_survived(native: ModuleType, codec: str,
                                                        target: Target, late: int) -> None:
    built = build(network(), target, cut="ops", codec=codec)
    run = board.run(native, built.package, random_inputs(built.graph, 3), corrupt=1, late=late)
    assert run.status in (board.EFM_OK, board.BAD_CODEC)
    assert run.pending == 0


def test_a_code_that_no_encoder_writes_stops_the_run(native: ModuleType) -> None:
    """Also in the first firing, while the next row is already on its way."""
    built = build(network(), OVERLAPPED, cut="ops", codec="ebpc")
    run = board.run(native, built.package, random_inputs(built.graph, 3), corrupt=1, late=1)
    assert (run.status, run.pending) == (board.BAD_CODEC, 0)


@pytest.mark.parametrize("lacks", [3, 4, 5])
def test_external_maps_need_a_whole_port(native: ModuleType, lacks: int) -> None:
    outside = build(network(), cut="ops")
    inside = build(network())
    inputs = random_inputs(outside.graph, 0)
    assert board.run(native, outside.package, inputs, lacks=lacks).status == board.BAD_ARGUMENT
    assert board.run(native, inside.package, inputs, lacks=lacks).status == board.EFM_OK
