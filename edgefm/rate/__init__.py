# SPDX-License-Identifier: Apache-2.0
"""Rate allocation: which maps get coarser steps, and how coarse, for a budget of loss or of bytes.

`requantise` changes the graph, `divergence` measures what that does to the output, `sensitivity`
fits a model per map, `allocate` shares a budget out by it. Budgets are kept on samples that the
model was not fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgefm.binding import Runtime
from edgefm.errors import BadInput
from edgefm.graph import Array, Graph
from edgefm.rate.allocate import (
    RULES,
    crossing,
    factors_at,
    range_for,
    start_for,
    weights,
)
from edgefm.rate.divergence import Divergences, Scores, divergences, scores
from edgefm.rate.points import PER_NAT
from edgefm.rate.requantise import groups, requantise
from edgefm.rate.sensitivity import Sensitivity, measure

__all__ = ["IMAGES", "PER_NAT", "RULES", "Budget", "MapStep", "Rate", "coarsen", "groups",
           "requantise"]

IMAGES = 80                    # calibration samples: one in `_FITTED` fits the model, the others
_FITTED = 5                    # hold the budget
_START = 0.01                  # nats at which a search for bytes begins


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be lost or spent, exactly one of them: `kl` in nats, `points` of top-1 estimated
    from KL by `per_nat` (likely, cautious), or `bytes` of feature maps that cross the port per
    inference, both ways."""

    kl: float | None = None
    points: float | None = None
    bytes: int | None = None
    per_nat: tuple[float, float] = PER_NAT

    def __post_init__(self) -> None:
        """Raise BadInput unless one positive budget is given."""
        given = [v for v in (self.kl, self.points, self.bytes) if v is not None]
        if len(given) != 1 or not 0 < given[0] < float("inf"):
            raise BadInput("rate: expected one positive budget, of KL, of accuracy or of bytes")

    @property
    def nats(self) -> float | None:
        """The budget in KL; None for one in bytes."""
        return self.kl if self.points is None else self.points / self.per_nat[1]


@dataclass(frozen=True, slots=True)
class MapStep:
    """A map, its new scale, and how many times the old one that is."""

    name: str
    scale: float
    factor: float


@dataclass(frozen=True, slots=True)
class Rate:
    """What was decided: `kl` and its standard error are measured on `images` held-out samples,
    `map_bytes` are theirs too (mean, both ways); `points` is estimated from `kl`, not checked."""

    rule: str
    kl_budget: float | None
    byte_budget: int | None
    kl: float
    kl_error: float
    images: int
    map_bytes: int
    points: tuple[float, float]
    steps: tuple[MapStep, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self)


def coarsen(graph: Graph, stored: Mapping[int, int], samples: Sequence[Array], budget: Budget,
            rule: str, deploy: Callable[[Graph], bytes], tick: Callable[[], None] = lambda: None,
            capped: bool = False) -> tuple[Graph, Rate]:
    """`graph` with coarser steps for the maps in `stored`, as coarse as `budget` allows.

    `stored` gives the values that cross the port per inference, by tensor; maps whose scale is
    prescribed stay. `deploy` makes the package whose bytes count; with `capped`, where its caps
    lose something too, its loss is what is measured. Raises BadInput when there are fewer than two
    samples, nothing to coarsen, or too few bytes.
    """
    if len(samples) < 2:
        raise BadInput(f"{graph.name}: one calibration file; expected at least two, so that the "
                       "budget is measured on other files than the steps are fitted on")
    transferred = _transferred(graph, stored)
    if not transferred:
        raise BadInput(f"{graph.name}: the plan stores no map whose step could change; a budget "
                       "for loss or bytes needs less fast memory (--fast) or a --cut")
    fitted, held = samples[::_FITTED], [x for i, x in enumerate(samples) if i % _FITTED]
    sensitivities = measure(graph, transferred, fitted, tick)
    search = _Search(graph, sensitivities, weights(sensitivities, rule), held,
                     scores(graph, held), deploy, tick, capped)
    number = search.for_kl(budget.nats) if budget.nats else search.for_bytes(budget.bytes or 0)
    coarse = search.graph_at(number)
    kls = search.divergences_at(number)
    kl = float(kls.mean())
    steps = tuple(MapStep(graph.tensors[t].name, coarse.tensors[t].scale,
                          coarse.tensors[t].scale / graph.tensors[t].scale)
                  for s in sensitivities for t in s.group if t in stored)
    error = float(kls.std(ddof=1) / len(kls) ** 0.5) if len(kls) > 1 else 0.0
    return coarse, Rate(rule, budget.nats, budget.bytes, kl, error, len(held),
                        search.bytes_at(number),
                        (budget.per_nat[0] * kl, budget.per_nat[1] * kl), steps)


def _transferred(graph: Graph, stored: Mapping[int, int]) -> dict[tuple[int, ...], int]:
    """Values that cross the port, by group of tied maps; groups that move none are left out."""
    moved = {group: sum(stored.get(t, 0) for t in group) for group in groups(graph)}
    return {group: values for group, values in moved.items() if values}


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """Points of one curve, measured on held-out samples."""

    graph: Graph
    sensitivities: Sequence[Sensitivity]
    shares: Sequence[float]
    held: Sequence[Array]
    reference: Scores
    deploy: Callable[[Graph], bytes]
    tick: Callable[[], None]
    capped: bool

    def graph_at(self, number: float) -> Graph:
        chosen = zip(self.sensitivities, factors_at(number, self.shares), strict=True)
        return requantise(self.graph, {s.group[0]: factor for s, factor in chosen})

    def divergences_at(self, number: float) -> Divergences:
        graph = self.graph_at(number)
        package = self.deploy(graph) if self.capped else None
        return divergences(self.reference, scores(graph, self.held, package))

    def bytes_at(self, number: float) -> int:
        """Mean over the held-out samples of the bytes that cross the external port or the pool."""
        with Runtime(self.deploy(self.graph_at(number))) as runtime:
            counters = [runtime.run([sample]).counters for sample in self.held]
        return round(float(np.mean([c.external_read_bytes + c.external_write_bytes + c.pool_bytes
                                    for c in counters])))

    def for_kl(self, nats: float) -> float:
        def holds(number: float) -> bool:
            self.tick()
            return bool(self.divergences_at(number).mean() <= nats)

        start = start_for(nats, self.sensitivities, self.shares)
        return crossing(holds, start, range_for(self.shares))[0]

    def for_bytes(self, most: int) -> float:
        measured: dict[float, int] = {}

        def exceeds(number: float) -> bool:
            self.tick()
            measured[number] = self.bytes_at(number)
            return measured[number] > most

        ends = range_for(self.shares)
        if not exceeds(ends[0]):
            return ends[0]
        start = start_for(_START, self.sensitivities, self.shares)
        number = crossing(exceeds, start, ends)[1]
        if measured[number] > most:
            raise BadInput(f"{self.graph.name}: even with the coarsest steps its maps take "
                           f"{measured[number]} bytes; the budget is {most}")
        return number
