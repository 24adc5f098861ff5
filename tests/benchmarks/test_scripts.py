# SPDX-License-Identifier: Apache-2.0
"""Every benchmark starts, explains itself, and refuses a folder without models in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("[!_]*.py"))
WITHOUT_MODELS = ("bench_kernels", "instructions", "link", "modeled", "recompute", "recording",
                  "report")
NEED_MODELS = [path for path in SCRIPTS if path.stem not in WITHOUT_MODELS]


def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True,
                          check=False)


def test_there_is_a_script_for_every_kind_of_result() -> None:
    assert {"accuracy", "codecs", "exactness", "plans", "points", "rates", "speed", "tasks"} <= {
        path.stem for path in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_prints_its_help(script: Path) -> None:
    done = _run(script, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")


@pytest.mark.parametrize("script", NEED_MODELS, ids=lambda path: path.stem)
def test_script_says_in_one_line_that_models_are_missing(script: Path, tmp_path: Path) -> None:
    done = _run(script, "--data", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path) in done.stderr


def test_published_networks_that_are_missing_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    done = _run(SCRIPTS[0].parent / "field.py", "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path) in done.stderr
