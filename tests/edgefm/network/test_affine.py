# SPDX-License-Identifier: Apache-2.0
"""Scales hold zero exactly, and say the same real values in either 8-bit type."""

import numpy as np
import pytest

from edgefm.network.affine import affine, in_type, span_of
from edgefm.network.graph import Quant


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.5, 2.0), (-3.0, -1.0), (0.0, 0.0)])
def test_a_scale_spans_the_range_and_zero(low: float, high: float) -> None:
    quant = affine(low, high)
    first, last = span_of(quant, "int8")
    assert first <= min(low, 0.0) + quant.scale[0] / 2
    assert last >= max(high, 0.0) - quant.scale[0] / 2
    assert -128 <= quant.zero_point[0] <= 127
    assert quant.scale[0] == float(np.float32(quant.scale[0]))


def test_either_type_has_the_same_real_values() -> None:
    quant = Quant((0.5, 0.25), (-3, 4), 1)
    moved = in_type(quant, "int8", "uint8")
    assert moved == Quant((0.5, 0.25), (125, 132), 1)
    assert in_type(moved, "uint8", "int8") == quant
    assert span_of(Quant((0.5,), (-3,)), "int8") == span_of(Quant((0.5,), (125,)), "uint8")


def test_other_types_stay() -> None:
    assert in_type(Quant((0.5,), (0,)), "int32", "int8") == Quant((0.5,), (0,))
