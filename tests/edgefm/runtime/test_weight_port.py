# SPDX-License-Identifier: Apache-2.0
"""Weights that come through a port: the same outputs, the plan's bytes, and a bad port is told."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgefm
from edgefm.codecs.weights import WeightCode
from edgefm.errors import BadInput, RuntimeFault
from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Array, Graph
from edgefm.network.program import WeightPort
from edgefm.package.container import read_header, read_sections, read_tiles
from edgefm.package.records import PORTED, Feature, Section
from edgefm.runtime import Runtime
from tests.support.coded import calmed
from tests.support.networks import Network
from tests.support.packages import build
from tests.support.ported import RAW, ported

CODES = WeightCode.HUFFMAN, WeightCode.PACKED


@cache
def network(seed: int) -> Graph:
    """Windows, depthwise with a multiplier, a table, a softmax, channels that no tile divides."""
    random = np.random.default_rng(seed)
    net = Network(seed)
    x = net.input(1, 9, 7, int(random.integers(1, 6)))
    y = net.conv(x, int(random.integers(5, 40)), kernel=int(random.choice((1, 3))),
                 stride=int(random.integers(1, 3)))
    y = net.logistic(net.depthwise(y, multiplier=int(random.integers(1, 4))))
    y = net.conv(y, int(random.integers(1, 19)), kernel=1)
    return calmed(net.graph(net.softmax(net.dense(net.flat(y), int(random.integers(2, 30))))))


@cache
def expected(seed: int) -> tuple[list[Array], list[Array]]:
    """Inputs, and what the network gives with mapped weights."""
    with Runtime(build(network(seed)).package) as runtime:
        inputs = [np.random.default_rng(seed).integers(-128, 128, t.shape).astype(np.int8)
                  for t in runtime.inputs]
        return inputs, runtime.run(inputs).outputs


def alike(found: list[Array], seed: int) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, expected(seed)[1], strict=True))


@pytest.mark.parametrize("codes", [RAW, CODES])
@pytest.mark.parametrize("port", [WeightPort(), WeightPort(4, 32, 1), WeightPort(512, 0, 2),
                                  WeightPort(16, 16, 2)], ids=repr)
@pytest.mark.parametrize(("least", "grow"), [(1, False), (100, False), (4096, True)])
@pytest.mark.parametrize("seed", range(3))
def test_outputs_are_those_of_mapped_weights_and_the_plan_reads_what_crosses(
        seed: int, least: int, grow: bool, port: WeightPort, codes: tuple[WeightCode, ...]) -> None:
    package, plan = ported(network(seed), least, grow, port, codes)
    file = Counted(package)
    with Runtime(package) as within, Runtime(package, weights=file) as outside:
        result, read = within.run(expected(seed)[0]), outside.run(expected(seed)[0])
    assert alike(result.outputs, seed) and alike(read.outputs, seed)
    assert result.counters == read.counters
    assert (result.counters.weight_port_bytes == result.counters.weight_read_bytes
            == plan.weight_read_bytes == sum(file.sizes))
    assert all(n % port.alignment == 0 and (port.burst == 0 or n <= port.burst)
               for n in file.sizes)


def test_a_device_has_to_map_no_weights_at_all() -> None:
    package, _ = ported(network(1))
    header = read_header(package, "net")
    sections = read_sections(package, "net")
    assert Feature.WEIGHT_PORT in Feature(header.features)
    assert {tile.memory for tile in read_tiles(sections)} == {PORTED}
    assert header.front_bytes < len(package) - len(sections[Section.WEIGHTS])


def test_constants_that_say_which_rows_are_needed_stay_mapped() -> None:
    net = Network(2)
    x = net.input(1, 8, 8, 4)
    graph = net.graph(net.conv(net.resize(net.conv(x, 8), 16, 16), 4))
    package, plan = ported(graph)
    tiles = list(read_tiles(read_sections(package, "net")))
    assert [tile.memory for tile in tiles].count(PORTED) == len(tiles) - 1
    inputs = [np.random.default_rng(3).integers(-128, 128, (1, 8, 8, 4)).astype(np.int8)]
    with Runtime(package) as runtime, Runtime(build(graph).package) as plain:
        result = runtime.run(inputs)
        assert np.array_equal(result[0], plain.run(inputs)[0])
    assert result.counters.weight_read_bytes == plan.weight_read_bytes
    assert result.counters.weight_port_bytes == plan.weight_port_bytes
    assert 0 < result.counters.weight_port_bytes < result.counters.weight_read_bytes
    assert runtime.info.plan["weight_port_bytes"] == plan.weight_port_bytes


def test_what_is_kept_crosses_once() -> None:
    net = Network(5)
    graph = calmed(net.graph(net.conv(net.conv(net.input(1, 40, 20, 8), 24), 4)))
    inputs = [np.random.default_rng(6).integers(-128, 128, (1, 40, 20, 8)).astype(np.int8)]
    with Runtime(build(graph).package) as plain:
        outputs = plain.run(inputs).outputs
    for codes in (RAW, CODES):
        bytes_read = []
        for grow in (True, False):
            package, plan = ported(graph, 1024, grow, WeightPort(), codes, 14_000)
            with Runtime(package) as runtime:
                result = runtime.run(inputs)
            assert np.array_equal(result[0], outputs[0])
            assert result.counters.weight_read_bytes == plan.weight_read_bytes
            assert plan.fast_bytes <= 14_000
            bytes_read.append(plan.weight_read_bytes)
        assert bytes_read[0] < bytes_read[1]


# -- a bad port ------------------------------------------------------------------------------------


class Counted(io.BytesIO):
    """A file that notes the size of each read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.sizes: list[int] = []

    def readinto(self, buffer: Any, /) -> int:
        self.sizes.append(len(buffer))
        return super().readinto(buffer)


class Bad(io.BytesIO):
    """A file that does something else at read number `at`."""

    def __init__(self, data: bytes, at: int, instead: Callable[["Bad", Any], int | None]) -> None:
        super().__init__(data)
        self.left, self.instead = at, instead

    def readinto(self, buffer: Any, /) -> int:
        self.left -= 1
        if self.left == -1:
            return self.instead(self, buffer)  # type: ignore[return-value]
        return super().readinto(buffer)


def flipped(file: Bad, buffer: Any) -> int:
    count = io.BytesIO.readinto(file, buffer)
    buffer[count // 2] ^= 4
    return count


def late(file: Bad, buffer: Any) -> int:
    raise TimeoutError("no answer")


WAYS = {"flipped": (flipped, "EFM_BAD_CHECKSUM"), "late": (late, "EFM_PORT_FAILED"),
        "nothing": (lambda file, buffer: 0, "EFM_PORT_FAILED"),
        "none": (lambda file, buffer: None, "EFM_PORT_FAILED"),
        "too much": (lambda file, buffer: len(buffer) + 1, "EFM_PORT_FAILED"),
        "unread": (lambda file, buffer: len(buffer), "EFM_BAD_CHECKSUM")}


@pytest.mark.parametrize("codes", [RAW, CODES])
@pytest.mark.parametrize("way", WAYS)
def test_a_port_that_fails_ends_the_run_with_its_status_and_the_next_run_works(
        way: str, codes: tuple[WeightCode, ...]) -> None:
    package, _ = ported(network(1), codes=codes)
    instead, status = WAYS[way]
    reads = Counted(package)
    with Runtime(package, weights=reads) as runtime:
        runtime.run(expected(1)[0])
    for at in {0, 1, len(reads.sizes) // 2, len(reads.sizes) - 1}:
        with Runtime(package, weights=Bad(package, at, instead)) as runtime:
            with pytest.raises(RuntimeFault, match=status):
                runtime.run(expected(1)[0])
            assert alike(runtime.run(expected(1)[0]).outputs, 1)


def test_the_reason_of_a_file_is_in_the_error() -> None:
    package, _ = ported(network(1))
    with (Runtime(package, weights=Bad(package, 0, late)) as runtime,
          pytest.raises(RuntimeFault, match="TimeoutError: no answer")):
        runtime.run(expected(1)[0])


def test_short_reads_are_gone_on_with() -> None:
    package, _ = ported(network(1))

    class Few(io.BytesIO):
        def readinto(self, buffer: Any, /) -> int:
            return super().readinto(memoryview(buffer)[:3])

    with Runtime(package, weights=Few(package)) as runtime:
        assert alike(runtime.run(expected(1)[0]).outputs, 1)


# -- files -----------------------------------------------------------------------------------------


def test_weights_come_from_the_package_file_or_from_one_of_their_own(tmp_path: Path) -> None:
    package, _ = ported(network(1))
    whole, own = tmp_path / "net.efm", tmp_path / "net.weights"
    whole.write_bytes(package)
    own.write_bytes(read_sections(package, "net")[Section.WEIGHTS])
    for weights in (whole, str(own), own.open("rb")):
        with edgefm.open(whole, weights=weights) as net:
            assert alike(net.run(expected(1)[0]).outputs, 1)


def test_other_files_are_refused_in_a_line(tmp_path: Path) -> None:
    package, _ = ported(network(1))
    mapped = build(network(1)).package
    for data, weights, line in (
            (package, io.BytesIO(b"few"), "got 3 bytes, expected .* of weights or .* of the pack"),
            (package, tmp_path / "missing", "no such file"),
            (package, 5, "got int, expected a path or an object with seek and readinto"),
            (mapped, io.BytesIO(mapped), "reads its own in place")):
        with pytest.raises(BadInput, match=line):
            edgefm.open(data, weights=weights)  # type: ignore[arg-type]


def test_compile_takes_the_word_and_says_what_it_expects(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(export_tflite(network(1)))
    with pytest.raises(BadInput, match="expected one of mapped, port"):
        edgefm.compile(path, weights="card")
    with edgefm.open(edgefm.compile(path, weights="port", fast=20_000)) as net:
        result = net.run(expected(1)[0])
    assert alike(result.outputs, 1) and result.counters.weight_port_bytes > 0
