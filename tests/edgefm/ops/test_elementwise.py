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


@given(scale=SCALES, zero=st.integers(-128, 127), dtype=DTYPES)
def test_logistic_equals_the_oracle(judge: Any, scale: float, zero: int, dtype: str) -> None:
    low = np.iinfo(dtype).min
    every = np.arange(low, low + 256).astype(dtype).reshape(1, 256)
    judge.agrees("logistic", [judge.tensor((1, 256), dtype, scale, zero + _shift(dtype))],
                 [judge.tensor((1, 256), dtype, 1 / 256, low)], values=[every])


@given(scales=st.tuples(SCALES, st.floats(0.25, 4, width=32)), zeros=ZEROS, dtype=DTYPES)
@pytest.mark.parametrize("op", ["relu", "relu6"])
def test_rectifiers_equal_the_oracle(judge: Any, op: str, scales: Any, zeros: Any,
                                     dtype: str) -> None:
    low = np.iinfo(dtype).min
    every = np.arange(low, low + 256).astype(dtype).reshape(1, 256)
    ins, out = (judge.tensor((1, 256), dtype, scale, zero + _shift(dtype)) for scale, zero in
                zip((scales[0], scales[0] * scales[1]), zeros, strict=False))
    judge.agrees(op, [ins], [out], values=[every])


@pytest.mark.parametrize("op", ["add", "sub", "mul"])
@pytest.mark.parametrize("activation", [None, "relu", "relu6", "relu_n1_to_1"])
def test_float_binary_operators(judge: Any, op: str, activation: str | None) -> None:
    inputs = [judge.tensor((1, 3, 4, 5), "float32"), judge.tensor((1, 1, 1, 5), "float32")]
    judge.agrees(op, inputs, [judge.tensor((1, 3, 4, 5), "float32")], tolerance=1e-6,
                 activation=activation)


@pytest.mark.parametrize("op", ["logistic", "relu", "relu6"])
def test_float_unary_operators(judge: Any, op: str) -> None:
    judge.agrees(op, [judge.tensor((2, 50), "float32")], [judge.tensor((2, 50), "float32")],
                 tolerance=1e-6)


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


def test_relu_ties_follow_a_float32_factor(judge: Any) -> None:
    """The scales' quotient is 129/128 in float32, but a little less in truth: 64 gives 64.5."""
    divisor = 2**23 + 1
    ins = judge.tensor((1, 256), scale=(129 * divisor - 1) / 128 * 2**-30)
    out = judge.tensor((1, 256), scale=divisor * 2**-30)
    every = np.arange(-128, 128, dtype=np.int8)[None]
    y, = judge.agrees("relu", [ins], [out], values=[every])
    assert y[0, 128 + 64] == 65


def test_relu6_bounds_are_float32_quotients(judge: Any) -> None:
    """Scales whose sixth is a half step in float32, above or below in truth."""
    for n in range(8, 120):
        like = judge.tensor((1, 256), scale=6 / (n + 0.5))
        judge.agrees("relu6", [like], [like], values=[np.arange(-128, 128, dtype=np.int8)[None]])
