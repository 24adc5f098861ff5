# SPDX-License-Identifier: Apache-2.0
"""What README.md and the pages of docs show in Python and C works as it stands there."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from PIL import Image
from recorded import record_run

import edgefm
from edgefm.exporters.tflite import export_tflite
from host_tools.outputs.c_project import Net, c_project, write_c_project
from tools import docs


def blocks(path: Path, language: str) -> list[str]:
    return [block.text for block in docs.blocks(path)
            if block.language == language and not block.test]


def having(language: str) -> list[str]:
    """The documents with a block in a language."""
    return [str(path.relative_to(docs.ROOT)) for path in docs.documents()
            if blocks(path, language)]


def small() -> bytes:
    """A .tflite of a small classifier."""
    net = Network(5, name="net")
    x = net.conv(net.input(1, 32, 32, 3), 8, stride=2)
    return export_tflite(net.graph(net.softmax(net.dense(net.mean(net.conv(x, 8)), 10))))


@pytest.mark.parametrize("name", having("c"))
def test_every_c_block_compiles_beside_an_exported_package(
        root: Path, name: str, tmp_path: Path, need: Callable[[str], str]) -> None:
    (tmp_path / "net.tflite").write_bytes(small())
    package = edgefm.compile(tmp_path / "net.tflite").package
    write_c_project(c_project([Net(package, "net.efm", "net")]), tmp_path)
    for block in blocks(root / name, "c"):
        (tmp_path / "block.c").write_text(block)
        subprocess.run([need("gcc"), "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                        "-I.", "-Iedgefm/include", "block.c"], cwd=tmp_path, check=True)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the documents speak of, which is the current one."""
    (tmp_path / "net.tflite").write_bytes(small())
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(
        tmp_path / "cat.jpg")
    record_run(tmp_path / "run1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", having("python"))
def test_every_python_block_runs(root: Path, name: str, files: Path) -> None:
    names = dict[str, Any]()
    for number, block in enumerate(blocks(root / name, "python")):
        exec(compile(block, f"{name}, Python block {number}", "exec"), names)


def test_what_the_readme_prints_is_what_it_says(root: Path, files: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    names = dict[str, Any]()
    found = blocks(root / "README.md", "python")
    assert len(found) >= 2 and {"README.md"} < set(having("c"))
    for block in found:
        exec(block, names)
    printed = capsys.readouterr().out.splitlines()
    assert (files / "net.efm").read_bytes()[:4] == b"EFM1"
    assert printed[0].startswith("<PlanSummary net: ") and len(printed) == 3
