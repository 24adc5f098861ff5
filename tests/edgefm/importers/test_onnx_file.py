# SPDX-License-Identifier: Apache-2.0
"""ONNX files: how many nodes they may have, and where their constants may lie."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limits import Limited
from onnx_models import floats, model

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers import onnx_file
from edgefm.importers.onnx import load_onnx

BIAS = floats(1, 4, 1, 1)


@pytest.fixture(autouse=True)
def _needs_onnx(need_module: Callable[[str], None]) -> None:
    need_module("onnx")


def outside(path: Path, copies: int = 1, **said: Any) -> Path:
    """x + b, b in another file."""
    import onnx
    nodes = [("Add", ["x" if i == 0 else f"y{i - 1}", f"b{i}"], [f"y{i}"], {})
             for i in range(copies)]
    made = onnx.load_model_from_string(model(nodes, {f"b{i}": BIAS for i in range(copies)},
                                             outputs=(f"y{copies - 1}",)))
    for tensor in made.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = tensor.EXTERNAL
        for key, value in said.items():
            tensor.external_data.add(key=key, value=str(value))
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the constants in a file and in a folder, and beside it one of secrets."""
    for place in ("net", "net/deep", "secrets"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "data.bin").write_bytes(b"1234" + BIAS.tobytes())
    return tmp_path / "net"


@pytest.mark.parametrize("location", ["data.bin", "deep/data.bin", "./data.bin"])
def test_constants_beside_the_model_are_read(folder: Path, location: str) -> None:
    graph = load_onnx(outside(folder / "net.onnx", location=location, offset=4, length=16))
    found = graph.tensors[graph.nodes[0].inputs[1]].data
    np.testing.assert_array_equal(found.ravel(), BIAS.ravel())
    assert load_onnx(outside(folder / "net.onnx", location=location, offset=4)).nodes


def test_constants_anywhere_else_are_refused(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secrets")
    (folder / "data.link").symlink_to(folder.parent / "secrets" / "data.bin")
    for location in ("../secrets/data.bin", str(folder.parent / "secrets/data.bin"),
                     "link/data.bin", "data.link", "deep/../../secrets/data.bin", "", "C:\\a",
                     "/etc/passwd", "a\0b"):
        with pytest.raises(BadInput, match="expected one in the model's folder") as refused:
            load_onnx(outside(folder / "net.onnx", location=location))
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("said", "text"), [
    ({"offset": 5, "length": 16}, "bytes 5 to 21 of .*data.bin, which has 20"),
    ({"offset": -1}, "expected a whole number"), ({"length": "9" * 5000}, "whole number"),
    ({"offset": "1e3"}, "whole number"), ({"offset": 99}, "which has 20"),
    ({"location": "absent"}, "absent: no such file"), ({"location": "deep"}, "a folder"),
    ({"location": "fifo"}, "a FIFO"), ({"length": 3}, r"net\.onnx")])
def test_a_place_that_is_none_is_refused(folder: Path, said: dict[str, Any], text: str) -> None:
    os.mkfifo(folder / "fifo")
    with pytest.raises(BadInput, match=text) as refused:
        load_onnx(outside(folder / "net.onnx", **{"location": "data.bin", "offset": 4, **said}))
    assert "\n" not in str(refused.value)


def test_many_constants_in_the_same_bytes_do_not_fill_memory(
        folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "data.bin").open("r+b") as file:
        file.truncate(6 << 20)
    path = outside(folder / "net.onnx", 100, location="data.bin")
    monkeypatch.setattr(onnx_file, "MOST_MODEL", 20 << 20)
    with Limited(50 << 20), pytest.raises(BadInput, match="constants of more than"):
        load_onnx(path)


def test_too_many_nodes_and_too_long_names_are_refused(
        folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = outside(folder / "net.onnx", 3, location="data.bin", offset=4)
    assert len(load_onnx(path).nodes) == 3
    monkeypatch.setattr(onnx_file, "MOST_NODES", 2)
    with pytest.raises(UnsupportedModel, match="3 nodes, expected at most 2"):
        load_onnx(path)
    (folder / "net.onnx").write_bytes(model([("Relu", ["x"], ["y" * 5000], {})], {},
                                            outputs=("y" * 5000,)))
    with pytest.raises(BadInput, match="a name of more than 4096 characters"):
        load_onnx(path)
