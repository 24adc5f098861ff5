# SPDX-License-Identifier: Apache-2.0
"""What crossed for each stored map: sums, means and bits per value."""

import numpy as np
import pytest
from networks import Network
from packages import build

from edgefm.codecs import CODECS, encode_map
from edgefm.codecs.interface import RowShape
from edgefm.evaluate.diff import random_inputs
from edgefm.package.container import read_sections
from edgefm.package.counters import MapCounters
from edgefm.package.records import MAP, Section
from edgefm.package.traffic import MapInfo, stored_maps, total, traffic
from edgefm.runtime import Runtime

ONE = MapInfo("a", "rle", 4, 10, 10)
TWICE = MapInfo("b", "raw", 2, 16, 4)  # four values of four bytes


def test_bits_are_those_of_all_transfers_and_rows_are_means() -> None:
    runs = [(MapCounters(20, 40, 4, 8, 1, 2, 3), MapCounters(32, 32, 2, 2, 0, 0, 0)),
            (MapCounters(10, 20, 4, 8, 0, 0, 0), MapCounters(32, 32, 2, 2, 0, 0, 0))]
    first, second = traffic((ONE, TWICE), runs)
    assert (first.write_bytes, first.read_bytes, first.transfers) == (15, 30, 3)
    assert first.bits_per_value == pytest.approx(8 * 45 / 120)
    assert (first.raw_rows, first.capped_rows, first.largest_shift) == (0.5, 1, 3)
    assert (second.bits_per_value, second.raw_bytes) == (32, 32)
    assert total(runs) == (MapCounters(30, 60, 8, 16, 1, 2, 3), MapCounters(64, 64, 4, 4, 0, 0, 0))


def test_sums_over_several_runs_count_as_so_many() -> None:
    run = (MapCounters(20, 40, 4, 8, 1, 2, 3),)
    assert traffic((ONE,), [total([run, run]), total([run, run])], each=2) == traffic((ONE,), [run])


def test_a_map_that_nothing_crossed_for_has_no_bits() -> None:
    assert traffic((ONE,), [(MapCounters(0, 0, 0, 0, 0, 0, 0),)])[0].bits_per_value is None


def test_runs_that_count_other_maps_are_left_out() -> None:
    other = (MapCounters(1, 1, 1, 1, 0, 0, 0),)
    assert traffic((ONE, TWICE), [other]) == traffic((ONE, TWICE), []) == ()


@pytest.mark.parametrize("codec", ["rle", "zvc", "ebpc", "context"])
def test_every_map_takes_what_the_slow_codec_makes_of_it(codec: str) -> None:
    net = Network(7)
    x = net.conv(net.input(1, 9, 10, 3), 6, activation="relu")
    graph = net.graph(net.conv(net.conv(x, 5), 4, 1))
    built = build(graph, cut="ops", codec=codec)
    with Runtime(built.package) as runtime:
        result, info = runtime.run(random_inputs(graph, 1), taps=True), runtime.info
    sections = read_sections(built.package, "net")
    assert [one.name for one in stored_maps(info)] == [m.name for m in built.plan.maps]
    for m, one, record in zip(built.plan.maps, result.maps,
                              MAP.iter_unpack(sections[Section.MAPS]), strict=True):
        tables = sections[Section.TABLES][record[6]:record[6] + record[7]]
        stream = built.layout.program.streams[m.stream]
        shape = RowShape(stream.width, stream.channels, stream.zero_point)
        values = result.taps[m.name].view(np.int8).reshape(-1, shape.width, shape.channels)
        rows = encode_map(CODECS[m.codec], tables, shape, values)
        assert one.write_bytes == sum(map(len, rows))
        assert one.raw_rows == sum(len(row) == m.row_bytes for row in rows)
