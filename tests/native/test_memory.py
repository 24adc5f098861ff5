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

from edgefm.diff import random_inputs
from edgefm.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.plan import Target

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
