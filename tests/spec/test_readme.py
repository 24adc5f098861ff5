# SPDX-License-Identifier: Apache-2.0
"""What README.md shows in Python runs as it stands there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from PIL import Image

from edgefm.exporters.tflite import export_tflite


def blocks(root: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (root / "README.md").read_text("utf-8"),
                      re.MULTILINE | re.DOTALL)


def test_every_python_block_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    net = Network(5, name="net")
    x = net.conv(net.input(1, 32, 32, 3), 8, stride=2)
    graph = net.graph(net.softmax(net.dense(net.mean(net.conv(x, 8)), 10)))
    (tmp_path / "net.tflite").write_bytes(export_tflite(graph))
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
