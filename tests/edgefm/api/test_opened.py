# SPDX-License-Identifier: Apache-2.0
"""`edgefm.open`: whatever a package comes as, and whatever it is run on."""

from pathlib import Path

import numpy as np
import pytest

import edgefm
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadContainer, BadInput
from edgefm.runtime import Runtime


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
