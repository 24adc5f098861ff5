# SPDX-License-Identifier: Apache-2.0
"""`edgefm.validate` judges what the command line judges."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgefm
from edgefm.errors import BadInput
from host_tools.cli import main


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    random = np.random.default_rng(5)
    for k in range(4):
        Image.fromarray(random.integers(0, 256, (24, 30, 3), np.uint8)).save(tmp_path / f"{k}.png")
    path = tmp_path / "labels.csv"
    path.write_text("file,label\n" + "".join(f"{k}.png,{k}\n" for k in range(4)))
    return path


def test_figures_are_those_of_the_command_line(model: Path, package: Path, labels: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int, str]] = []
    for net in (package, model):
        result = edgefm.validate(str(net), labels.parent, str(labels), workers=1,
                                 progress=lambda *now: told.append(now))
        assert main(["validate", str(net), "--images", str(labels.parent), "--labels", str(labels),
                     "--workers", "1", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        got = json.loads(json.dumps(result.to_json()))
        assert {name: value for name, value in got.items() if name != "images_per_second"}.items() \
            <= printed.items()
        assert told[-1] == (4, 4, "validate") and result.n == 4
    assert result["reference_top1"] == result["top1"]


def test_what_makes_no_sense_is_one_clear_line(package: Path, labels: Path) -> None:
    with pytest.raises(BadInput, match="task: got 'guess', expected one of classify"):
        edgefm.validate(package, labels.parent, labels, task="guess")
    for word in ("views", "limit", "workers"):
        with pytest.raises(BadInput, match=f"{word}: got 0, expected a whole number 1..1048576"):
            edgefm.validate(package, labels.parent, labels, **{word: 0})
    with pytest.raises(BadInput, match="got fast for a package, which is already compiled"):
        edgefm.validate(package, labels.parent, labels, fast="4K")
