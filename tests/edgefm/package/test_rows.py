# SPDX-License-Identifier: Apache-2.0
"""Packages of other kernels read on any machine: rows again, and the same outputs."""

import numpy as np
import pytest

from edgefm.kernels.sets import suited
from edgefm.lower import lower
from edgefm.package.container import read_sections, read_tiles
from edgefm.package.records import Packing
from edgefm.package.rows import in_rows
from edgefm.package.write import Description, write_package
from edgefm.planner import Target, analyze, make_plan
from edgefm.runtime import Runtime
from tests.support.networks import Network

ROWS = 1 << Packing.ROWS


def package(packing: str | None) -> tuple[bytes, list[np.ndarray]]:
    """A network with windows, depthwise and fully connected layers, and inputs for it."""
    net = Network(3)
    x = net.input(1, 9, 7, 5)
    y = net.depthwise(net.conv(net.conv(x, 11), 6, kernel=1))
    graph = net.graph(net.dense(net.flat(y), 3))
    kernels = "portable" if packing is None else "dsp"
    layout = analyze(suited(lower(graph), kernels, packing))
    data = write_package(graph, layout.program, make_plan(layout, Target()), {}, Description(""))
    return data, [np.random.default_rng(1).integers(-128, 128, (1, 9, 7, 5)).astype(np.int8)]


def packings(data: bytes) -> set[int]:
    return {tile.packing for tile in read_tiles(read_sections(data, "package"))}


@pytest.mark.parametrize("packing", ["halves", "pairs"])
def test_packed_weights_become_the_rows_that_they_were(packing: str) -> None:
    data, _ = package(packing)
    plain = in_rows(data, ROWS)
    assert packings(data) == {Packing.ROWS, Packing[packing.upper()]}
    assert packings(plain) == {Packing.ROWS}
    assert len(plain) == len(data)
    read_sections(plain, "package")  # its checksums are right


def test_a_reader_that_knows_all_of_them_gets_the_package_itself() -> None:
    data, _ = package("halves")
    assert in_rows(data, ~0) is data
    assert in_rows(b"", ROWS) == b""


@pytest.mark.parametrize("packing", ["halves", "pairs", "rows"])
def test_outputs_do_not_depend_on_the_packing(packing: str) -> None:
    plain, inputs = package(None)
    packed, _ = package(packing)
    with Runtime(plain) as one, Runtime(packed) as other:
        expected, got = (net.run(inputs).outputs for net in (one, other))
    assert all(np.array_equal(a, b) for a, b in zip(expected, got, strict=True))


def test_damage_is_left_for_the_runtime_to_name() -> None:
    data, _ = package("halves")
    rng = np.random.default_rng(2)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        assert len(in_rows(bytes(damaged), ROWS)) == len(data)
