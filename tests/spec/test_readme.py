# SPDX-License-Identifier: Apache-2.0
"""What README.md shows in Python and C works as it stands there."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from PIL import Image

import edgefm
from edgefm.exporters.tflite import export_tflite
from host_tools.outputs.c_project import c_project, write_c_project


def blocks(root: Path, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (root / "README.md").read_text("utf-8"),
                      re.MULTILINE | re.DOTALL)


def small() -> bytes:
    """A .tflite of a small classifier."""
    net = Network(5, name="net")
    x = net.conv(net.input(1, 32, 32, 3), 8, stride=2)
    return export_tflite(net.graph(net.softmax(net.dense(net.mean(net.conv(x, 8)), 10))))


def test_every_c_block_compiles_beside_an_exported_package(
        root: Path, tmp_path: Path, need: Callable[[str], str]) -> None:
    (tmp_path / "net.tflite").write_bytes(small())
    package = edgefm.compile(tmp_path / "net.tflite").package
    write_c_project(c_project(package, "net.efm", "net"), tmp_path)
    found = blocks(root, "c")
    assert found
    for block in found:
        (tmp_path / "block.c").write_text(block)
        subprocess.run([need("gcc"), "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                        "-I.", "-Iedgefm/include", "block.c"], cwd=tmp_path, check=True)


def test_every_python_block_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.tflite").write_bytes(small())
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(
        tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    found, names = blocks(root), dict[str, Any]()
    assert len(found) >= 2
    for number, block in enumerate(found):
        exec(compile(block, f"README.md, Python block {number}", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert (tmp_path / "net.efm").read_bytes()[:4] == b"EFM1"
    assert printed[0].startswith("<PlanSummary net: ") and len(printed) == 3
