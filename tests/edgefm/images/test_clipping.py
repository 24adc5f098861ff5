# SPDX-License-Identifier: Apache-2.0
"""Numbers in files: which range they ask for, and what is said of values that a range cuts off."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefm.errors import CalibrationWarning, ClippingWarning
from edgefm.images.clipping import holds_numbers, input_range, warn_of_clipped
from edgefm.images.preprocess import InputInfo, load_image, parse_preprocess
from edgefm.network.graph import Array

FLOAT = InputInfo((1, 4, 5, 3), "float32")
RAW = parse_preprocess("mean=0,std=1")


def saved(folder: Path, *arrays: Array) -> list[Path]:
    paths = [folder / f"{i}.npy" for i in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array)
    return paths


def values(low: float, high: float, seed: int = 0) -> Array:
    """Floats for the input with these extremes."""
    made = np.random.default_rng(seed).uniform(low, high, FLOAT.shape).astype(np.float32)
    made.flat[:2] = low, high
    return made


def test_floats_are_numbers_and_pixels_are_not(tmp_path: Path) -> None:
    paths = saved(tmp_path, values(0, 1), np.zeros((4, 5, 3)), np.zeros((4, 5, 3), np.uint8),
                  np.zeros((1, 4, 5, 3), np.int8))
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    assert [holds_numbers(p) for p in (*paths, tmp_path / "x.png")] == [True, True, *[False] * 3]


def asked(files: list[Path]) -> tuple[float, float] | None:
    return input_range(files, [load_image(f, RAW, FLOAT) for f in files], RAW)


def test_numbers_decide_alone_and_say_what_they_leave(tmp_path: Path) -> None:
    files = saved(tmp_path, values(-3, 4), values(1, 200))
    below = int((np.load(files[0]) < -0.5).sum())
    with pytest.warns(CalibrationWarning) as told:
        assert asked(files) is None
    assert str(told[0].message) == (
        f"{tmp_path}: {below} of 120 values in 1 of 2 .npy files lie outside 0..255, which "
        "--preprocess makes of pixels; the input's range is that of the files, -3..200, and "
        "pictures will be clipped to it")


def test_numbers_that_reach_less_than_pixels_clip_pictures(tmp_path: Path) -> None:
    with pytest.warns(CalibrationWarning, match="no value .* lies outside 0..255.*files, 0..1, and "
                                                "pictures will be clipped"):
        assert asked(saved(tmp_path, values(0, 1))) is None


def test_numbers_that_are_preprocessed_pictures_need_no_word(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asked(saved(tmp_path, values(0, 255), values(20, 30))) is None


def test_pictures_keep_what_pixels_can_become(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (9, 9), (5, 6, 7)).save(tmp_path / "x.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asked([tmp_path / "x.png", *saved(tmp_path, values(3, 4))]) == (0, 255)
    with pytest.warns(CalibrationWarning, match="widened to that of the files, -9..4$"):
        assert asked([tmp_path / "x.png", *saved(tmp_path, values(-9, 4))]) == (0, 255)


def test_without_preprocessing_the_numbers_decide(tmp_path: Path) -> None:
    files = saved(tmp_path, values(-3, 4))
    assert input_range(files, [np.load(files[0])], None) is None


def test_what_an_integer_input_cannot_hold_is_counted(tmp_path: Path) -> None:
    target = InputInfo(FLOAT.shape, "int8", 0.5, 28)  # -78 .. 49.5
    inside, outside = values(-78.2, 49.7), values(-78.2, 49.7)
    outside.flat[5:8] = 50, -79, np.nan
    files = saved(tmp_path, inside, outside)
    with pytest.warns(ClippingWarning) as told:
        warn_of_clipped(files, target, tmp_path)
    assert str(told[0].message) == (
        f"{tmp_path}: 3 of 120 values in 1 of 2 .npy files lie outside -78..49.5, which is all "
        "that the network's input can hold, and will be clipped")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_clipped(files[:1], target, tmp_path)
        warn_of_clipped(files, FLOAT, tmp_path)
