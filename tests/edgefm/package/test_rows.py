# SPDX-License-Identifier: Apache-2.0
"""Packages for one instruction set give the same outputs once their weights lie in rows."""

import numpy as np
import pytest

from edgefm.kernels.sets import suited
from edgefm.lower import lower
from edgefm.package.read import read_needs
from edgefm.package.records import Packing
from edgefm.package.rows import in_rows
from edgefm.package.write import Description, write_package
from edgefm.planner import analyse, load_target, make_plan
from edgefm.runtime import Runtime
from tests.golden.make import GOOD, made_up

ROWS = 1 << Packing.ROWS


def package_for(name: str, kernels: str, packing: str | None = None) -> bytes:
    graph = GOOD[name].graph()
    layout = analyse(suited(lower(graph), kernels, packing))
    plan = make_plan(layout, load_target(None))
    return write_package(graph, layout.program, plan, {}, Description(""))


def outputs(package: bytes) -> list[np.ndarray]:
    with Runtime(package) as runtime:
        return runtime.run([made_up(t.shape, t.dtype) for t in runtime.inputs]).outputs


@pytest.mark.parametrize("name", ["rings", "uint8", "mixed"])
@pytest.mark.parametrize("packing", ["halves", "pairs"])
def test_weights_come_back_as_rows(name: str, packing: str) -> None:
    plain, packed = package_for(name, "portable"), package_for(name, "dsp", packing)
    assert read_needs(packed).packings != read_needs(plain).packings
    again = in_rows(packed, ROWS)
    assert read_needs(again).packings == read_needs(plain).packings
    for mine, expected in zip(outputs(again), outputs(plain), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_what_a_reader_knows_stays_as_it_is() -> None:
    plain, packed = package_for("rings", "portable"), package_for("rings", "dsp")
    assert in_rows(plain, ROWS) is plain
    assert in_rows(packed, 0xFF) is packed


def test_a_damaged_package_stays_as_it_is() -> None:
    packed = package_for("rings", "dsp")
    for damaged in (b"", packed[:50], packed[:200]):
        assert in_rows(damaged, ROWS) is damaged
