# SPDX-License-Identifier: Apache-2.0
"""One step for every stored map, so that bytes saved per loss are equal everywhere.

A map with a step f times as large costs cost * (f^2 - 1) nats more (its values are wrong by a
variance of f^2 / 12 of its old steps; that they are rounded at other places at all, they share with
every map behind the first one that changes) and takes values * bits(f). For a price of nats per bit
each map picks the f with the least sum of both; the price moves the whole network along its curve
of bytes over loss, and a search on it keeps the budget, which is judged by measurement, not by the
model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput
from edgefm.rate_distortion.entropy import FACTORS
from edgefm.rate_distortion.requantize import LARGEST_FACTOR
from edgefm.rate_distortion.sensitivity import Sensitivity

RULES = ("slope", "deviation")
_PER_OCTAVE = 16       # numbers under "deviation"
_MAPS_PER_STRIDE = 12  # a map's step grows in eighths of octaves, and four times the loss is one
_LADDER = np.exp2(np.arange(6 * 8 + 1) / 8)  # steps that are tried, 1 to LARGEST_FACTOR
_LEAST_COST = 1e-12

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Factors of all maps at each number of one family; larger numbers are coarser.

    `cost` and `bits` are [maps, steps]: nats, and bits per inference, on the steps of `_LADDER`.
    `deviations` makes it the rule "deviation": every step is the number times that.
    """

    cost: Floats
    bits: Floats
    deviations: Floats | None = None

    def factors(self, number: float) -> list[float]:
        """The factors at one number, 1 to LARGEST_FACTOR."""
        if self.deviations is not None:
            return [float(f) for f in np.clip(number * self.deviations, 1, LARGEST_FACTOR)]
        return [float(f) for f in _LADDER[self._picked(number)]]

    def factors_at(self, kl: float) -> list[float]:
        """The factors where the model predicts about `kl` nats."""
        return self.factors(self.start(kl))

    def nats(self, number: float) -> float:
        """The loss that the model predicts."""
        at = np.log2(self.factors(number)) * 8
        return float(sum(np.interp(i, range(len(_LADDER)), row)
                         for i, row in zip(at, self.cost, strict=True)))

    def numbers(self) -> list[float]:
        """Numbers in ascending order, the finest and the coarsest choice first and last. Under
        "slope" no choice is left out: from one to the next a single map gets coarser."""
        if self.deviations is not None:
            low, high = 1 / self.deviations.max(), LARGEST_FACTOR / self.deviations.min()
            count = 1 + int(np.ceil(np.log2(high / low) * _PER_OCTAVE))
            return [float(n) for n in np.geomspace(low, high, count)]
        prices = np.unique([price for rows in zip(self.cost, self.bits, strict=True)
                            for price in _turns(*rows)])
        between = np.sqrt(prices[1:] * prices[:-1])
        return [float(n) for n in (prices[0] / 2, *between, prices[-1] * 2)]

    def stride(self) -> int:
        """How far apart in `numbers` networks are whose loss differs by some hundredths."""
        return max(1, len(self.cost) // _MAPS_PER_STRIDE) if self.deviations is None else 1

    def start(self, kl: float) -> float:
        """A number at which the model predicts about `kl` nats."""
        return bisected(self.nats, kl)

    def _picked(self, price: float) -> npt.NDArray[np.intp]:
        return np.asarray((self.cost + price * self.bits).argmin(axis=1))


def ladder(sensitivities: Sequence[Sensitivity], rule: str) -> Ladder:
    """The family of steps that a rule stands for. Raises BadInput for an unknown rule.

    "slope" is the rule above; "deviation" makes each step a constant times the map's standard
    deviation.
    """
    if rule not in RULES:
        raise BadInput(f"rate rule {rule!r}: expected one of {', '.join(RULES)}")
    cost = np.stack([max(s.cost, _LEAST_COST) * (_LADDER ** 2 - 1) for s in sensitivities])
    bits = np.stack([s.values * np.interp(np.log2(_LADDER), np.log2(FACTORS), s.bits)
                     for s in sensitivities])
    deviations = np.array([max(s.deviation, 1.0) for s in sensitivities])
    return Ladder(cost, bits, deviations if rule == "deviation" else None)


def bisected(nats: Callable[[float], float], kl: float) -> float:
    """The number up to which a rising prediction stays within `kl`."""
    low, high = 1e-30, 1e30
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if nats(middle) <= kl else (low, middle)
    return low


def _turns(cost: Floats, bits: Floats) -> list[float]:
    """The prices at which a map's choice moves on."""
    at, prices = 0, list[float]()
    while True:
        saved, more = bits[at] - bits[at + 1:], cost[at + 1:] - cost[at]
        if not (saved > 0).any():
            return prices
        price = np.where(saved > 0, more / np.where(saved > 0, saved, 1), np.inf)
        prices.append(float(price.min()))
        at += 1 + int(np.flatnonzero(price == price.min())[-1])


def crossing(holds: Callable[[int], bool], start: int, count: int, stride: int) -> tuple[int, int]:
    """Places low < high of `count`, at most `stride` apart: `holds` up to low, no longer at high.

    `holds` turns from true to false once; where it is true at both ends or false at both, the
    result is that end twice.
    """
    first, last, step = 0, count - 1, 2 * stride
    low = high = min(max(start, first), last)
    if holds(low):
        while high == low:
            if low >= last:
                return last, last
            high, step = min(low + step, last), 2 * step
            if holds(high):
                low = high
    else:
        while high == low:
            if high <= first:
                return first, first
            low, step = max(high - step, first), 2 * step
            if not holds(low):
                high = low
    while high - low > stride:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high
