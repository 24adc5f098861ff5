# SPDX-License-Identifier: Apache-2.0
"""Preprocessing: the written forms, the defaults, and the exact input values."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefm.errors import BadInput
from edgefm.images.preprocess import (
    InputInfo,
    Preprocess,
    choose_preprocess,
    from_json,
    load_image,
    parse_preprocess,
    picture_to_input,
    quantize,
)
from edgefm.network.graph import Graph, Node, Tensor

RAW8 = InputInfo((1, 2, 2, 3), "uint8")


def _picture(path: Path, pixels: object) -> Path:
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


@pytest.mark.parametrize("text", ["raw", "tf", "torchvision", "caffe",
                                  "mean=124,117,104,std=58,57,57,order=bgr", "std=2"])
def test_json_round_trip(text: str) -> None:
    preprocess = parse_preprocess(text, "stretch")
    assert from_json(json.loads(json.dumps(preprocess.to_json()))) == preprocess


def test_lists_and_order_are_read() -> None:
    assert parse_preprocess("mean=1,2,3,std=4,order=BGR") == Preprocess(
        False, (1.0, 2.0, 3.0), (4.0,), "bgr", "crop")


@pytest.mark.parametrize("text", ["", "what", "mean=", "mean=a", "std=0", "std=-1", "mean=1,2",
                                  "mean=nan", "std=inf", "order=gbr", "mean=1,mean=2", "1,2,3",
                                  "size=3", "order=rgb,bgr"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="preprocess"):
        parse_preprocess(text)


@pytest.mark.parametrize("fields", [{}, {"raw": True}, {"raw": False, "mean": 3}])
def test_broken_json_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="broken description"):
        from_json(fields)


def test_unknown_geometry_is_refused() -> None:
    with pytest.raises(BadInput, match=r"crop\|stretch\|letterbox"):
        parse_preprocess("raw", "fold")


def test_raw_uint8_is_the_pixels(tmp_path: Path) -> None:
    pixels = np.arange(12).reshape(2, 2, 3)
    path = _picture(tmp_path / "a.png", pixels)
    assert np.array_equal(load_image(path, Preprocess(), RAW8)[0], pixels)


def test_raw_int8_is_pixel_minus_128(tmp_path: Path) -> None:
    path = _picture(tmp_path / "a.png", [[[0, 128, 255]]])
    values = load_image(path, Preprocess(), InputInfo((1, 1, 1, 3), "int8"))
    assert values.ravel().tolist() == [-128, 0, 127]


def test_one_channel_is_luma(tmp_path: Path) -> None:
    path = _picture(tmp_path / "a.png", [[[255, 0, 0]]])
    values = load_image(path, Preprocess(), InputInfo((1, 1, 1, 1), "uint8"))
    assert values.ravel().tolist() == [76]  # 0.299 * 255


def test_a_gray_picture_feeds_three_channels(tmp_path: Path) -> None:
    path = _picture(tmp_path / "a.png", [[7, 8], [9, 10]])
    assert load_image(path, Preprocess(), RAW8)[0, 1, 0].tolist() == [9, 9, 9]


def test_float_input_is_normalized_per_channel(tmp_path: Path) -> None:
    path = _picture(tmp_path / "a.png", [[[10, 20, 30]]])
    preprocess = parse_preprocess("mean=10,10,10,std=1,2,4")
    values = load_image(path, preprocess, InputInfo((1, 1, 1, 3), "float32"))
    assert values.dtype == np.float32 and values.ravel().tolist() == [0, 5, 5]


def test_bgr_reverses_the_channels_before_the_mean(tmp_path: Path) -> None:
    path = _picture(tmp_path / "a.png", [[[1, 2, 3]]])
    preprocess = parse_preprocess("mean=1,0,0,order=bgr")
    values = load_image(path, preprocess, InputInfo((1, 1, 1, 3), "float32"))
    assert values.ravel().tolist() == [2, 2, 1]


def test_channels_first_inputs_are_transposed(tmp_path: Path) -> None:
    pixels = np.arange(24).reshape(2, 4, 3)
    path = _picture(tmp_path / "a.png", pixels)
    values = load_image(path, Preprocess(), InputInfo((1, 3, 2, 4), "uint8"))
    assert np.array_equal(values[0], pixels.transpose(2, 0, 1))


def test_a_normalized_picture_is_quantized_with_the_inputs_scale(tmp_path: Path) -> None:
    path = _picture(tmp_path / "a.png", [[[0, 127, 255]]])
    target = InputInfo((1, 1, 1, 3), "int8", 1 / 127.5, -1)
    values = load_image(path, parse_preprocess("tf"), target)
    assert values.ravel().tolist() == [-128, -2, 127]  # -127.5 and 127.5 away from zero


def test_quantize_saturates_and_rounds_away_from_zero() -> None:
    target = InputInfo((5,), "int8", 1.0, 0)
    values = quantize(np.array([-1e9, -0.5, 0.5, 1.49, 1e9]), target)
    assert values.tolist() == [-128, -1, 1, 1, 127]


def test_npy_of_the_right_type_is_taken_as_it_is(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(load_image(tmp_path / "a.npy", None, RAW8)[0], array)


def test_npy_of_floats_is_quantized(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, -1.0]]))
    values = load_image(tmp_path / "a.npy", None, InputInfo((1, 2), "int8", 0.5, 3))
    assert values.tolist() == [[5, 1]]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_npy_of_values_that_are_not_finite_is_refused(tmp_path: Path, odd: float, dtype: str
                                                      ) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, odd]], np.float32))
    with pytest.raises(BadInput, match=r"a\.npy: got NaN or infinite values, expected finite"):
        load_image(tmp_path / "a.npy", None, InputInfo((1, 2), dtype, 0.5, 3))


def test_npy_of_pixels_is_a_picture(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((9, 5, 3), 130, np.uint8))
    values = load_image(tmp_path / "a.npy", Preprocess(), InputInfo((1, 4, 4, 3), "int8"))
    assert np.all(values == 2)


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2, 3), np.int32),
                                   np.zeros((0, 0, 3), np.uint8), np.zeros(4, np.uint8)])
def test_npy_of_another_shape_is_refused(tmp_path: Path, array: object) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(BadInput, match=r"expected uint8 \[1, 2, 2, 3\]"):
        load_image(tmp_path / "a.npy", Preprocess(), RAW8)


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"PK\x03\x04", b"\x80\x04N."])
def test_broken_npy_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(BadInput, match=r"a\.npy") as caught:
        load_image(tmp_path / "a.npy", Preprocess(), RAW8)
    assert "\n" not in str(caught.value)


def test_npy_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000000)}"
    header += b" " * (118 - len(header)) + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
                                     + header)
    with pytest.raises(BadInput, match=r"a\.npy"):
        load_image(tmp_path / "a.npy", Preprocess(), RAW8)


def test_archives_and_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(2))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([object()]), allow_pickle=True)
    for name in ("a.npy", "b.npy"):
        with pytest.raises(BadInput, match=name):
            load_image(tmp_path / name, Preprocess(), RAW8)


def test_a_picture_for_a_network_that_takes_none_is_refused() -> None:
    with pytest.raises(BadInput, match="takes no picture"):
        picture_to_input(Image.new("RGB", (2, 2)), None, InputInfo((1, 640), "int8"))


def _graph(shape: tuple[int, ...], dtype: str, out: tuple[int, ...] = (1, 10),
           op: str = "softmax") -> Graph:
    tensors = (Tensor("in", shape, dtype), Tensor("out", out, dtype))
    return Graph("net", tensors, (Node(op, "last", (0,), (1,)),), (0,), (1,))


def test_integer_networks_default_to_raw() -> None:
    assert choose_preprocess(_graph((1, 8, 8, 3), "uint8"), None, None) == Preprocess()


def test_float_networks_must_be_told() -> None:
    with pytest.raises(BadInput, match="--preprocess"):
        choose_preprocess(_graph((1, 3, 8, 8), "float32"), None, None)


def test_float_networks_that_take_no_pictures_need_not_be_told() -> None:
    graph = _graph((1, 3, 8, 8), "float32")
    assert choose_preprocess(graph, None, None, needed=False) is None
    assert choose_preprocess(graph, "raw", None, needed=False) == Preprocess(raw=False)
    with pytest.raises(BadInput, match="--preprocess"):
        choose_preprocess(graph, None, "crop", needed=False)


def test_a_picture_that_nobody_said_how_to_take_is_refused() -> None:
    with pytest.raises(BadInput, match="expected an .npy file, or --preprocess"):
        picture_to_input(Image.new("RGB", (2, 2)), None, InputInfo((1, 2, 2, 3), "int8"))


def test_raw_on_a_float_network_means_the_pixels_value() -> None:
    preprocess = choose_preprocess(_graph((1, 8, 8, 3), "float32"), "raw", None)
    assert preprocess == Preprocess(raw=False)


def test_geometry_follows_the_task() -> None:
    detector = choose_preprocess(_graph((1, 8, 8, 3), "uint8", op="detection_postprocess"),
                                 None, None)
    segmenter = choose_preprocess(_graph((1, 8, 8, 3), "uint8", (1, 8, 8)), None, None)
    told = choose_preprocess(_graph((1, 8, 8, 3), "uint8", (1, 8, 8)), None, "crop")
    assert [p and p.geometry for p in (detector, segmenter, told)] == ["stretch", "letterbox",
                                                                       "crop"]


def test_an_input_that_is_no_picture_has_no_preprocessing() -> None:
    graph = _graph((1, 640), "int8")
    assert choose_preprocess(graph, None, None) is None
    with pytest.raises(BadInput, match="not a picture"):
        choose_preprocess(graph, "tf", None)
