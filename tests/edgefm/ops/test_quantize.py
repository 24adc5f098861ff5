# SPDX-License-Identifier: Apache-2.0
"""quantize and dequantize equal the oracle's bits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.network.graph import Quant, Tensor
from edgefm.ops.quantize import quantized

SCALES = st.floats(2**-10, 2, width=32)
ZEROS = st.tuples(*[st.integers(-128, 127)] * 2)
EIGHT = ["int8", "uint8"]


def _zero(dtype: str, offset: int) -> int:
    return offset + 128 if dtype == "uint8" else offset


def _every(dtype: str) -> Any:
    low = np.iinfo(dtype).min
    return np.arange(low, low + 256).astype(dtype).reshape(1, 256)


@given(scale=SCALES, ratio=st.floats(2**-4, 16, width=32), zeros=ZEROS)
@pytest.mark.parametrize("made", EIGHT)
@pytest.mark.parametrize("dtype", EIGHT)
def test_requantize_equals_the_oracle(judge: Any, dtype: str, made: str, scale: float,
                                      ratio: float, zeros: Any) -> None:
    judge.agrees("quantize", [judge.tensor((1, 256), dtype, scale, _zero(dtype, zeros[0]))],
                 [judge.tensor((1, 256), made, scale * ratio, _zero(made, zeros[1]))],
                 values=[_every(dtype)])


@given(scale=SCALES, zero=st.integers(-128, 127), seed=st.integers(0, 2**16))
@pytest.mark.parametrize("made", EIGHT)
def test_quantize_from_float_equals_the_oracle(judge: Any, made: str, scale: float, zero: int,
                                               seed: int) -> None:
    rng = np.random.default_rng(seed)
    halves = (np.arange(-40, 40) + 0.5) * np.float32(scale)
    x = np.concatenate([rng.normal(0, 100 * scale, 400), halves, [0, 1e6, -1e6]])
    judge.agrees("quantize", [judge.tensor((1, len(x)), "float32")],
                 [judge.tensor((1, len(x)), made, scale, _zero(made, zero))],
                 values=[x.astype(np.float32)[None]])


def test_quantize_saturates_what_no_int32_holds() -> None:
    """TFLite's cast is undefined there; we and the runtime clamp."""
    like = Tensor("t", (4,), "int8", Quant((0.25,), (3,)))
    x = np.array([1e30, -1e30, np.inf, -np.inf], np.float32)
    assert quantized(x, like).tolist() == [127, -128, 127, -128]


@given(scale=SCALES, zero=st.integers(-128, 127))
@pytest.mark.parametrize("dtype", EIGHT)
def test_dequantize_equals_the_oracle(judge: Any, dtype: str, scale: float, zero: int) -> None:
    judge.agrees("dequantize", [judge.tensor((1, 256), dtype, scale, _zero(dtype, zero))],
                 [judge.tensor((1, 256), "float32")], values=[_every(dtype)])
