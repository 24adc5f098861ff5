# SPDX-License-Identifier: Apache-2.0
"""The files of `--calib`: which are taken, what few, small or broken ones lead to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import small_classifier
from PIL import Image

from edgefm.compiler.calibration import calibration_files, calibration_inputs
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.errors import BadInput, CalibrationWarning, ClippingWarning
from edgefm.evaluate.diff import random_inputs
from edgefm.files.suffixes import PICTURES
from edgefm.images.preprocess import choose_preprocess


def test_calibration_files_are_pictures_and_arrays_in_order(samples: Path) -> None:
    names = [path.name for path in calibration_files(samples, "net")]
    assert names == [f"{k:02}.npy" for k in range(10)]


@pytest.mark.parametrize(("most", "names"), [(1, [0]), (3, [0, 3, 6]), (5, [0, 2, 4, 6, 8]),
                                             (10, list(range(10))), (99, list(range(10)))])
def test_calibration_inputs_are_spread_over_the_files(samples: Path, most: int,
                                                      names: list[int]) -> None:
    inputs = calibration_inputs(small_classifier(), None, samples, most)
    for array, name in zip(inputs, names, strict=True):
        np.testing.assert_array_equal(array, random_inputs(small_classifier(), name)[0])


def test_no_calibration_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="net: calibration files are needed; expected --calib DIR"):
        calibration_files(None, "net")
    with pytest.raises(BadInput, match="not a folder"):
        calibration_files(tmp_path / "nowhere", "net")
    with pytest.raises(BadInput, match=r"no pictures or \.npy files in it"):
        calibration_files(tmp_path, "net")


def test_few_calibration_files_name_the_consequence(model: Path, samples: Path, tmp_path: Path
                                                    ) -> None:
    (tmp_path / "0.npy").write_bytes((samples / "00.npy").read_bytes())
    options = CompileOptions(calib=tmp_path, cut="ops", codec="context")
    with pytest.warns(CalibrationWarning, match="1 calibration file, expected at least 4: codec "
                                                "tables are learned from them"):
        compile_model(model, options)
    with pytest.raises(BadInput, match="one calibration file; expected at least two"), \
            pytest.warns(CalibrationWarning, match="expected at least 20: the budget"):
        compile_model(model, replace(options, kl_budget=0.1))


def test_unreadable_calibration_files_are_named(model: Path, tmp_path: Path) -> None:
    options = CompileOptions(calib=tmp_path, cut="ops", codec="context")
    np.save(tmp_path / "0.npy", np.zeros((1, 3, 3, 3), np.int8))
    with pytest.raises(BadInput, match=r"0\.npy: holds int8 \[1, 3, 3, 3\], expected"):
        compile_model(model, options)
    (tmp_path / "0.npy").write_bytes(b"")
    with pytest.raises(BadInput, match=r"0\.npy: not a readable \.npy file"):
        compile_model(model, options)


def test_arrays_that_a_quantized_input_cannot_hold_are_told(model: Path, tmp_path: Path) -> None:
    compiled = compile_model(model, CompileOptions())
    np.save(tmp_path / "0.npy", np.full((1, 20, 24, 3), 50, np.float32))
    with pytest.warns(ClippingWarning, match="1440 of 1440 values in 1 of 1"):
        calibration_inputs(compiled.graph, compiled.preprocess, tmp_path)


@pytest.mark.parametrize("suffix", sorted(PICTURES))
def test_every_kind_of_picture_calibrates(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (20, 24, 3), np.uint8)
    picture = Image.fromarray(pixels).convert("L" if suffix == ".pgm" else "RGB")
    picture.save(tmp_path / f"a{suffix.upper()}")
    (tmp_path / "notes.txt").write_text("no picture")
    graph = small_classifier()
    (made,) = calibration_inputs(graph, choose_preprocess(graph, "raw", None), tmp_path)
    exact = suffix in (".png", ".bmp", ".tif", ".tiff", ".ppm")
    assert made.shape == (1, 20, 24, 3) and made.dtype == np.int8 and made.std() > 20
    assert not exact or (made[0] == (pixels ^ 128).view(np.int8)).all()
