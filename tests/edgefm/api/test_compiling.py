# SPDX-License-Identifier: Apache-2.0
"""`edgefm.compile`, `plan` and `diff` do what the command line does."""

import json
from pathlib import Path

import numpy as np
import pytest

import edgefm
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput, CalibrationWarning, Infeasible
from host_tools.cli import main


@pytest.mark.parametrize("form", [str, Path])
def test_compile_makes_the_package_of_the_command_line(model: Path, compiled: Compiled, form,
                                                       tmp_path: Path) -> None:
    made = edgefm.compile(form(model), fast="4K")
    assert made.package == compiled.package
    saved = made.save(str(tmp_path / "net.efm"))
    assert saved == tmp_path / "net.efm" and saved.read_bytes() == made.package
    assert main(["compile", str(model), "-o", str(tmp_path / "cli.efm"), "--fast", "4K"]) == 0
    assert (tmp_path / "cli.efm").read_bytes() == made.package


def test_progress_tells_the_runs_of_a_calibration(model: Path, tmp_path: Path) -> None:
    for k in range(3):
        np.save(tmp_path / f"{k}.npy", np.full((1, 16, 20, 3), k, np.int8))
    told: list[str] = []
    with pytest.warns(CalibrationWarning):
        edgefm.compile(model, cut="ops", calib=tmp_path, budget=edgefm.LossBudget(kl=0.1),
                       progress=lambda done, total, what: told.append(what))
    assert "plan and code, 1 runs" in told


def test_what_progress_raises_ends_the_compilation(model: Path) -> None:
    class Enough(Exception):
        pass

    def stop(done: int, total: int, what: str) -> None:
        raise Enough

    with pytest.raises(Enough):
        edgefm.compile(model, progress=stop)


def test_errors_are_those_of_the_command_line(model: Path) -> None:
    with pytest.raises(Infeasible, match="the smallest feasible budget"):
        edgefm.compile(model, fast=100)
    with pytest.raises(BadInput, match="nowhere.tflite: no such file|cannot be read"):
        edgefm.compile("nowhere.tflite")
    with pytest.raises(BadInput, match="model: got int, expected the path of a .tflite"):
        edgefm.compile(3)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="labels: 2 names for 4 classes"):
        edgefm.compile(model, names=["cat", "dog"])
    with pytest.raises(BadInput, match="codec 'zip'"):
        edgefm.compile(model, cut="ops", codec="zip")


def test_a_plan_says_what_plan_json_says(model: Path, package: Path,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    for given in ([str(model), "--fast", "4K"], [str(package)]):
        assert main(["plan", "--json", *given]) == 0
        printed = json.loads(capsys.readouterr().out)
        del printed["schema"]
        plan = edgefm.plan(given[0], **({"fast": "4K"} if given[1:] else {}))
        assert json.loads(json.dumps(plan.to_json())) == printed
        assert plan.fast_bytes == printed["fast_bytes"] <= 4096
        assert len(plan.stages) == len(printed["stages"])


def test_a_plan_of_a_package_is_that_of_its_model(model: Path, package: Path,
                                                  compiled: Compiled) -> None:
    plans = [edgefm.plan(one) for one in (package, str(package), compiled, compiled.package)]
    assert {plan.fast_bytes for plan in plans} == {compiled.plan.fast_bytes}
    assert {len(plan.maps) for plan in plans} == {len(compiled.plan.maps)}
    with pytest.raises(BadInput, match="got fast for a package, which is already planned"):
        edgefm.plan(package, fast="4K")


def test_diff_finds_no_difference(model: Path) -> None:
    result = edgefm.diff(str(model), 2, fast="4K")
    assert (result.inputs, result.first_difference) == (2, None) and result.tensors > 3
    one = edgefm.diff(model, [[np.zeros((1, 16, 20, 3), np.int8)]])
    assert (one.inputs, one.first_difference) == (1, None)
