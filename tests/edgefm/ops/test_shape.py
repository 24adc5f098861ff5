# SPDX-License-Identifier: Apache-2.0
"""Joins and decisions equal the oracle."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

DTYPES = st.sampled_from(["int8", "uint8", "float32"])
SEEDS = st.integers(0, 2**16)


@given(widths=st.lists(st.integers(1, 4), min_size=1, max_size=4), axis=st.integers(1, 3),
       dtype=DTYPES, seed=SEEDS)
def test_concat_on_one_scale_equals_the_oracle(judge: Any, widths: list[int], axis: int,
                                               dtype: str, seed: int) -> None:
    def part(width: int) -> Any:
        shape = [1, 2, 3, 4]
        shape[axis] = width
        return judge.tensor(shape, dtype, 0.1, 3)
    judge.agrees("concat", [part(w) for w in widths], [part(sum(widths))], seed, axis=axis)


@given(scales=st.lists(st.floats(2**-8, 2, width=32), min_size=3, max_size=3),
       zeros=st.lists(st.integers(0, 255), min_size=3, max_size=3))
def test_concat_of_uint8_on_several_scales_equals_the_oracle(judge: Any, scales: list[float],
                                                             zeros: list[int]) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 1, 256)
    ins = [judge.tensor((1, 1, 256), "uint8", s, z)
           for s, z in zip(scales[:2], zeros[:2], strict=True)]
    judge.agrees("concat", ins, [judge.tensor((1, 2, 256), "uint8", scales[2], zeros[2])],
                 values=[every, every], axis=1)


@pytest.mark.parametrize("scale, out, zero", [
    (1.3365543, 0.8910362, 210), (0.93170714, 1.8634143, 10), (0.1540188, 0.6160752, 104)])
def test_concat_multiplies_by_a_float32_reciprocal(judge: Any, scale: float, out: float,
                                                   zero: int) -> None:
    """A quotient of these scales would round some values otherwise."""
    every = np.arange(256, dtype=np.uint8).reshape(1, 256)
    judge.agrees("concat", [judge.tensor((1, 256), "uint8", scale, zero)],
                 [judge.tensor((1, 256), "uint8", out, 100)], values=[every], axis=1)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("made", ["int32", "int64"])
@pytest.mark.parametrize("axis", [1, 3])
def test_argmax_takes_the_first_of_equals(judge: Any, dtype: str, made: str, axis: int) -> None:
    shape = (1, 5, 6, 7)
    values = [np.random.default_rng(0).integers(0, 4, shape).astype(dtype)]
    out = [n for i, n in enumerate(shape) if i != axis]
    judge.agrees("argmax", [judge.tensor(shape, dtype)], [judge.tensor(out, made)],
                 values=values, axis=axis)
