# SPDX-License-Identifier: Apache-2.0
"""The stages between which maps move, read from a package, give the bytes that its plan counts."""

from dataclasses import replace
from pathlib import Path

import pytest
from networks import small_classifier

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_model
from edgefm.errors import BadContainer
from edgefm.exporters.tflite import export_tflite
from edgefm.package.moves import map_moves

OPTIONS = CompileOptions(pictures=False)


@pytest.fixture(params=["ops", "blocks"])
def compiled(tmp_path: Path, request: pytest.FixtureRequest) -> Compiled:
    (tmp_path / "net.tflite").write_bytes(export_tflite(small_classifier()))
    return compile_model(tmp_path / "net.tflite", replace(OPTIONS, cut=request.param))


def test_bytes_of_a_stage_are_those_of_the_maps_that_it_moves(compiled: Compiled) -> None:
    plan = compiled.plan
    assert plan.maps
    read, written = [0] * len(plan.stages), [0] * len(plan.stages)
    for one, moves in zip(plan.maps, map_moves(compiled.package), strict=True):
        for stages, sums in ((moves.read, read), (moves.written, written)):
            for stage in stages:
                sums[stage] += one.bytes
    assert read == [stage.external_read_bytes for stage in plan.stages]
    assert written == [stage.external_write_bytes for stage in plan.stages]


def test_a_damaged_package_is_one_error(compiled: Compiled) -> None:
    with pytest.raises(BadContainer):
        map_moves(compiled.package[:-1])
