# SPDX-License-Identifier: Apache-2.0
"""Elementwise operators equal the oracle's bits over scales, zero points and broadcasts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**16)
SCALES = st.floats(2**-10, 2, width=32)
ZEROS = st.tuples(*[st.integers(-128, 127)] * 3)
ACTIVATIONS = st.sampled_from([None, "relu", "relu6", "relu_n1_to_1"])
DTYPES = st.sampled_from(["int8", "uint8"])
SHAPES = st.sampled_from([((1, 4, 5, 3), (1, 4, 5, 3)), ((1, 4, 5, 3), (1, 1, 1, 3)),
                          ((1, 4, 5, 3), (3,)), ((1, 1, 1, 3), (1, 4, 5, 3)),
                          ((1, 4, 5, 3), (1, 4, 5, 1)), ((1, 4, 5, 3), (1,))])


def _shift(dtype: str) -> int:
    return 128 if dtype == "uint8" else 0


@given(shapes=SHAPES, scales=st.tuples(SCALES, SCALES), ratio=st.floats(0.25, 4, width=32),
       zeros=ZEROS, dtype=DTYPES, activation=ACTIVATIONS, seed=SEEDS)
@pytest.mark.parametrize("op", ["add", "sub", "mul"])
def test_binary_operators_equal_the_oracle(judge: Any, op: str, shapes: Any, scales: Any,
                                           ratio: float, zeros: Any, dtype: str,
                                           activation: str | None, seed: int) -> None:
    zero = [z + _shift(dtype) for z in zeros]
    out = scales[0] * scales[1] * 100 if op == "mul" else max(scales)
    inputs = [judge.tensor(shape, dtype, scale, z)
              for shape, scale, z in zip(shapes, scales, zero, strict=False)]
    shape = np.broadcast_shapes(*shapes)
    judge.agrees(op, inputs, [judge.tensor(shape, dtype, out * ratio, zero[2])], seed,
                 activation=activation)


@pytest.mark.parametrize("op", ["add", "sub", "mul"])
@pytest.mark.parametrize("first", [True, False])
def test_either_operand_may_be_constant(judge: Any, op: str, first: bool) -> None:
    data = np.random.default_rng(3).integers(-128, 128, (1, 1, 1, 6)).astype(np.int8)
    pair = [judge.tensor(data.shape, scale=0.02, zero_point=-4, data=data),
            judge.tensor((1, 5, 4, 6), scale=0.03, zero_point=9)]
    judge.agrees(op, pair if first else pair[::-1], [judge.tensor((1, 5, 4, 6), scale=0.06)])


@pytest.mark.parametrize("op", ["add", "sub", "mul"])
@pytest.mark.parametrize("activation", [None, "relu", "relu6", "relu_n1_to_1"])
def test_float_binary_operators(judge: Any, op: str, activation: str | None) -> None:
    inputs = [judge.tensor((1, 3, 4, 5), "float32"), judge.tensor((1, 1, 1, 5), "float32")]
    judge.agrees(op, inputs, [judge.tensor((1, 3, 4, 5), "float32")], tolerance=1e-6,
                 activation=activation)


@pytest.mark.parametrize("scales", [(0.1, 0.3), (0.0237, 0.777), (1.1, 0.07)])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_mul_ties_follow_a_float32_factor(judge: Any, dtype: str, scales: Any) -> None:
    """The output's scale is twice the rounded product: the factor is 1/2 in float32 only."""
    a, b = (np.float32(s) for s in scales)
    zero = _shift(dtype)
    x = np.tile(np.arange(-20, 21) + zero, (41, 1)).astype(dtype)
    judge.agrees("mul", [judge.tensor((41, 41), dtype, a, zero),
                         judge.tensor((41, 41), dtype, b, zero)],
                 [judge.tensor((41, 41), dtype, np.float32(2) * (a * b), zero)],
                 values=[x, x.T.copy()])
