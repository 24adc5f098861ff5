# SPDX-License-Identifier: Apache-2.0
"""Tiles hold what the operator had, however they are cut, and a plan reads what is counted."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from edgefm.codecs.weights import CodedTile, WeightCode, decode_tile, read_table
from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.network.program import Op, OpKind, Program
from edgefm.package import weight_tiles
from edgefm.package.container import read_sections
from edgefm.package.records import OPERATOR, TILE, Feature, Section, Tile
from edgefm.package.weight_tiles import StoredTile, stored_tiles, with_tile_bytes
from edgefm.package.write import Description, write_package
from edgefm.planner import Plan, Target, analyze, make_plan
from edgefm.runtime import Runtime
from tests.support.coded import calmed, coded, table_for, tiles_of
from tests.support.networks import Network

CODES = WeightCode.HUFFMAN, WeightCode.PACKED


def network(seed: int) -> Graph:
    """Windows, depthwise with a multiplier, fully connected; channels that no tile divides."""
    random = np.random.default_rng(seed)
    net = Network(seed)
    x = net.input(1, 9, 7, int(random.integers(1, 6)))
    y = net.conv(x, int(random.integers(5, 40)), kernel=int(random.choice((1, 3))),
                 stride=int(random.integers(1, 3)))
    y = net.depthwise(y, multiplier=int(random.integers(1, 4)))
    y = net.conv(y, int(random.integers(1, 19)), kernel=1)
    return calmed(net.graph(net.dense(net.flat(y), int(random.integers(1, 30)))))


def planned(graph: Graph, least: int, grow: bool, fast: int | None = None,
            codes: tuple[WeightCode, ...] = CODES) -> tuple[Program, Plan]:
    layout = analyze(coded(lower(graph), *codes))
    with tiles_of(least, grow):
        plan = make_plan(layout, Target(fast_bytes=fast), cut="auto" if fast else "ops")
    return layout.program, with_tile_bytes(layout.program, plan)


@cache
def expected(seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs, and what the network gives with raw weights in one tile each."""
    graph = network(seed)
    layout = analyze(lower(graph))
    plain = write_package(graph, layout.program, make_plan(layout, Target()), {}, Description(""))
    inputs = [np.random.default_rng(seed).integers(
        -128, 128, graph.tensors[t].shape).astype(np.int8) for t in graph.inputs]
    with Runtime(plain) as runtime:
        return inputs, runtime.run(inputs).outputs


@pytest.mark.parametrize("grow", [False, True])
@pytest.mark.parametrize("least", [1, 50, 100_000])
@pytest.mark.parametrize("seed", range(8))
def test_outputs_are_those_of_raw_weights_and_the_plan_reads_what_is_counted(
        seed: int, least: int, grow: bool) -> None:
    program, plan = planned(network(seed), least, grow)
    package = write_package(network(seed), program, plan, {}, Description(""))
    inputs, outputs = expected(seed)
    with Runtime(package) as runtime:
        result = runtime.run(inputs)
    assert all(np.array_equal(a, b) for a, b in zip(result.outputs, outputs, strict=True))
    assert result.counters.weight_read_bytes == plan.weight_read_bytes
    assert sum(s.weight_read_bytes for s in plan.stages) == plan.weight_read_bytes


@pytest.mark.parametrize("seed", range(3))
def test_tiles_of_an_operator_may_have_codes_of_their_own(seed: int,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing writes such packages yet; readers take them."""
    by_operator, other = weight_tiles._coded, table_for(np.arange(-9, 10, dtype=np.int8))

    def alternating(op: Op, cut: tuple[int, ...], inner: int) -> tuple[StoredTile, ...]:
        assert op.coding is not None
        even = by_operator(op, cut, inner)
        odd = by_operator(replace(op, coding=replace(op.coding, record=other.record())), cut,
                          inner)
        return tuple(pair[i % 2] for i, pair in enumerate(zip(even, odd, strict=True)))

    monkeypatch.setattr(weight_tiles, "_coded", alternating)
    program, plan = planned(network(seed), 50, False, codes=(WeightCode.HUFFMAN,))
    records = [{tile.record for tile in stored_tiles(program, op)}
               for op in plan.ops if op.tiles]
    assert any(len(own - {b""}) > 1 for own in records)
    inputs, outputs = expected(seed)
    with Runtime(write_package(network(seed), program, plan, {}, Description(""))) as runtime:
        result = runtime.run(inputs)
    assert all(np.array_equal(a, b) for a, b in zip(result.outputs, outputs, strict=True))


def test_what_is_kept_is_read_once_and_its_table_at_every_firing() -> None:
    net = Network(5)
    graph = calmed(net.graph(net.conv(net.conv(net.input(1, 40, 20, 8), 24), 4)))
    program, roomy = planned(graph, 4096, True, 14_000)
    again, tight = planned(graph, 4096, False, 14_000)
    assert [op.kept for op in roomy.ops if op.tiles] == [True, True]
    assert roomy.weight_read_bytes < tight.weight_read_bytes
    inputs = [np.zeros((1, 40, 20, 8), np.int8)]
    outputs = []
    for own, plan in ((program, roomy), (again, tight)):
        with Runtime(write_package(graph, own, plan, {}, Description(""))) as runtime:
            result = runtime.run(inputs)
        assert result.counters.weight_read_bytes == plan.weight_read_bytes
        assert runtime.info.plan["fast_bytes"] <= 14_000
        outputs.append(result.outputs[0])
    assert np.array_equal(*outputs)


def restored(program: Program, op: Op, tiles: tuple[StoredTile, ...]) -> bytes:
    """The operator's constant data again."""
    channels = program.streams[op.outputs[0]].channels
    heads, weights = [], []
    for tile in tiles:
        head = tile.data[:HEAD.size + CHANNEL.itemsize * tile.out]
        tables = [read_table(tile.record)] if tile.record else []
        own = decode_tile(CodedTile(tile.code, 0, tile.data[len(head):]), tables,
                          tile.raw_bytes - len(head))
        heads.append(head[HEAD.size:])
        weights.append(own.reshape((tile.out, -1) if op.kind == OpKind.CONV else (-1, tile.out)))
    joined = np.concatenate(weights, axis=0 if op.kind == OpKind.CONV else 1)
    assert sum(tile.out for tile in tiles) == channels
    return op.weights[:HEAD.size] + b"".join(heads) + joined.tobytes()


@pytest.mark.parametrize("seed", range(8))
def test_tiles_have_all_of_an_operators_data(seed: int) -> None:
    program, plan = planned(network(seed), 40, False)
    for placed in plan.ops:
        if placed.tiles:
            op = program.ops[placed.op]
            assert restored(program, op, stored_tiles(program, placed)) == op.weights


def test_what_no_code_makes_shorter_is_stored_raw_and_read_in_place() -> None:
    net = Network(1)
    graph = net.graph(net.conv(net.input(1, 4, 4, 3), 20))  # weights of all sizes
    program, plan = planned(graph, 40, False, codes=(WeightCode.PACKED,))
    sections = read_sections(write_package(graph, program, plan, {}, Description("")), "package")
    tiles = list(map(Tile._make, TILE.iter_unpack(sections[Section.TILES])))
    assert len(tiles) > 1 and {(t.code, t.flags, t.bytes - t.raw_bytes) for t in tiles} == {
        (0, 0, 0)}
    assert Section.WEIGHT_TABLES not in sections


def test_features_say_what_is_there() -> None:
    found = []
    for least, codes in ((100_000, CODES), (1, CODES), (1, (WeightCode.PACKED,))):
        program, plan = planned(network(1), least, False, codes=codes)
        package = write_package(network(1), program, plan, {}, Description(""))
        with Runtime(package) as runtime:
            found.append(Feature(runtime.info.features) & ~Feature.EXTERNAL)
    both = Feature.WEIGHT_CODES | Feature.WEIGHT_TILES
    assert found == [Feature.WEIGHT_CODES, both, both]


def test_operators_share_tables_that_are_alike() -> None:
    program, plan = planned(network(2), 1, False)
    sections = read_sections(write_package(network(2), program, plan, {}, Description("")), "p")
    tables = {tile.table for tile in map(Tile._make, TILE.iter_unpack(sections[Section.TILES]))
              if tile.code == WeightCode.HUFFMAN}
    assert tables == {1}
    several = [row for row in OPERATOR.iter_unpack(sections[Section.OPERATORS]) if row[8] > 1]
    assert several and len({row[-1] for row in several}) == len(several)  # a buffer each


def test_a_plan_without_tiles_stays_as_it_is() -> None:
    layout = analyze(lower(network(3)))
    plan = make_plan(layout, Target())
    assert with_tile_bytes(layout.program, plan) is plan
