# SPDX-License-Identifier: Apache-2.0
"""What a package needs, and the refusal of one that the device lacks something for."""

import dataclasses

import pytest
from link_device import INFO
from networks import random_network

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadContainer, Infeasible, UnsupportedModel
from edgefm.package.read import Needs, read_needs
from host_tools.link.capability import compile_for
from host_tools.link.fit import check_fit
from tests.golden.edit import header

NEEDS = Needs(2, 1000, 1, 60_000, 1000, 4, frozenset({1, 5}), frozenset({0, 4}), frozenset({0}))
HELP = "; compile it with --target qspi-psram --fast 65536 --external 1048576"


BOARD = dataclasses.replace(INFO, target="qspi-psram")


def test_what_to_type_names_a_target_where_one_is_needed():
    assert "--target qspi-psram " in compile_for(BOARD)
    assert "--target FILE.toml (alignment = 4) " in compile_for(INFO)
    assert "--target" not in compile_for(dataclasses.replace(INFO, alignment=1))


def test_a_package_that_fits_is_sent():
    check_fit(NEEDS, INFO, "net.efm")


@pytest.mark.parametrize(("change", "error", "text"), [
    ({"major": 3}, UnsupportedModel, "package format 3, the device reads 2; flash its firmware"),
    ({"features": 4}, UnsupportedModel,
     f"needs features CAPPED; the device has EXTERNAL, CODED{HELP}"),
    ({"features": 1 << 8 | 1 << 30}, UnsupportedModel, "needs features WEIGHT_TILES, bit 30;"),
    ({"operators": frozenset({20})}, UnsupportedModel, "needs operators AVERAGE_POOL; .*; flash"),
    ({"codecs": frozenset({0, 9})}, UnsupportedModel, f"needs decoders temporal; .*{HELP}"),
    ({"packings": frozenset({3})}, UnsupportedModel,
     f"needs packings dot4x8; the device has rows{HELP}"),
    ({"alignment": 2}, UnsupportedModel, "aligned to 2 bytes, the device needs 4"),
    ({"fast_bytes": 65537}, Infeasible, "needs 65537 bytes of fast memory, the device has 65536"),
    ({"external_bytes": 1 << 21}, Infeasible, "bytes of external memory"),
    ({"bytes": 1 << 19}, Infeasible, "bytes of room for one package")])
def test_a_package_that_does_not_fit_is_refused_with_numbers(change, error, text):
    with pytest.raises(error, match=text):
        check_fit(dataclasses.replace(NEEDS, **change), BOARD, "net.efm")


@pytest.fixture(scope="module", params=[None, 1000], ids=["fast memory", "external memory"])
def compiled(request: pytest.FixtureRequest) -> Compiled:
    graph = random_network(4)
    options = CompileOptions(fast=request.param)
    made = compile_loaded(Model(graph, graph, None, "0" * 64), options)
    assert bool(made.plan.maps) == (request.param is not None)
    return made


def test_needs_are_those_of_the_plan(compiled):
    needs, plan = read_needs(compiled.package), compiled.plan
    assert (needs.bytes, needs.major) == (len(compiled.package), 2)
    assert needs.packings == {0}
    assert (needs.fast_bytes, needs.external_bytes, needs.alignment) == (
        plan.fast_bytes, plan.external_bytes, plan.alignment)
    assert needs.operators == {op.kind for op in plan.ops}
    assert needs.features == bool(plan.maps)
    assert needs.codecs == ({0} if plan.maps else set())


def test_a_damaged_package_has_no_needs(compiled):
    package = compiled.package
    for cut in (0, 10, 95, 96, len(package) - 1):
        with pytest.raises(BadContainer):
            read_needs(package[:cut], "net.efm")
    with pytest.raises(BadContainer, match="net.efm: its sections are damaged"):
        read_needs(header("sections", 0)(package), "net.efm")
