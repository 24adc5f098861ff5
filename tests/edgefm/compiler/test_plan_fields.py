# SPDX-License-Identifier: Apache-2.0
"""Facts about a plan in addition to its own figures."""

from pathlib import Path

import pytest
from networks import Network

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.compiler.plan_fields import compiled_fields, package_fields
from edgefm.exporters.tflite import export_tflite


@pytest.fixture
def model(tmp_path: Path) -> Path:
    net = Network(3)
    x = net.conv(net.conv(net.input(1, 16, 16, 3), 8), 8)
    (tmp_path / "net.tflite").write_bytes(export_tflite(net.graph(net.softmax(x))))
    return tmp_path / "net.tflite"


def test_coded_values_are_those_of_coded_maps_both_ways(model: Path) -> None:
    options = CompileOptions(cut="ops", codec="zvc")
    compiled = compile_model(model, options)
    told = compiled_fields(compiled, options)
    coded = [m for m in compiled.plan.maps if m.codec != "raw"]
    assert coded and told["coded_values"] >= 2 * sum(m.rows * m.row_bytes for m in coded)
    assert 0 < told["expected_map_bytes"] < (compiled.plan.external_read_bytes
                                             + compiled.plan.external_write_bytes)
    assert "other_objective" not in told  # the cuts are fixed


def test_raw_maps_say_why_and_the_other_objective_is_told(model: Path) -> None:
    compiled = compile_model(model, CompileOptions(cut="ops"))
    assert all(one["why_raw"] for one in compiled_fields(compiled, CompileOptions())["maps"])
    options = CompileOptions(fast=4096)
    told = compiled_fields(compile_model(model, options), options)
    assert told["other_objective"]["objective"] == "maps"


def test_a_package_without_maps_expects_none() -> None:
    assert package_fields({"maps": []}) == {"expected_map_bytes": 0, "coded_values": 0}
    assert package_fields({"maps": [{}]}) == {}
