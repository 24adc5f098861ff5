# SPDX-License-Identifier: Apache-2.0
"""The frontier of a model file: which options it takes, and which leave it nothing to plan."""

from dataclasses import replace
from pathlib import Path

import pytest
from networks import small_classifier

from edgefm.compiler.frontier import compile_frontier
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.errors import BadInput
from edgefm.exporters.tflite import export_tflite

OPTIONS = CompileOptions(pictures=False)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(export_tflite(small_classifier()))
    return path


def test_its_plans_are_those_of_a_compilation(model: Path) -> None:
    _, points = compile_frontier(model, OPTIONS)
    for point in (points[0], points[-1]):
        compiled = compile_model(model, replace(OPTIONS, fast=point.budget))
        assert compiled.plan.fast_bytes == point.plan.fast_bytes


def test_it_plans_for_the_target(model: Path, tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text("alignment = 16\n")
    _, points = compile_frontier(model, replace(OPTIONS, target=str(tmp_path / "board.toml")))
    assert all(m.address % 16 == 0 for point in points for m in point.plan.maps)


@pytest.mark.parametrize("given", [{"cut": "ops"}, {"codec": "context"},
                                   {"kl_budget": 0.1}, {"byte_budget": 1000}])
def test_what_it_leaves_open_may_not_be_fixed(model: Path, given: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=r"net\.tflite: .*every size of fast memory.*; got .*, "
                                       r"expected none$"):
        compile_frontier(model, replace(OPTIONS, **given))  # type: ignore[arg-type]


def test_raw_may_be_said(model: Path) -> None:
    raw = compile_frontier(model, replace(OPTIONS, codec="raw"))[1]
    assert [p.budget for p in raw] == [p.budget for p in compile_frontier(model, OPTIONS)[1]]
