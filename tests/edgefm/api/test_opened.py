# SPDX-License-Identifier: Apache-2.0
"""`edgefm.open`: whatever a package comes as, and whatever it is run on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgefm
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadContainer, BadInput
from edgefm.images.preprocess import load_image
from edgefm.runtime import Runtime


@pytest.fixture
def net(package: Path):
    with edgefm.open(package) as opened:
        yield opened


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (1, 16, 20, 3), np.int8)


def expected(package: Path, array: np.ndarray) -> np.ndarray:
    with Runtime(package.read_bytes()) as runtime:
        return runtime.run([array]).outputs[0]


@pytest.mark.parametrize("form", [str, Path, Path.read_bytes, lambda p: bytearray(p.read_bytes()),
                                  lambda p: memoryview(p.read_bytes())])
def test_a_package_opens_by_path_and_by_its_bytes(package: Path, array: np.ndarray, form) -> None:
    with edgefm.open(form(package)) as net:
        assert (net.run(array).outputs[0] == expected(package, array)).all()


def test_what_compile_gave_opens(compiled: Compiled, package: Path, array: np.ndarray) -> None:
    with edgefm.open(compiled) as net:
        assert (net.run(array)[0] == expected(package, array)).all()


def test_inputs_and_outputs_have_name_shape_dtype_scale_and_zero_point(net) -> None:
    one = net.inputs[0]
    assert (one.name, one.shape, one.dtype, one.scale, one.zero_point) == (
        "pixels", (1, 16, 20, 3), "int8", 0.25, 3)
    assert (net.outputs[0].shape, net.outputs[0].scale) == ((1, 4), 1 / 256)


def test_without_the_batch_dimension_outputs_have_none_either(net, array: np.ndarray) -> None:
    whole, bare = net.run(array), net.run(array[0])
    assert (whole[0].shape, bare[0].shape) == ((1, 4), (4,))
    assert (whole[0][0] == bare[0]).all()


def test_a_list_and_a_dict_by_name_are_taken(net, array: np.ndarray) -> None:
    first = net.run(array)[0]
    for given in ([array], (array,), {"pixels": array}):
        assert (net.run(given)[0] == first).all()
    assert (net(array)[net.outputs[0].name] == first).all()


def test_outputs_are_found_by_name_and_unpacked(twins: bytes) -> None:
    with edgefm.open(twins) as net:
        a, b = (np.full((1, 8, 8, 4), k, np.int8) for k in (1, 2))
        names = [end.name for end in net.inputs]
        result = net.run({names[1]: b, names[0]: a})
        one, two = result
        assert (one == net.run([a, b])[0]).all() and len(result) == 2
        assert (result[net.outputs[1].name] == two).all()
        assert [x.shape for x in net.run([a[0], b[0]])] == [(8, 8, 2), (4,)]
        with pytest.raises(BadInput, match="with and without the batch dimension, expected all"):
            net.run([a, b[0]])
        with pytest.raises(BadInput, match="got the name 'nothing', expected one of"):
            result["nothing"]


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


def test_a_closed_package_raises(package: Path, array: np.ndarray) -> None:
    net = edgefm.open(package)
    assert not net.closed
    net.close()
    assert net.closed and "closed" in repr(net)
    with pytest.raises(BadInput, match="is closed; open the package again"):
        net.run(array)
    with pytest.raises(BadInput, match="is closed"), net:
        pass


@pytest.mark.parametrize(("given", "kind", "words"), [
    ("nowhere.efm", BadInput, "nowhere.efm: no such file"), (b"", BadContainer, "not an .efm"),
    (b"EFM1", BadContainer, "not an .efm"), (5, BadInput, "got int, expected a path, bytes"),
    (None, BadInput, "got NoneType")])
def test_what_is_no_package_is_refused(given, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        edgefm.open(given)


def test_a_model_is_told_from_a_package(model: Path) -> None:
    with pytest.raises(BadInput, match="got a model, expected an .efm package; edgefm.compile"):
        edgefm.open(model)


def test_reprs_are_short_and_hold_no_bytes(net, array: np.ndarray, compiled: Compiled) -> None:
    result = net.run(array)
    for one in (net, result, compiled, compiled.plan, compiled.graph, edgefm.open(compiled)):
        assert len(repr(one)) < 300 and "\\x" not in repr(one) and "\n" not in repr(one)
    for one in (net, result, compiled, compiled.plan):
        assert one._repr_html_().count("<tr>") >= 1 and "EFM1" not in one._repr_html_()
    assert "int8 1x16x20x3 -> int8 1x4" in repr(net) and "int8 [1, 4]" in repr(result)


def test_a_name_from_a_file_is_escaped_in_a_notebook(model: Path, compiled: Compiled) -> None:
    evil = edgefm.open(compiled)
    object.__setattr__(evil.info.inputs[0], "name", "<script>")
    assert "<script>" not in evil._repr_html_() and "&lt;script&gt;" in evil._repr_html_()
