# SPDX-License-Identifier: Apache-2.0
"""Normalized vectors equal the oracle's bits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st


@given(channels=st.integers(1, 40), scale=st.floats(2**-8, 1, width=32),
       zero=st.integers(-128, 127), dtype=st.sampled_from(["int8", "uint8"]),
       narrow=st.booleans(), seed=st.integers(0, 999))
def test_l2_normalization_equals_the_oracle(judge: Any, channels: int, scale: float, zero: int,
                                            dtype: str, narrow: bool, seed: int) -> None:
    """Of all values, and of values near the zero point, whose sum of squares is small."""
    shift, shape = (128 if dtype == "uint8" else 0), (1, 3, 4, channels)
    ends = [judge.tensor(shape, dtype, scale, zero + shift),
            judge.tensor(shape, dtype, 1 / 128, shift)]
    values = None
    if narrow:
        info, rng = np.iinfo(dtype), np.random.default_rng(seed)
        near = rng.integers(-2, 3, shape) + zero + shift
        values = [np.clip(near, info.min, info.max).astype(dtype)]
    judge.agrees("l2_normalization", ends[:1], ends[1:], seed, values=values)


@pytest.mark.parametrize("channels", [1, 7])
def test_of_floats(judge: Any, channels: int) -> None:
    x = judge.tensor((1, 3, 4, channels), "float32")
    judge.agrees("l2_normalization", [x], [x], tolerance=1e-5)
