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


def _within(data: bytes, *fields: int) -> bytes:
    """A protobuf message that holds `data` in a field of a field of ..."""
    from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
    for number in reversed(fields):
        data = bytes(_VarintBytes(number << 3 | 2)) + bytes(_VarintBytes(len(data))) + data
    return data


@pytest.mark.parametrize("levels", [30, 40, 1000, 20_000])
def test_graphs_in_graphs_in_graphs_are_refused(folder: Path, levels: int) -> None:
    data = b""
    for _ in range(levels):
        data = _within(data, 1, 5, 6)  # node, attribute, graph
    (folder / "net.onnx").write_bytes(_within(data, 7))
    with Limited(64 << 20), pytest.raises(BadInput, match=r"net\.onnx: ") as refused:
        load_onnx(folder / "net.onnx")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("dims", [[1 << 40], [-5], [1 << 62, 1 << 62], [0, 1 << 62], [1] * 9])
def test_constants_of_impossible_shapes_are_refused(folder: Path, dims: list[int]) -> None:
    import onnx
    made = onnx.load_model_from_string(model([("Relu", ["x"], ["y"], {})], {}))
    made.graph.initializer.add(name="w", data_type=1, dims=dims, raw_data=b"1234")
    (folder / "net.onnx").write_bytes(made.SerializeToString())
    with Limited(16 << 20), pytest.raises(BadInput, match=r"net\.onnx: ") as refused:
        load_onnx(folder / "net.onnx")
    assert "\n" not in str(refused.value)


def test_sparse_constants_are_refused_unexpanded(folder: Path) -> None:
    import onnx
    made = onnx.load_model_from_string(model([("Relu", ["x"], ["y"], {})], {}))
    one = made.graph.sparse_initializer.add(dims=[1 << 40])
    one.values.CopyFrom(onnx.numpy_helper.from_array(floats(1), "w"))
    one.indices.CopyFrom(onnx.numpy_helper.from_array(np.array([3]), ""))
    (folder / "net.onnx").write_bytes(made.SerializeToString())
    with Limited(16 << 20), pytest.raises(BadInput, match="sparse"):
        load_onnx(folder / "net.onnx")


def test_very_many_inputs_are_refused_before_each_looks_for_its_users(folder: Path) -> None:
    import onnx
    made = onnx.load_model_from_string(model([("Relu", ["x"], ["y"], {})], {}))
    for i in range(20_000):
        made.graph.input.add().CopyFrom(made.graph.input[0])
        made.graph.input[-1].name = f"x{i}"
    made.graph.node[0].op_type = "Concat"
    made.graph.node[0].attribute.append(onnx.helper.make_attribute("axis", 1))
    made.graph.node[0].input.extend(f"x{i}" for i in range(20_000))
    (folder / "net.onnx").write_bytes(made.SerializeToString())
    with Limited(64 << 20), pytest.raises(UnsupportedModel, match="20001 inputs; expected at"):
        load_onnx(folder / "net.onnx")
