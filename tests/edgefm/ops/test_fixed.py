# SPDX-License-Identifier: Apache-2.0
"""Fixed-point steps against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.network.graph import Quant, Tensor
from edgefm.ops import fixed

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(real=st.floats(2.0**-32, 2.0**20))
def test_factor_is_the_nearest_31_bit_one(real: float) -> None:
    by = fixed.factor(real)
    m, shift = int(by.m[0]), int(by.shift[0])
    assert 2**30 <= m < 2**31
    assert abs(Fraction(m) * Fraction(2) ** (shift - 31) - Fraction(real)) <= (
        Fraction(2) ** (shift - 32))


def test_factor_rounds_up_to_a_power_of_two_and_down_to_zero() -> None:
    by = fixed.factor([1 - 2.0**-53, 2.0**-33, 0.0])
    assert by.m.tolist() == [2**30, 0, 0]
    assert by.shift.tolist() == [1, 0, 0]


@given(a=INT32, b=INT32)
def test_high_multiply_rounds_halves_up(a: int, b: int) -> None:
    exact = Fraction(a * b, 2**31)
    nearest = (exact + Fraction(1, 2)).__floor__()
    assert fixed.high_multiply(np.array(a), b) == min(nearest, 2**31 - 1)


@given(x=INT32, bits=st.integers(0, 31))
def test_shift_right_rounds_halves_away_from_zero(x: int, bits: int) -> None:
    nearest = (Fraction(abs(x), 2**bits) + Fraction(1, 2)).__floor__()
    assert fixed.shift_right(np.array(x), bits) == (nearest if x >= 0 else -nearest)


def test_scale_rounds_twice() -> None:
    """7/16 first becomes 4/8, and then a whole."""
    by = fixed.Factor(np.array([2**30 + 1]), np.array([-3]))
    assert fixed.scale(np.array([7, -7]), by).tolist() == [1, -1]


def test_scale_rounds_halves_up_first_and_away_from_zero_then() -> None:
    whole, halved = (fixed.Factor(np.array([2**30]), np.array([shift])) for shift in (0, -1))
    assert fixed.scale(np.array([1, -1, 3, -3]), whole).tolist() == [1, 0, 2, -1]
    assert fixed.scale(np.array([2, -2, 6, -6]), halved).tolist() == [1, -1, 2, -2]


def test_scale_up_wraps_at_32_bits() -> None:
    by = fixed.Factor(np.array([2**30]), np.array([5]))
    assert fixed.scale(np.array([3, 2**27]), by).tolist() == [48, 0]


@pytest.mark.parametrize("x, expected", [
    (0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49999999999999994, 0),
    (-0.49999999999999994, 0), (4503599627370497.0, 4503599627370497)])
def test_round_away_is_the_c_library_s_round(x: float, expected: int) -> None:
    assert fixed.round_away(np.array(x)) == expected


@pytest.mark.parametrize("activation, expected", [
    (None, (-128, 127)), ("relu", (-10, 127)), ("relu6", (-10, 50)), ("relu_n1_to_1", (-20, 0))])
def test_activation_range_of_int8(activation: str | None, expected: tuple[int, int]) -> None:
    like = Tensor("y", (1,), "int8", Quant((0.1,), (-10,)))
    assert fixed.activation_range(like, activation) == expected


def test_activation_range_never_leaves_the_type() -> None:
    like = Tensor("y", (1,), "uint8", Quant((0.001,), (3,)))
    assert fixed.activation_range(like, "relu6") == (3, 255)
