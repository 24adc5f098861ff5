# SPDX-License-Identifier: Apache-2.0
"""Operators of two operands with rules of their own equal the oracle's bits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

SCALES = st.tuples(*[st.floats(2**-8, 2, width=32)] * 3)
ZEROS = st.tuples(*[st.integers(-128, 127)] * 3)
SHAPE = (1, 7, 6, 5)
SECOND = st.sampled_from([SHAPE, (1, 1, 1, 5), (5,), (1, 7, 6, 1), (1, 1, 6, 5), (1, 7, 1, 1)])


def _agrees(judge: Any, op: str, dtype: str, shapes: Any, scales: Any, zeros: Any, seed: int = 0,
            **more: Any) -> None:
    shift = 128 if dtype == "uint8" else 0
    a, b, y = (judge.tensor(shape, dtype, scale, zero + shift)
               for shape, scale, zero in zip(shapes, scales, zeros, strict=True))
    judge.agrees(op, [a, b], [y], seed, **more)


@given(second=SECOND, dtype=st.sampled_from(["int8", "uint8"]), scales=SCALES, zeros=ZEROS,
       seed=st.integers(0, 999))
def test_prelu_equals_the_oracle(judge: Any, second: Any, dtype: str, scales: Any, zeros: Any,
                                 seed: int) -> None:
    _agrees(judge, "prelu", dtype, (SHAPE, second, SHAPE), scales, zeros, seed)


@pytest.mark.parametrize("op", ["maximum", "minimum"])
@given(second=SECOND, dtype=st.sampled_from(["int8", "uint8", "float32"]), scales=SCALES,
       zeros=ZEROS)
def test_extremes_equal_the_oracle(judge: Any, op: str, second: Any, dtype: str, scales: Any,
                                   zeros: Any) -> None:
    _agrees(judge, op, dtype, (SHAPE, second, SHAPE), scales, zeros)


@given(second=SECOND, first=st.floats(2**-8, 2, width=32), ratio=st.floats(0.25, 4, width=32),
       zeros=ZEROS, steps=st.floats(100, 4e4))
def test_squared_difference_equals_the_oracle(judge: Any, second: Any, first: float, ratio: float,
                                              zeros: Any, steps: float) -> None:
    """The kernel takes factors below one only."""
    scales = (first, first * ratio, 4 * max(first, first * ratio)**2 * steps / 2**14)
    _agrees(judge, "squared_difference", "int8", (SHAPE, second, SHAPE), scales, zeros)


@given(first=st.floats(2**-6, 2, width=32), second=st.floats(2**-6, 2, width=32),
       ratio=st.floats(1, 32), zeros=ZEROS, dtype=st.sampled_from(["int8", "uint8"]),
       activation=st.sampled_from([None, "relu", "relu6"]))
def test_div_equals_the_oracle(judge: Any, first: float, second: float, ratio: float, zeros: Any,
                               dtype: str, activation: str | None) -> None:
    """For all pairs of values but a divisor of zero, which the kernel refuses, and for factors with
    which it shifts by 31 bits at most; by more it gives a last step to nothing."""
    low = np.iinfo(dtype).min
    zero = zeros[1] - (0 if dtype == "int8" else low) + (128 if dtype == "uint8" else 0)
    a, b = np.meshgrid(np.arange(low, low + 256), np.arange(low, low + 256))
    b = np.where(b == zero, zero + (1 if zero < low + 255 else -1), b)
    values = [v.astype(dtype).reshape(1, 256, 256) for v in (a, b)]
    shape = (1, 256, 256)
    _agrees(judge, "div", dtype, (shape,) * 3, (first, second, first / second / ratio / 64), zeros,
            values=values, activation=activation)


@pytest.mark.parametrize("op", ["maximum", "minimum", "squared_difference", "prelu", "div"])
def test_of_floats(judge: Any, op: str) -> None:
    a, b = (judge.tensor((1, 3, 4, 5), "float32") for _ in range(2))
    judge.agrees(op, [a, b], [a], tolerance=1e-6)
