# SPDX-License-Identifier: Apache-2.0
"""From a model file to an integer network: what a float one lacks, and what arrays say."""

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from onnx_models import onnx_file
from PIL import Image

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_model
from edgefm.errors import BadInput, CalibrationWarning
from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Graph, Node, Tensor
from edgefm.package.read import read_info


@pytest.mark.parametrize(("inputs", "options", "text"), [
    ("x", CompileOptions(), r"expected --calib DIR with .* --preprocess raw\|tf"),
    ("x", CompileOptions(preprocess="raw"), "calibration files are needed; expected --calib DIR"),
    ("x", CompileOptions(calib=Path()), r"is float; expected --preprocess raw\|tf"),
    ("xz", CompileOptions(), r"float network with 2 inputs \('x', 'z'\); expected one"),
    ("xz", CompileOptions(preprocess="raw", calib=Path()), r"2 inputs \('x', 'z'\); expected one")])
def test_what_a_float_network_lacks_is_said_at_once_and_names_its_file(
        tmp_path: Path, inputs: str, options: CompileOptions, text: str) -> None:
    path = onnx_file(tmp_path / "net.onnx", tuple(inputs))
    if options.calib is not None:
        Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
        options = replace(options, calib=tmp_path)
    with pytest.raises(BadInput, match=text) as error:
        compile_model(path, options)
    assert str(error.value).startswith(f"{path}: ") and "main_graph" not in str(error.value)




def float_file(folder: Path, *shape: int) -> Path:
    """A float .tflite of one fully connected operator over all of its input."""
    tensors = [Tensor("x", shape, "float32"), Tensor("flat", (1, prod(shape)), "float32"),
               Tensor("y", (1, 4), "float32")]
    data = np.random.default_rng(1).normal(size=(4, prod(shape))).astype(np.float32)
    tensors.append(Tensor("w", data.shape, "float32", data=data))
    nodes = (Node("reshape", "flat", (0,), (1,)),
             Node("fully_connected", "y", (1, 3, -1), (2,),
                  {"activation": None, "keep_dims": False}))
    path = folder / "float.tflite"
    path.write_bytes(export_tflite(Graph("float", tuple(tensors), nodes, (0,), (2,))))
    return path


def float_samples(folder: Path, shape: tuple[int, ...], low: float = -3, high: float = 4) -> Path:
    """Forty .npy files between `low` and `high`; the first alone reaches -9 and 12."""
    folder.mkdir()
    for k in range(40):
        values = np.random.default_rng(k).uniform(low, high, shape).astype(np.float32)
        if k == 0:
            values.flat[:2] = -9, 12
        np.save(folder / f"{k:02}.npy", values)
    return folder


def reach(compiled: Compiled) -> tuple[float, float]:
    entry = compiled.graph.tensors[compiled.graph.inputs[0]]
    return (entry.scale * (-128 - entry.zero_point), entry.scale * (127 - entry.zero_point))


@pytest.mark.parametrize("shape", [(1, 3), (1, 16), (1, 20, 3), (20, 3), (1, 4, 5, 3), (1, 3, 4, 5),
                                   (1, 4, 5, 2)], ids=str)
def test_a_float_network_calibrated_with_arrays_is_not_asked_for_pictures(
        tmp_path: Path, shape: tuple[int, ...]) -> None:
    model, calib = float_file(tmp_path, *shape), float_samples(tmp_path / "calib", shape)
    compiled = compile_model(model, CompileOptions(calib=calib))
    assert compiled.preprocess is None and read_info(compiled.package).preprocess is None
    assert reach(compiled) == pytest.approx((-9, 12), abs=0.05)


@pytest.mark.parametrize("preprocess", ["raw", "tf", "torchvision"])
def test_what_arrays_hold_wins_over_preprocessing(tmp_path: Path, preprocess: str) -> None:
    shape = (1, 4, 5, 3)
    model, calib = float_file(tmp_path, *shape), float_samples(tmp_path / "calib", shape)
    with pytest.warns(CalibrationWarning, match=r"of 2400 values in 40 of 40 \.npy files lie out"):
        compiled = compile_model(model, CompileOptions(calib=calib, preprocess=preprocess))
    assert compiled.preprocess is not None
    assert reach(compiled) == pytest.approx((-9, 12), abs=0.05)


def test_pictures_among_arrays_have_to_be_explained(tmp_path: Path) -> None:
    shape = (1, 4, 5, 3)
    model, calib = float_file(tmp_path, *shape), float_samples(tmp_path / "calib", shape)
    Image.new("RGB", (9, 9)).save(calib / "x.png")
    with pytest.raises(BadInput, match="is float; expected --preprocess"):
        compile_model(model, CompileOptions(calib=calib))
    with pytest.raises(BadInput, match=r"x\.png: nothing says how a picture becomes"):
        compile_model(model, CompileOptions(calib=calib, pictures=False))
    with pytest.warns(CalibrationWarning, match="widened to that of the files"):
        compiled = compile_model(model, CompileOptions(calib=calib, preprocess="raw"))
    assert reach(compiled) == pytest.approx((-9, 255), abs=1.1)
