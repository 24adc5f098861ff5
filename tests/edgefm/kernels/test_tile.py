# SPDX-License-Identifier: Apache-2.0
"""Requantization tables: what they hold, and when they say that sums are bounded."""

import numpy as np
import pytest

from edgefm.kernels.tile import CHANNEL, HEAD, ONCE, PROVED, ROUND_ONCE, TWICE, Requantization
from edgefm.network.graph import Array


def table_of(bias: int, shift: int, multiplier: int = 1 << 30, low: int = 0,
             rounding: int = TWICE, weight: int = 127, weight_zero: int = 0) -> bytes:
    one = np.array([bias]), np.array([multiplier]), np.array([shift]), np.array([low])
    return Requantization(*one, rounding, weight_zero, -3, (-128, 127)).table(
        np.array([[weight]], np.int8))


def flags(table: bytes) -> int:
    return int(HEAD.unpack_from(table)[3])


@pytest.mark.parametrize(("bias", "shift", "proved"), [
    (0, -1, True), (0, 0, False), ((1 << 30) - 127 * 127 - 1, -1, True),
    ((1 << 30) - 127 * 127, -1, False), (-(1 << 30) + 128 * 127 + 1, -1, True),
    (-(1 << 30) + 128 * 127, -1, False)])
def test_sums_are_proved_to_the_last_one(bias: int, shift: int, proved: bool) -> None:
    assert bool(flags(table_of(bias, shift)) & PROVED) == proved


def test_the_weight_zero_point_counts_in_the_proof() -> None:
    bias = (1 << 30) - 127 * 127 - 1
    assert flags(table_of(bias, -1)) & PROVED
    assert not flags(table_of(bias, -1, weight_zero=-1)) & PROVED


def channels(rng: np.random.Generator, rounding: int) -> tuple[Requantization, Array]:
    """Eight channels, some of them with a huge bias or a factor of a half and more."""
    bias = rng.integers(-20000, 20000, 8)
    bias[:4] = rng.integers(-(1 << 30), 1 << 30, 4)
    shift = rng.integers(-12, -5, 8)
    shift[2:6] = rng.integers(-2, 1, 4)
    low = rng.integers(0, 1 << 22, 8) if rounding == ONCE else np.zeros(8, np.int64)
    weights = rng.integers(-128, 128, (8, 5)).astype(np.int8)
    weights[5] = 3
    return Requantization(bias, rng.integers(1 << 30, 1 << 31, 8), shift, low, rounding,
                          3, -3, (-128, 127)), weights


def results(how: Requantization, weights: Array, x: Array) -> Array:
    return how._results(how.bias + (weights.astype(np.int64) - how.weight_zero) @ x)


@pytest.mark.parametrize("rounding", [TWICE, ONCE])
@pytest.mark.parametrize("seed", range(20))
def test_normalized_channels_give_the_same_results(seed: int, rounding: int) -> None:
    rng = np.random.default_rng(seed)
    how, weights = channels(rng, rounding)
    plain, lighter = how.normalized(weights)
    assert plain._proved(lighter).sum() >= how._proved(weights).sum()
    for x in [*rng.integers(-128, 128, (50, 5)), np.full(5, -128), np.full(5, 127)]:
        np.testing.assert_array_equal(results(plain, lighter, x), results(how, weights, x))


def test_a_dead_channel_with_a_huge_bias_is_proved() -> None:
    one = np.array([1 << 30]), np.array([1 << 30]), np.array([-9]), np.array([0])
    how = Requantization(*one, TWICE, 0, 5, (-128, 100))
    weights = np.full((1, 4), 90, np.int8)
    plain, lighter = how.normalized(weights)
    assert not how._proved(weights).any()
    assert plain._proved(lighter).all()
    assert not lighter.any()
    assert results(plain, lighter, np.zeros(4, int)).tolist() == [100]


def test_a_table_has_its_fields_where_the_format_says() -> None:
    table = table_of(-7, -9, 0x40000001, 0x3FFFFF, ONCE, weight_zero=-128)
    assert len(table) == 20
    assert HEAD.unpack_from(table) == (-128, 127, -128, ROUND_ONCE | PROVED, -3)
    channel = np.frombuffer(table, CHANNEL, offset=HEAD.size)[0]
    assert (channel["bias"], channel["multiplier"]) == (-7, 0x40000001)
    assert channel["packed"] == 0x3FFFFF | 22 << 22
