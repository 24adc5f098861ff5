# SPDX-License-Identifier: Apache-2.0
"""Unary operators equal the oracle's bits for every value, over scales and zero points."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.network.graph import Quant, Tensor
from edgefm.ops import run_graph
from edgefm.ops.unary import Unary

SCALES = st.floats(2**-10, 2, width=32)
ZEROS = st.tuples(*[st.integers(-128, 127)] * 2)
DTYPES = st.sampled_from(["int8", "uint8"])


def _shift(dtype: str) -> int:
    return 128 if dtype == "uint8" else 0


def _every(dtype: str) -> Any:
    low = np.iinfo(dtype).min
    return np.arange(low, low + 256).astype(dtype).reshape(1, 256)


def _agrees(judge: Any, op: str, dtype: str, scales: Any, zeros: Any, **attrs: float) -> None:
    """Every value of an input with this scale, for an output with that."""
    ins, out = (judge.tensor((1, 256), dtype, scale, zero + _shift(dtype))
                for scale, zero in zip(scales, zeros, strict=True))
    judge.agrees(op, [ins], [out], values=[_every(dtype)], **attrs)


@given(scale=SCALES, zero=st.integers(-128, 127), dtype=DTYPES)
def test_logistic_equals_the_oracle(judge: Any, scale: float, zero: int, dtype: str) -> None:
    _agrees(judge, "logistic", dtype, (scale, 1 / 256), (zero, -128))


@given(scale=SCALES, ratio=st.floats(0.25, 4, width=32), zeros=ZEROS, dtype=DTYPES)
@pytest.mark.parametrize("op", ["relu", "relu6"])
def test_rectifiers_equal_the_oracle(judge: Any, op: str, scale: float, ratio: float, zeros: Any,
                                     dtype: str) -> None:
    _agrees(judge, op, dtype, (scale, scale * ratio), zeros)


TABLED = [("tanh", {}), ("exp", {}), ("gelu", {"approximate": False}),
          ("gelu", {"approximate": True}), ("log", {}), ("abs", {}), ("neg", {})]


@pytest.mark.parametrize("op, attrs", TABLED)
@given(scale=st.floats(2**-10, 0.0625, width=32), ratio=st.floats(0.25, 4, width=32), zeros=ZEROS)
def test_functions_equal_the_oracle(judge: Any, op: str, attrs: dict[str, bool], scale: float,
                                    ratio: float, zeros: Any) -> None:
    _agrees(judge, op, "int8", (scale, scale * ratio), zeros, **attrs)


@pytest.mark.parametrize("op, attrs", [("tanh", {}), ("gelu", {"approximate": False})])
@given(scale=st.floats(2**-10, 0.0625, width=32), ratio=st.floats(0.25, 4, width=32), zeros=ZEROS)
def test_functions_of_uint8_equal_the_oracle(judge: Any, op: str, attrs: dict[str, bool],
                                             scale: float, ratio: float, zeros: Any) -> None:
    _agrees(judge, op, "uint8", (scale, scale * ratio), zeros, **attrs)


@pytest.mark.parametrize("scales", [(0.03, 0.02), (0.01, 0.01), (0.06, 0.09)])
def test_elu_equals_the_kernel_that_the_reference_resolver_lacks(judge: Any, scales: Any) -> None:
    ins, out = (judge.tensor((1, 256), "int8", scale, 7) for scale in scales)
    graph = judge.graph("elu", [ins], [out], {})
    np.testing.assert_array_equal(run_graph(graph, [_every("int8")])[1],
                                  judge.without_delegates(graph, [_every("int8")]))


@pytest.mark.parametrize("op", ["sqrt", "rsqrt"])
@given(scale=SCALES, ratio=st.floats(2**-6, 2**6, width=32), zero=st.integers(-128, 127))
def test_roots_equal_the_oracle(judge: Any, op: str, scale: float, ratio: float, zero: int
                                ) -> None:
    """The kernels refuse what is negative when they meet it."""
    _agrees(judge, op, "int8", (scale, ratio), (-128, zero))


@given(scale=SCALES, ratio=st.floats(0.25, 4, width=32), zeros=ZEROS, dtype=DTYPES)
@pytest.mark.parametrize("op", ["relu_n1_to_1", "relu_0_to_1"])
def test_narrow_rectifiers_equal_the_oracle(judge: Any, op: str, scale: float, ratio: float,
                                            zeros: Any, dtype: str) -> None:
    _agrees(judge, op, dtype, (scale, scale * ratio), zeros)


@pytest.mark.parametrize("op, attrs", [*(one for one in TABLED if one[0] != "log"),
                                       ("relu_n1_to_1", {}), ("relu_0_to_1", {}), ("logistic", {}),
                                       ("relu", {}), ("relu6", {}), ("hard_swish", {}),
                                       ("leaky_relu", {"alpha": 0.1}),
                                       ("leaky_relu", {"alpha": -2.0})])
def test_float_unary_operators(judge: Any, op: str, attrs: dict[str, float]) -> None:
    judge.agrees(op, [judge.tensor((2, 50), "float32")], [judge.tensor((2, 50), "float32")],
                 tolerance=1e-6, **attrs)


def test_relu_ties_follow_a_float32_factor(judge: Any) -> None:
    """The scales' quotient is 129/128 in float32, but a little less in truth: 64 gives 64.5."""
    divisor = 2**23 + 1
    ins = judge.tensor((1, 256), scale=(129 * divisor - 1) / 128 * 2**-30)
    out = judge.tensor((1, 256), scale=divisor * 2**-30)
    y, = judge.agrees("relu", [ins], [out], values=[_every("int8")])
    assert y[0, 128 + 64] == 65


def test_relu6_bounds_are_float32_quotients(judge: Any) -> None:
    """Scales whose sixth is a half step in float32, above or below in truth."""
    for n in range(8, 120):
        like = judge.tensor((1, 256), scale=6 / (n + 0.5))
        judge.agrees("relu6", [like], [like], values=[_every("int8")])


@given(scale=st.integers(-16, 4), fraction=st.floats(1, 2, width=32),
       ratio=st.floats(0.0079, 16), zeros=ZEROS, dtype=DTYPES)
def test_hard_swish_equals_the_oracle(judge: Any, scale: int, fraction: float, ratio: float,
                                      zeros: Any, dtype: str) -> None:
    scales = (fraction * 2.0**scale, fraction * 2.0**scale * ratio)
    _agrees(judge, "hard_swish", dtype, scales, zeros)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("scales", [
    (2**-21, 2**-22), (2**-24, 2**-24), (2**-32, 2**-30), (2**-40, 2**-40), (0.1, 2**12),
    (0.01, 2**20), (0.3, 0.3 / 128 * (1 + 2**-22)), (60, 50), (1000, 800)], ids=str)
def test_hard_swish_equals_the_oracle_at_extreme_scales(judge: Any, dtype: str,
                                                        scales: Any) -> None:
    for zeros in ((3, -5), (-128, -128), (127, 100)):
        _agrees(judge, "hard_swish", dtype, scales, zeros)


@given(scale=SCALES, ratio=st.floats(2**-6, 2**6, width=32), zeros=ZEROS, dtype=DTYPES,
       alpha=st.floats(-4, 4, width=32))
def test_leaky_relu_equals_the_oracle(judge: Any, scale: float, ratio: float, zeros: Any,
                                      dtype: str, alpha: float) -> None:
    _agrees(judge, "leaky_relu", dtype, (scale, scale * ratio), zeros, alpha=alpha)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, 1e-12, 300.0])
def test_leaky_relu_equals_the_oracle_at_the_ends_of_its_slope(judge: Any, alpha: float) -> None:
    for dtype in ("int8", "uint8"):
        _agrees(judge, "leaky_relu", dtype, (0.03, 0.05), (7, -20), alpha=alpha)


def test_a_unary_operator_without_arithmetic_of_its_own_is_its_real_function_rounded() -> None:
    x, y = (Tensor("t", (1,), "uint8", Quant((scale,), (zero,)))
            for scale, zero in ((0.25, 100), (0.5, 7)))
    made = Unary(lambda x, attrs: x * attrs["by"]).table(x, y, {"by": np.float32(-1)})
    wanted = np.clip(7 - np.trunc((np.arange(256) - 100) / 2 + np.sign(np.arange(256) - 100) / 2),
                     0, 255)
    assert made.dtype == np.uint8 and made.tolist() == wanted.tolist()
