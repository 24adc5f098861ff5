# SPDX-License-Identifier: Apache-2.0
"""One step for every stored map, so that bytes saved per loss are equal everywhere.

A value whose step is f times as large takes log2(f) bits less. Least loss for given bits,
min sum cost_i * f_i^2 with sum values_i * log2(f_i) fixed, asks for f_i^2 in proportion to
values_i / cost_i: one number moves the whole network along its curve of bytes over loss, and a
search on that number keeps the budget, which is judged by measurement, not by the model.

A map that changes at all is rounded at other places, so its values move by a variance of
(1 + f^2)/12 of its old steps: at equal slope, what is saved outweighs that only where
2 f^2 ln f > 1 + f^2, from f = 1.9 on. Below, a map stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgefm.errors import BadInput
from edgefm.rate.sensitivity import LARGEST_FACTOR, Sensitivity

RULES = ("slope", "deviation")
_SMALLEST_FACTOR = 1.9
_ROUNDS = 5  # halvings in log2 of the number, from an interval of a factor of two


def weights(sensitivities: Sequence[Sensitivity], rule: str) -> list[float]:
    """Each map's factor over the number that is searched for.

    "slope" is the rule above; "deviation" makes each step a constant times the map's standard
    deviation. Raises BadInput for another rule.
    """
    if rule == "slope":
        return [(s.values / s.cost) ** 0.5 for s in sensitivities]
    if rule == "deviation":
        return [max(s.deviation, 1.0) for s in sensitivities]
    raise BadInput(f"rate rule {rule!r}: expected one of {', '.join(RULES)}")


def factors_at(number: float, shares: Sequence[float]) -> list[float]:
    """The factors at one point of the curve: 1, or what is worth a change, up to the coarsest."""
    wanted = [number * share for share in shares]
    return [min(factor, LARGEST_FACTOR) if factor >= _SMALLEST_FACTOR else 1.0
            for factor in wanted]


def start_for(kl: float, sensitivities: Sequence[Sensitivity], shares: Sequence[float]) -> float:
    """The number at which the model predicts `kl` nats."""
    unit = sum(s.cost * share ** 2 for s, share in zip(sensitivities, shares, strict=True))
    floor = min(max(s.floor for s in sensitivities), kl / 2)
    return float(((kl - floor) / unit) ** 0.5)


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


def range_for(shares: Sequence[float]) -> tuple[float, float]:
    """The numbers at which no map is coarser than it was, and all are as coarse as can be."""
    return 1 / max(shares), LARGEST_FACTOR / min(shares)
