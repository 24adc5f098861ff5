# SPDX-License-Identifier: Apache-2.0
"""What a file says of its input and classes fills gaps, and changes nothing that is known."""

import pytest

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.own_defaults import with_own_defaults
from edgefm.importers.tflite_metadata import Metadata
from edgefm.network.graph import Graph, Quant, Tensor


def network(dtype: str, quant: Quant | None, classes: int = 2) -> Graph:
    return Graph("net", (Tensor("x", (1, 4, 4, 3), dtype, quant),
                         Tensor("y", (1, classes), "float32")), (), (0,), (1,))


def test_a_float_network_is_told_how_pixels_enter() -> None:
    said = Metadata((127.5,), (127.5,), ("cat", "dog"))
    options = with_own_defaults(CompileOptions(), network("float32", None), said)
    assert (options.preprocess, options.labels) == ("mean=127.5,std=127.5", ("cat", "dog"))


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 128), ("int8", 0)])
def test_pixels_that_become_themselves_stay_raw(dtype: str, zero: int) -> None:
    said, quant = Metadata((127.5,), (127.5,)), Quant((1 / 128,), (zero,))
    assert with_own_defaults(CompileOptions(), network(dtype, quant), said) == CompileOptions()


def test_an_integer_input_on_another_scale_is_normalized() -> None:
    said, quant = Metadata((123.0, 117.0, 104.0), (58.0,)), Quant((0.02,), (3,))
    options = with_own_defaults(CompileOptions(), network("int8", quant), said)
    assert options.preprocess == "mean=123,117,104,std=58"


def test_what_was_said_stays_and_labels_of_another_number_are_left_out() -> None:
    said = Metadata((127.5,), (127.5,), ("cat", "dog"))
    given = CompileOptions(preprocess="raw", labels=("a", "b"))
    assert with_own_defaults(given, network("float32", None), said) == given
    options = with_own_defaults(CompileOptions(), network("float32", None, 9), said)
    assert options.labels == ()
