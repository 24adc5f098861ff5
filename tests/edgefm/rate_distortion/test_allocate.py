# SPDX-License-Identifier: Apache-2.0
"""The families of steps, and the search on them."""

from itertools import pairwise

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.rate_distortion.allocate import crossing, ladder
from edgefm.rate_distortion.entropy import FACTORS
from edgefm.rate_distortion.requantize import LARGEST_FACTOR
from edgefm.rate_distortion.sensitivity import Sensitivity

DENSE = tuple(8 - np.log2(f) for f in FACTORS)
SPARSE = tuple(2 - 0.2 * np.log2(f) for f in FACTORS)
MAPS = [Sensitivity((1,), 1000, 30.0, 1e-4, DENSE), Sensitivity((2,), 4000, 20.0, 1e-4, DENSE),
        Sensitivity((3,), 1000, 10.0, 9e-4, DENSE), Sensitivity((4,), 1000, 10.0, 1e-4, SPARSE)]


def test_equal_slope_cannot_be_improved() -> None:
    """Moving one map up a step and another down at the same bits only costs more."""
    family = ladder(MAPS, "slope")
    number = family.start(0.05)
    price = float((family.cost + number * family.bits).min(axis=1).sum())
    for other in (number / 2, number * 2):
        moved = family.factors(other)
        at = [round(8 * np.log2(f)) for f in moved]
        rows = range(len(MAPS))
        assert sum(family.cost[i, at[i]] + number * family.bits[i, at[i]] for i in rows) > price


def test_values_cost_and_saving_decide() -> None:
    common, many, costly, sparse = ladder(MAPS, "slope").factors(ladder(MAPS, "slope").start(0.03))
    assert many == pytest.approx(2 * common, rel=0.1)
    assert costly == pytest.approx(common / 3, rel=0.1)
    assert sparse < common


def test_steps_by_deviation() -> None:
    family = ladder(MAPS, "deviation")
    assert family.factors(0.2) == pytest.approx([6, 4, 2, 2])
    with pytest.raises(BadInput, match="slope, deviation"):
        ladder(MAPS, "guess")


@pytest.mark.parametrize("rule", ["slope", "deviation"])
def test_factors_stay_between_the_original_and_the_coarsest(rule: str) -> None:
    family = ladder(MAPS, rule)
    numbers = family.numbers()
    assert numbers == sorted(numbers)
    assert family.factors(numbers[0]) == pytest.approx([1] * 4)
    assert family.factors(numbers[-1]) == pytest.approx([LARGEST_FACTOR] * 4)


@pytest.mark.parametrize("rule", ["slope", "deviation"])
def test_search_starts_where_the_model_keeps_the_budget(rule: str) -> None:
    family = ladder(MAPS, rule)
    assert 0.016 < family.nats(family.start(0.02)) <= 0.02


def test_from_one_number_to_the_next_one_map_gets_coarser() -> None:
    family = ladder(MAPS[:1] + MAPS[2:], "slope")  # the fourth is like the first
    chosen = [family.factors(number) for number in family.numbers()]
    for before, after in pairwise(chosen):
        grown = [b > a for a, b in zip(before, after, strict=True)]
        assert sum(grown) == 1 and all(b >= a for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("start", [-3, 0, 60, 69, 70, 71, 72, 99, 1000])
@pytest.mark.parametrize("stride", [1, 5])
def test_crossing_is_enclosed(start: int, stride: int) -> None:
    low, high = crossing(lambda place: place <= 70, start, 100, stride)
    assert low <= 70 < high <= low + stride


def test_crossing_outside_the_ends_is_the_end() -> None:
    assert crossing(lambda place: True, 3, 10, 2) == (9, 9)
    assert crossing(lambda place: False, 3, 10, 2) == (0, 0)
