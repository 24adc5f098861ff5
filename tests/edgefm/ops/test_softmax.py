# SPDX-License-Identifier: Apache-2.0
"""softmax equals the oracle's bits, and is what it is called."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.ops import softmax

SCALES = st.floats(2**-10, 4, width=32)


@given(scale=SCALES, beta=st.sampled_from([1.0, 0.5, 2.0]), depth=st.integers(1, 300),
       zero=st.integers(0, 127), seed=st.integers(0, 2**16))
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_softmax_equals_the_oracle(judge: Any, dtype: str, scale: float, beta: float, depth: int,
                                   zero: int, seed: int) -> None:
    shape = (3, depth)
    judge.agrees("softmax", [judge.tensor(shape, dtype, scale, zero)],
                 [judge.tensor(shape, dtype, 1 / 256, np.iinfo(dtype).min)], seed, beta=beta)


def test_float_softmax(judge: Any) -> None:
    judge.agrees("softmax", [judge.tensor((2, 40), "float32")],
                 [judge.tensor((2, 40), "float32")], tolerance=1e-6, beta=1.0)


@given(x=st.integers(-(2**31), 0))
def test_exp_negative_is_near_exp(x: int) -> None:
    assert softmax.exp_negative(np.array(x))[()] == pytest.approx(
        2**31 * np.exp(x / 2**26), abs=2**31 * 4e-7)


@given(x=st.integers(0, 2**31 - 1))
def test_reciprocal_is_near_the_reciprocal(x: int) -> None:
    assert softmax.reciprocal(np.array(x))[()] == pytest.approx(2**62 / (2**31 + x), abs=32)


@given(classes=st.integers(1, 300), scale=st.floats(2**-10, 2, width=32),
       zero=st.integers(-128, 127), seed=st.integers(0, 999))
def test_log_softmax_equals_the_oracle(judge: Any, classes: int, scale: float, zero: int,
                                       seed: int) -> None:
    shape = (3, classes)
    judge.agrees("log_softmax", [judge.tensor(shape, "int8", scale, zero)],
                 [judge.tensor(shape, "int8", 1 / 16, 127)], seed)


def test_float_log_softmax(judge: Any) -> None:
    x = judge.tensor((3, 40), "float32")
    judge.agrees("log_softmax", [x], [x], tolerance=1e-5)
