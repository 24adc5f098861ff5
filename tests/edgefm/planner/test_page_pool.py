# SPDX-License-Identifier: Apache-2.0
"""Maps in the page pool, and capped ones outside: C equals its twin, and nothing overflows."""

from dataclasses import replace

import numpy as np
import pytest
from long_tests import some
from networks import Network, random_network
from packages import Built, capped
from replay import replay

from edgefm.codecs import CODECS, RowShape
from edgefm.codecs.quality import QualityKind, QualityMap, class_table, static_table
from edgefm.codecs.shift import Cap, decode_map, encode_map
from edgefm.errors import Infeasible
from edgefm.network.program import OpKind
from edgefm.package.read import read_needs
from edgefm.package.records import MAP, Feature
from edgefm.planner import Target
from edgefm.planner.page_pool import Pooled, pool_item
from edgefm.runtime import RunResult, Runtime
from tests.golden.edit import table

SEEDS = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13)  # of networks all of whose maps can be coded
POOL = Target(external_bytes=0, page=32)
OUTSIDE = Target(alignment=4, buffers=2, burst=16)


def inputs_of(built: Built, kind: str, seed: int) -> list[np.ndarray]:
    """Pictures that are noise, extremes, or nothing."""
    random = np.random.default_rng(seed)
    found = []
    for t in built.graph.inputs:
        shape = built.graph.tensors[t].shape
        noise = random.integers(-128, 128, shape)
        values = {"noise": noise, "ends": np.where(noise < 0, -128, 127), "flat": noise * 0 + 5}
        found.append(values[kind].astype(np.int8).view(built.graph.tensors[t].dtype))
    return found


def as_stored(values: np.ndarray | None) -> np.ndarray | None:
    """Rows as they lie in a ring: uint8 values are there as int8, 128 lower."""
    if values is None or values.dtype != np.uint8:
        return values
    return (values ^ 0x80).view(np.int8)


def both_sides(built: Built, inputs: list[np.ndarray]) -> tuple[dict, RunResult]:
    """Per stored map what its STORE was given and what each LOAD made of it, and the result."""
    with Runtime(built.package) as runtime:
        result = runtime.run(inputs, taps=True)
    taps = [as_stored(values) for values in result.streams]
    found = {}
    for i, _ in enumerate(built.plan.maps):
        ops = [op for op in built.plan.ops if op.map == i]
        found[i] = (taps[ops[0].inputs[0]], [taps[op.outputs[0]] for op in ops[1:]])
        assert ops[0].kind == OpKind.STORE
    return found, result


def twin(built: Built, index: int, rows: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    """The stored rows and the map that comes back, in Python."""
    m = built.plan.maps[index]
    record = MAP.unpack_from(table(built.package)[9][1], index * MAP.size)
    tables = table(built.package)[10][1][record[6]:record[6] + record[7]]
    codec = next(c for c in CODECS.values() if c.id == record[4])
    stream = built.layout.program.streams[m.stream]
    shape = RowShape(stream.width, stream.channels, stream.zero_point)
    where = {} if m.pooled else {"slot_bytes": m.slot_bytes, "alignment": built.plan.alignment}
    stored = encode_map(codec, tables, shape, rows, m.cap, **where)
    return stored, decode_map(codec, tables, shape, stored, m.cap.quality)


def cap_for(seed: int):
    """Caps from hopeless to generous, some with least shifts."""
    def cap(stream):
        random = np.random.default_rng(seed * 1000 + stream.height * 31 + stream.row_bytes)
        rate = int(random.integers(4, stream.row_bytes + 6))
        floors = bytes(random.integers(0, 3, stream.height, np.uint8)) if seed % 4 == 3 else b""
        return Cap(rate, int(random.integers(0, 4 * rate)), floors)
    return cap


def quality_for(seed: int):
    """Caps with a quality map each, of every kind, with tiles from one pixel to the whole row."""
    def cap(stream):
        random = np.random.default_rng(seed * 1000 + stream.height * 31 + stream.row_bytes)
        shape = RowShape(stream.width, stream.channels, stream.zero_point)
        kind = list(QualityKind)[2 + (seed + stream.row_bytes) % 3]
        tile, band = (int(random.integers(0, n + 1)) for n in (stream.width, stream.height))
        tiles = QualityMap(kind, tile, b"").tiles(shape)
        if kind == QualityKind.STATIC:
            bands = -(-stream.height // (band + 1))
            table = static_table(band + 1, random.integers(0, 4, (bands, tiles)))
        else:
            table = class_table(sorted(random.integers(0, 1200, 3)), random.permutation(4).tolist())
        rate = int(random.integers(4, stream.row_bytes + 6))
        return Cap(rate, int(random.integers(0, 4 * rate)), quality=QualityMap(kind, tile, table))
    return cap


@pytest.mark.parametrize("caps, codec", [
    (cap_for, "context"), (cap_for, "zvc"), (quality_for, "context"), (quality_for, "zvc"),
    (quality_for, "rice"), (quality_for, "tans")])
@pytest.mark.parametrize("seed", some(SEEDS, fast=2))
def test_pool_and_slots_hold_what_the_twin_says(seed: int, codec: str, caps) -> None:
    graph = random_network(seed)
    for target in (POOL, OUTSIDE):
        built = capped(graph, target, caps(seed), codec)
        for kind in ("noise", "ends", "flat"):
            found, result = both_sides(built, inputs_of(built, kind, seed))
            counters, bytes_, capped_rows = result.counters, 0, 0
            for index, (given, taken) in found.items():
                m = built.plan.maps[index]
                if m.cap is None:
                    continue
                stored, back = twin(built, index, given)
                for loaded in taken:
                    np.testing.assert_array_equal(loaded, back)
                floors = m.cap.floors or bytes(m.rows)
                coarser = [code[0] & 15 for code, floor in zip(stored, floors, strict=True)
                           if code[0] & 15 > floor]
                capped_rows += len(coarser)
                own = result.maps[index]
                assert (own.capped_rows, own.largest_shift) == (len(coarser),
                                                                max(coarser, default=0))
                if target is POOL:
                    assert own.write_bytes == sum(map(len, stored))
                    assert own.read_bytes == len(taken) * own.write_bytes
                assert (own.rows_written, own.rows_read) == (m.rows, len(taken) * m.rows)
                assert sum(map(len, stored)) <= m.most_bytes
                bytes_ += sum(map(len, stored)) * (1 + len(taken))
            assert counters.capped_rows == capped_rows
            if target is POOL:
                assert counters.pool_bytes == bytes_
                assert counters.pool_pages <= built.plan.pool_pages
                assert counters.external_read_bytes == counters.external_write_bytes == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reserved_pages_are_enough_for_any_rows(seed: int) -> None:
    """The replay lets every row take all that its cap leaves, and pages lie as the runtime's do."""
    built = capped(random_network(seed), POOL, cap_for(seed), "zvc")
    assert replay(built.layout, built.plan) <= built.plan.fast_bytes


def test_few_pages_less_would_not_be_enough() -> None:
    """Noise takes all it can, and then the pages reserved are used, but one at most per map: bytes
    of a row that begins in the middle of a page may or may not reach one page further."""
    net = Network(3)
    x = net.conv(net.input(1, 12, 40, 3), 8)
    graph = net.graph(net.conv(x, 8, kernel=1))
    built = capped(graph, POOL, lambda stream: Cap(stream.row_bytes + 1, 0), "zvc")
    _, result = both_sides(built, inputs_of(built, "noise", 1))
    assert result.counters.pool_pages >= built.plan.pool_pages - 2


def test_pages_return_as_rows_are_given_back() -> None:
    """A map that shrinks while the next one grows shares its pages with it."""
    rows = np.arange(10)
    grows = Pooled(Cap(32, 0), 100, 0 * rows, rows + 1)
    shrinks = Pooled(Cap(32, 0), 100, rows, 0 * rows + 10)
    alone = pool_item([grows], 32)[0] + pool_item([shrinks], 32)[0]
    assert pool_item([grows, shrinks], 32)[0] < alone - 5


def test_a_package_with_caps_says_so() -> None:
    built = capped(random_network(1), POOL, cap_for(1), "zvc")
    features = read_needs(built.package).features
    assert features & Feature.CAPPED and not features & Feature.EXTERNAL


def test_what_cannot_be_coded_cannot_be_in_the_pool() -> None:
    built = capped(random_network(2), POOL, cap_for(2), "zvc")
    with pytest.raises(Infeasible, match="page pool"):
        capped(built.graph, POOL, lambda stream: None, "zvc")


def test_the_search_finds_room_with_a_pool_where_there_was_none() -> None:
    """Two blocks whose map in between is too large to be kept as it is."""
    net = Network(5)
    x = net.conv(net.input(1, 32, 32, 3), 16, stride=1)
    for _ in range(2):
        wide = net.conv(x, 48, kernel=1)
        x = net.add(x, net.conv(net.depthwise(wide), 16, kernel=1))
    graph = net.graph(x)
    least = capped(graph, replace(POOL, fast_bytes=13_600), lambda s: Cap(s.row_bytes // 4, 100),
                   "zvc", cut="auto")
    assert least.plan.pool_pages and least.plan.fast_bytes <= 13_600
    with pytest.raises(Infeasible):
        capped(graph, replace(POOL, fast_bytes=13_600), lambda s: Cap(s.row_bytes // 4, 100), "raw",
               cut="auto")
    replay(least.layout, least.plan)
