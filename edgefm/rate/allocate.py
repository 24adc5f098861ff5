# SPDX-License-Identifier: Apache-2.0
"""One step for every stored map, so that bytes saved per loss are equal everywhere.

A map with a step f times as large costs cost * (1 + f^2) nats (a map that changes at all is rounded
at other places, so its values move by a variance of (1 + f^2) / 12 of its old steps) and takes
values * bits(f). For a price of nats per bit each map picks the f with the least sum of both; the
price moves the whole network along its curve of bytes over loss, and a search on it keeps the
budget, which is judged by measurement, not by the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput
from edgefm.rate.curves import FACTORS
from edgefm.rate.sensitivity import LARGEST_FACTOR, Sensitivity

RULES = ("slope", "deviation")
_ROUNDS = 5   # halvings in log2 of the number, from an interval of a factor of two
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

    def nats(self, number: float) -> float:
        """The loss that the model predicts."""
        at = np.log2(self.factors(number)) * 8
        return float(sum(np.interp(i, range(len(_LADDER)), row)
                         for i, row in zip(at, self.cost, strict=True)))

    def ends(self) -> tuple[float, float]:
        """The numbers at which no map is coarser than it was, and all are as coarse as can be."""
        if self.deviations is not None:
            return float(1 / self.deviations.max()), float(LARGEST_FACTOR / self.deviations.min())
        low = high = self.start(1.0)
        while any(f > 1 for f in self.factors(low)) and low > 1e-30:
            low /= 4
        while any(f < LARGEST_FACTOR for f in self.factors(high)) and high < 1e30:
            high *= 4
        return low, high

    def start(self, kl: float) -> float:
        """A number at which the model predicts about `kl` nats."""
        low, high = 1e-30, 1e30
        for _ in range(100):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if self.nats(middle) <= kl else (low, middle)
        return low

    def _picked(self, price: float) -> npt.NDArray[np.intp]:
        return np.asarray((self.cost + price * self.bits).argmin(axis=1))


def ladder(sensitivities: Sequence[Sensitivity], rule: str) -> Ladder:
    """The family of steps that a rule stands for. Raises BadInput for an unknown rule.

    "slope" is the rule above; "deviation" makes each step a constant times the map's standard
    deviation.
    """
    if rule not in RULES:
        raise BadInput(f"rate rule {rule!r}: expected one of {', '.join(RULES)}")
    changed = np.where(_LADDER > 1, 1 + _LADDER ** 2, 0.0)
    cost = np.stack([max(s.cost, _LEAST_COST) * changed for s in sensitivities])
    bits = np.stack([s.values * np.interp(np.log2(_LADDER), np.log2(FACTORS), s.bits)
                     for s in sensitivities])
    deviations = np.array([max(s.deviation, 1.0) for s in sensitivities])
    return Ladder(cost, bits, deviations if rule == "deviation" else None)


def crossing(holds: Callable[[float], bool], start: float, ends: tuple[float, float]
             ) -> tuple[float, float]:
    """Neighbouring numbers low < high in `ends`: `holds` up to low, no longer at high.

    `holds` turns from true to false once; where it is true at both ends or false at both, the
    result is that end twice.
    """
    first, last = ends
    low = high = float(np.clip(start, first, last))
    if holds(low):
        while high == low:
            if low >= last:
                return last, last
            high = min(2 * low, last)
            if holds(high):
                low = high
    else:
        while high == low:
            if high <= first:
                return first, first
            low = max(high / 2, first)
            if not holds(low):
                high = low
    for _ in range(_ROUNDS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high
