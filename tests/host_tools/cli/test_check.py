# SPDX-License-Identifier: Apache-2.0
"""`edgefm check` says in one go what stands in a model's way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx_models import onnx_file

from edgefm.exporters.tflite import pack
from edgefm.exporters.tflite_operators import TfliteOperator, write_operators
from edgefm.importers.tflite import load_tflite
from host_tools.cli import main

Edgefm = Callable[..., Any]


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> Edgefm:
    """Exit status, standard output and standard error of `edgefm check`."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main(["check", *map(str, arguments)])
        return status, *capfd.readouterr()

    return call


def _wrong(model: Path, tmp_path: Path, *places: int) -> Path:
    """The model with unknown operators."""
    graph = load_tflite(model)
    tensors, operators = write_operators(graph)
    for place in places:
        old = operators[place]
        operators[place] = TfliteOperator("MyOperator", 1, old.inputs, old.outputs)
    path = tmp_path / "wrong.tflite"
    path.write_bytes(pack(tensors, operators, graph.inputs, graph.outputs))
    return path


def test_a_model_that_runs_is_one_line(check: Edgefm, model: Path) -> None:
    status, out, err = check(model)
    assert (status, out, err) == (0, f"{model}: all 4 layers can run\n", "")


def test_layers_with_the_same_reason_stand_together(check: Edgefm, model: Path, tmp_path: Path
                                                    ) -> None:
    path = _wrong(model, tmp_path, 0, 3)
    status, out, err = check(path)
    lines = out.splitlines()
    assert status == 2 and lines[0] == "the operator is not supported"
    assert lines[1].startswith("  what to do: ")
    assert [line.split("'")[1] for line in lines[2:]] == ["features", "scores"]
    assert err == f"edgefm: {path}: 2 problems in 4 layers, listed above; expected none\n"


def test_json_has_every_problem(check: Edgefm, model: Path, tmp_path: Path) -> None:
    status, out, _ = check(_wrong(model, tmp_path, 1), "--json")
    fields = json.loads(out)
    assert (status, fields["layers"], fields["unseen"]) == (2, 4, 0)
    assert [sorted(one) for one in fields["problems"]] == [["reason", "remedy", "where"]]


def test_an_input_shape_fills_in_what_a_file_leaves_open(check: Edgefm, tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "net.onnx", ("x",), (1, 3, "H", "W"))  # type: ignore[arg-type]
    status, _, err = check(path)
    assert status == 2 and "expected --input-shape 1,3,?,? with numbers" in err
    assert check(path, "--input-shape", "1,3,8,8")[0] == 0
    assert "expected 1,3,?,?" in check(path, "--input-shape", "1,4,8,8")[2]
