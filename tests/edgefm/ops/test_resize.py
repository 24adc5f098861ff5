# SPDX-License-Identifier: Apache-2.0
"""Both resizes equal the oracle's bits over sizes and the two ways to align."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
ALIGNMENTS = st.sampled_from([(False, False), (True, False), (False, True)])
SEEDS = st.integers(0, 2**16)


@given(size=SIZES, out=st.tuples(st.integers(1, 23), st.integers(1, 23)), align=ALIGNMENTS,
       zero=st.integers(0, 100), seed=SEEDS)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("op", ["resize_bilinear", "resize_nearest"])
def test_resizes_equal_the_oracle(judge: Any, op: str, dtype: str, size: Any, out: Any,
                                  align: Any, zero: int, seed: int) -> None:
    x, y = (judge.tensor((1, *hw, 3), dtype, 0.1, zero) for hw in (size, out))
    judge.agrees(op, [x], [y], seed, tolerance=1e-6 if dtype == "float32" else 0,
                 align_corners=align[0], half_pixel_centers=align[1])
