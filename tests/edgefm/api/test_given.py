# SPDX-License-Identifier: Apache-2.0
"""What a caller hands to `run`: arrays, pictures, files; what does not fit says why."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefm.errors import BadInput
from edgefm.images.preprocess import load_image


def test_without_the_batch_dimension_outputs_have_none_either(net, array: np.ndarray) -> None:
    whole, bare = net.run(array), net.run(array[0])
    assert (whole[0].shape, bare[0].shape) == ((1, 4), (4,))
    assert (whole[0][0] == bare[0]).all()


def test_a_list_and_a_dict_by_name_are_taken(net, array: np.ndarray) -> None:
    first = net.run(array)[0]
    for given in ([array], (array,), {"pixels": array}):
        assert (net.run(given)[0] == first).all()
    assert (net(array)[net.outputs[0].name] == first).all()


def test_a_picture_or_its_file_is_preprocessed(net, tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 256, (31, 50, 3), np.uint8))
    picture.save(tmp_path / "cat.png")
    made = load_image(tmp_path / "cat.png", net.info.preprocess, net.inputs[0])
    for given in (tmp_path / "cat.png", str(tmp_path / "cat.png"), picture, [picture],
                  picture.convert("RGBA"), {"pixels": picture}):
        assert (net.run(given)[0] == net.run(made)[0]).all()


@pytest.mark.parametrize(("given", "words"), [
    (np.zeros((1, 16, 20, 3), np.float32), r"got float32 \[1, 16, 20, 3\], expected int8 "
     r"\[1, 16, 20, 3\] or \[16, 20, 3\]; the input is quantized \(scale 0.25, zero point 3\): "
     "quantize=True"),
    (np.zeros((16, 20, 3), np.int64), "got int64"),
    (np.zeros((2, 16, 20, 3), np.int8), r"got int8 \[2, 16, 20, 3\].*one picture is run at a time"),
    (np.zeros((16, 20), np.int8), r"got int8 \[16, 20\]"),
    (np.zeros((99, 50, 3), np.uint8), "Image.fromarray"),
    (np.zeros((1, 16, 20, 3), object), "got object"),
    ([], "got 0 inputs, expected 1: 'pixels'"),
    ({"x": 1, "y": 2}, "got inputs 'x', 'y', expected 'pixels'"), ({}, "got inputs none, expected"),
    (7, "got int, expected a NumPy array, a picture or the name of a file"),
    (None, "got NoneType"), ("nowhere.png", "nowhere.png: no such file")])
def test_what_does_not_fit_says_what_was_got_and_what_is_expected(net, given, words: str) -> None:
    with pytest.raises(BadInput, match=words) as error:
        net.run(given)
    assert "\n" not in str(error.value)


def test_real_values_are_quantized_and_dequantized_when_asked(net, array: np.ndarray) -> None:
    real = (array.astype(np.float64) - 3) * 0.25
    result = net.run(real, quantize=True, dequantize=True)
    assert result[0].dtype == np.float32
    assert (result[0] == (net.run(array)[0].astype(np.float32) + 128) / 256).all()
    assert (net.run(real[0].astype(np.float32), quantize=True)[0] == net.run(array)[0][0]).all()
    assert (net.run(array, quantize=True)[0] == net.run(array)[0]).all()


def test_arrays_that_are_not_contiguous_are_taken(net, array: np.ndarray) -> None:
    assert (net.run(np.asfortranarray(array))[0] == net.run(array)[0]).all()
    assert (net.run(array[:, ::-1][:, ::-1])[0] == net.run(array)[0]).all()
