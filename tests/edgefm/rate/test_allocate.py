# SPDX-License-Identifier: Apache-2.0
"""Shares, the curve they span, and the search on it."""

from dataclasses import replace

import pytest

from edgefm.errors import BadInput
from edgefm.rate.allocate import crossing, factors_at, range_for, start_for, weights
from edgefm.rate.sensitivity import LARGEST_FACTOR, Sensitivity

MAPS = [Sensitivity((1,), 1000, 30.0, 1e-4), Sensitivity((2,), 4000, 20.0, 1e-4),
        Sensitivity((3,), 1000, 10.0, 9e-4)]


def test_equal_slope_cannot_be_improved() -> None:
    """Moving a little from one map to another at equal bits only costs more."""
    factors = factors_at(2.0 / min(weights(MAPS, "slope")), weights(MAPS, "slope"))

    def loss(changed: list[float]) -> float:
        return sum(s.cost * f ** 2 for s, f in zip(MAPS, changed, strict=True))

    for a in range(3):
        for b in range(3):
            if a != b:
                moved = list(factors)
                moved[a] *= 2 ** (10 / MAPS[a].values)
                moved[b] /= 2 ** (10 / MAPS[b].values)
                assert loss(moved) > loss(factors)


def test_steps_by_deviation() -> None:
    assert weights(MAPS, "deviation") == [30, 20, 10]
    with pytest.raises(BadInput, match="slope, deviation"):
        weights(MAPS, "guess")


def test_factors_stay_between_the_original_and_the_coarsest() -> None:
    shares = weights(MAPS, "slope")
    first, last = range_for(shares)
    assert factors_at(first, shares) == pytest.approx([1] * 3)
    assert factors_at(1.5 / min(shares), shares)[shares.index(min(shares))] == 1
    assert factors_at(last, shares) == pytest.approx([LARGEST_FACTOR] * 3)


def test_search_starts_where_the_model_keeps_the_budget() -> None:
    shares = weights(MAPS, "slope")
    number = start_for(0.02, MAPS, shares)
    assert sum(s.cost * (number * w) ** 2
               for s, w in zip(MAPS, shares, strict=True)) == pytest.approx(0.02)
    assert start_for(0.02, [replace(s, floor=0.005) for s in MAPS], shares) == pytest.approx(
        start_for(0.015, MAPS, shares))


@pytest.mark.parametrize("start", [0.01, 1.0, 6.9, 7.1, 40.0, 1e9])
def test_crossing_is_enclosed(start: float) -> None:
    low, high = crossing(lambda number: number <= 7, start, (0.5, 100))
    assert low <= 7 < high < 1.05 * low


def test_crossing_outside_the_ends_is_the_end() -> None:
    assert crossing(lambda number: True, 3, (1, 9)) == (9, 9)
    assert crossing(lambda number: False, 3, (1, 9)) == (1, 1)
