# SPDX-License-Identifier: Apache-2.0
"""Reading torchvision-named weights from .npz files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.npz import load_npz
from edgefm.network.graph import Array
from edgefm.ops import run_graph
from edgefm.training.shapes import squeezenet_shapes


def small_weights() -> dict[str, Array]:
    """A SqueezeNet 1.1 of a few hundred weights."""
    shapes = squeezenet_shapes(3, 4, [(1, 2, 2)] * 8, 3, 1)
    return {name: np.full(shape, 0.1, np.float16) for name, shape in shapes.items()}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write(name=array, ...)` -> an .npz of the small network with these arrays put in."""

    def make(**arrays: Array) -> Path:
        path = tmp_path / "small.npz"
        np.savez(path, **{**small_weights(), **arrays})
        return path

    return make


def test_metadata_sets_input_size_and_first_stride(write: Callable[..., Path]) -> None:
    path = write(**{"edgefm.input_size": np.array([40, 50]), "edgefm.first_stride": np.array(1)})
    graph = load_npz(path)
    assert graph.name == "small"
    assert graph.tensors[graph.inputs[0]].shape == (1, 40, 50, 1)
    assert graph.tensors[graph.nodes[0].outputs[0]].shape == (1, 38, 48, 4)


def test_standard_input_is_224(write: Callable[..., Path]) -> None:
    graph = load_npz(write())
    assert graph.tensors[graph.inputs[0]].shape == (1, 224, 224, 1)


@pytest.mark.parametrize(("name", "array", "message"), [
    ("features.3.squeeze.bias", np.array([np.nan], np.float16), "not finite"),
    ("features.3.squeeze.bias", np.array([1]), "holds int64, expected float16 or float32"),
    ("features.3.squeeze.bias", np.array(["x"]), "elements are '<U1', expected"),
    ("edgefm.input_size", np.array([64]), r"2 whole number\(s\)"),
    ("edgefm.input_size", np.array([64.0, 64.0]), "float64"),
    ("edgefm.input_size", np.array([0, 64]), r"\(0, 64\), expected 1 to"),
    ("edgefm.input_size", np.array([64, 10**9]), "expected 1 to"),
    ("edgefm.first_stride", np.array(9), "expected 1 to 4"),
    ("edgefm.color", np.array(9), "'edgefm.color' is unknown"),
])
def test_unusable_array_is_named_with_its_file(write: Callable[..., Path], name: str,
                                               array: Array, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        load_npz(write(**{name: array}))
    assert "small.npz" in str(caught.value) and name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, **{"conv1.weight": np.zeros((1, 1, 1, 1), np.float32)})
    with pytest.raises(UnsupportedModel, match=r"other.npz: not the tensor names.*conv1.weight"):
        load_npz(path)


def test_empty_archive_and_single_array_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "empty.npz")
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(UnsupportedModel, match="there are none"):
        load_npz(tmp_path / "empty.npz")
    with pytest.raises(BadInput, match="not a readable .npz file"):
        load_npz(tmp_path / "single.npy")


def test_missing_file_and_pickles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent.npz: no such file"):
        load_npz(tmp_path / "absent.npz")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, **{"features.0.weight": np.array([{}], object)})
    with pytest.raises(BadInput, match=r"pickled.npz: not a readable .npz file .*'\|O'"):
        load_npz(pickled)


def test_every_damaged_file_is_refused_or_read(write: Callable[..., Path]) -> None:
    path = write()
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 61):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:]):
            path.write_bytes(damaged)
            try:
                load_npz(path)
            except BadInput as error:
                assert "small.npz" in str(error)
                refused += 1
    assert refused > len(whole) // 61


def test_array_with_a_damaged_header_is_refused_or_read(tmp_path: Path) -> None:
    path, array = tmp_path / "header.npz", io.BytesIO()
    np.save(array, np.zeros((2, 2), np.float16))
    whole = array.getvalue()
    for at in range(len(whole)):
        for byte in (0, 0x28, 0x39, 0xFF, whole[at] ^ 1):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("features.0.weight.npy",
                                 whole[:at] + bytes([byte]) + whole[at + 1:])
            with pytest.raises(BadInput, match=r"header.npz"):
                load_npz(path)


def test_squeezenet_npz_gives_the_numbers_of_the_onnx_file(
        data_dir: Path, need_module: Callable[[str], None]) -> None:
    need_module("onnx")
    import onnx
    from onnx.reference import ReferenceEvaluator

    models = data_dir / "models"
    graph = load_npz(models / "squeezenet1_1_torchvision_fp16.npz")
    image = np.random.default_rng(5).normal(size=(1, 224, 224, 3)).astype(np.float32)
    logits = run_graph(graph, [image])[graph.outputs[0]]
    other = ReferenceEvaluator(onnx.load(models / "squeezenet1_1_torchvision.onnx"))
    (expected,) = other.run(None, {"input": image.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_a_map_of_too_many_elements_is_refused(tmp_path: Path) -> None:
    shapes = squeezenet_shapes(3, 64, [(1, 2, 2)] * 8, 3, 1)
    path = tmp_path / "wide.npz"
    np.savez(path, **{name: np.zeros(shape, np.float16) for name, shape in shapes.items()},
             **{"edgefm.input_size": np.array([4096, 4096]), "edgefm.first_stride": np.array(1)})
    with pytest.raises(BadInput, match=r"layer 'features.0' makes a map of \[1, 4094, 4094, 64\]"):
        load_npz(path)
