# SPDX-License-Identifier: Apache-2.0
"""Rate allocation: which maps get coarser steps, and how coarse, for a budget of loss or of bytes.

`requantize` changes steps, `channel_transform` (over `channel_groups`) what they are steps in;
`divergence` measures what that does to the output, `fisher` and `sensitivity` foretell it,
`allocate` shares a budget out by that. Budgets are kept on samples that the model was not fitted
on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion.allocate import RULES, Ladder, crossing, ladder
from edgefm.rate_distortion.channel_transform import TRANSFORMS, in_good_coordinates
from edgefm.rate_distortion.divergence import Divergences, Scores, divergences, scores
from edgefm.rate_distortion.points_per_nat import PER_NAT
from edgefm.rate_distortion.requantize import groups, requantize
from edgefm.rate_distortion.sensitivity import Sensitivity, measure, tried
from edgefm.runtime import Runtime

__all__ = ["IMAGES", "PER_NAT", "RULES", "TRANSFORMS", "Budget", "MapStep", "Rate", "coarsen",
           "groups", "requantize", "split"]

IMAGES = 512                   # calibration samples: one in 9 (of few: one in 5), but no more than
_FITTED = 32                   # so many, fit the model,
_FEW = 45                      # the others hold the budget
_MARGIN = 0.5                  # standard errors of the mean KL that stay below a budget
_TRIED = 64                    # of the held-out samples, on which each map is tried alone
_ROUGHLY = 4                   # one in so many held-out samples says where a search begins
_BEYOND = 16                   # strides that it looks past its first failure
_BYTE_IMAGES = 64              # of the held-out samples, whose bytes are counted
_START = 0.01                  # nats at which a search for bytes begins


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be lost or spent, exactly one of them: `kl` in nats, `points` of top-1 estimated
    from KL by `per_nat` (likely, cautious), or bytes of feature maps that cross the port per
    inference, both ways: `bytes` for any picture, `mean_bytes` on average."""

    kl: float | None = None
    points: float | None = None
    bytes: int | None = None
    mean_bytes: int | None = None
    per_nat: tuple[float, float] = PER_NAT

    def __post_init__(self) -> None:
        """Raise BadInput unless one positive budget is given."""
        given = [v for v in (self.kl, self.points, self.bytes, self.mean_bytes) if v is not None]
        if len(given) != 1 or not 0 < given[0] < float("inf"):
            raise BadInput("rate: expected one positive budget, of KL, of accuracy or of bytes")

    @property
    def nats(self) -> float | None:
        """The budget in KL; None for one in bytes."""
        return self.kl if self.points is None else self.points / self.per_nat[1]

    @property
    def spent(self) -> int:
        """The budget in bytes, of either kind; 0 for one in KL."""
        return self.bytes or self.mean_bytes or 0


@dataclass(frozen=True, slots=True)
class MapStep:
    """A map, its new scale, and how many times the old one that is."""

    name: str
    scale: float
    factor: float


@dataclass(frozen=True, slots=True)
class Rate:
    """What was decided: `kl` and its standard error are measured on `images` held-out samples,
    `map_bytes` (mean, both ways) on the first `_BYTE_IMAGES` of them; `points` is estimated from
    `kl`, not checked. `transformed` names the stored maps whose channels have other coordinates.
    `most_map_bytes` is what maps take at most, whatever the picture; the planner fills it in."""

    rule: str
    transform: str
    kl_budget: float | None
    byte_budget: int | None
    kl: float
    kl_error: float
    images: int
    map_bytes: int
    points: tuple[float, float]
    steps: tuple[MapStep, ...]
    transformed: tuple[str, ...]
    mean_byte_budget: int | None = None
    most_map_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self)


def coarsen(graph: Graph, stored: Mapping[int, int], samples: Sequence[Array], budget: Budget,
            how: tuple[str, str], deploy: Callable[[Graph], bytes],
            tick: Callable[[], None] = lambda: None, capped: bool = False,
            taken: Callable[[Graph], int] | None = None) -> tuple[Graph, Rate]:
    """`graph` with coarser steps for the maps in `stored`, as coarse as `budget` allows.

    `stored` gives the values that cross the port per inference, by tensor; maps whose scale is
    prescribed stay. `how` is the rule (RULES) and the transform (TRANSFORMS). `deploy` makes the
    package whose bytes count; with `capped`, where its caps lose something too, its loss is what is
    measured. `taken` says what a graph takes of a budget in bytes; by default it is measured, as
    the mean. Raises BadInput when there are fewer than two samples, nothing to coarsen, or too few
    bytes.
    """
    if len(samples) < 2:
        raise BadInput(f"{graph.name}: one calibration file; expected at least two, so that the "
                       "budget is measured on other files than the steps are fitted on")
    transferred = _transferred(graph, stored)
    if not transferred:
        raise BadInput(f"{graph.name}: the plan stores no map whose step could change; a budget "
                       "for loss or bytes needs less fast memory (--fast) or a --cut")
    rule, transform = how
    fitted, held = split(samples)
    free = {t: stored[t] for group in transferred for t in group if t in stored}
    takes = taken or (lambda one: _crossing_bytes(deploy(one), held))
    if budget.spent and takes(graph) <= budget.spent:
        transform = "none"  # nothing has to change
    base = in_good_coordinates(graph, free, fitted, transform, tick)
    sensitivities = measure(base.graph, transferred, fitted, base.costs, tick)
    reference = scores(graph, held)
    if base.costs is not None:
        few = slice(None, None, -(-len(held) // _TRIED))
        sensitivities = tried(base.graph, sensitivities, ladder(sensitivities, rule).factors_at(
            budget.nats or _START), held[few], reference[few], tick)
    search = _Search(base.graph, sensitivities, ladder(sensitivities, rule), held, reference,
                     deploy, takes, tick, capped)
    number = search.for_kl(budget.nats) if budget.nats else search.for_bytes(budget.spent)
    coarse = search.graph_at(number)
    kls = search.divergences_of(coarse)
    kl = float(kls.mean())
    steps = tuple(MapStep(graph.tensors[t].name, coarse.tensors[t].scale,
                          coarse.tensors[t].scale / graph.tensors[t].scale) for t in free)
    return coarse, Rate(rule, transform, budget.nats, budget.bytes, kl, _error(kls), len(held),
                        _crossing_bytes(deploy(coarse), held),
                        (budget.per_nat[0] * kl, budget.per_nat[1] * kl), steps, base.changed,
                        budget.mean_bytes)


def _crossing_bytes(package: bytes, samples: Sequence[Array]) -> int:
    """Mean bytes that cross the external port, both ways, or the pool."""
    with Runtime(package) as runtime:
        counters = [runtime.run([sample]).counters for sample in samples[:_BYTE_IMAGES]]
    return round(float(np.mean([c.external_read_bytes + c.external_write_bytes + c.pool_bytes
                                for c in counters])))


def split(samples: Sequence[Array]) -> tuple[Sequence[Array], list[Array]]:
    """The samples that fit the model, and those that hold the budget."""
    one_in = max(9 if len(samples) >= _FEW else 5, -(-len(samples) // _FITTED))
    return samples[::one_in], [x for i, x in enumerate(samples) if i % one_in]


def _error(kls: Divergences) -> float:
    """Standard error of the mean."""
    return float(kls.std(ddof=1) / len(kls) ** 0.5) if len(kls) > 1 else 0.0


def _transferred(graph: Graph, stored: Mapping[int, int]) -> dict[tuple[int, ...], int]:
    """Values that cross the port, by group of tied maps; groups that move none are left out."""
    moved = {group: sum(stored.get(t, 0) for t in group) for group in groups(graph)}
    return {group: values for group, values in moved.items() if values}


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """Points of one curve, measured on held-out samples."""

    graph: Graph
    sensitivities: Sequence[Sensitivity]
    ladder: Ladder
    held: Sequence[Array]
    reference: Scores
    deploy: Callable[[Graph], bytes]
    takes: Callable[[Graph], int]
    tick: Callable[[], None]
    capped: bool

    def graph_at(self, number: float) -> Graph:
        chosen = zip(self.sensitivities, self.ladder.factors(number), strict=True)
        return requantize(self.graph, {s.group[0]: factor for s, factor in chosen})

    def divergences_of(self, graph: Graph, one_in: int = 1) -> Divergences:
        package = self.deploy(graph) if self.capped else None
        return divergences(self.reference[::one_in], scores(graph, self.held[::one_in], package))

    def for_kl(self, nats: float) -> float:
        numbers, stride = self.ladder.numbers(), self.ladder.stride()

        def holds(place: int, one_in: int = 1) -> bool:
            self.tick()
            kls = self.divergences_of(self.graph_at(numbers[place]), one_in)
            return bool(kls.mean() + _MARGIN / one_in ** 0.5 * _error(kls) <= nats)

        start = int(np.searchsorted(numbers, self.ladder.start(nats)))
        if len(self.held) >= _FEW * _ROUGHLY:
            start, _ = crossing(lambda place: holds(place, _ROUGHLY), start, len(numbers),
                                4 * stride)
        low, _ = crossing(holds, start, len(numbers), stride)
        # every network is rounded differently: one that loses more may stand before one that holds
        further = range(low + _BEYOND * stride, low + stride, -stride)
        return numbers[next((i for i in further if i < len(numbers) and holds(i)), low)]

    def for_bytes(self, most: int) -> float:
        numbers = self.ladder.numbers()
        measured: dict[int, int] = {}

        def exceeds(place: int) -> bool:
            self.tick()
            measured[place] = self.takes(self.graph_at(numbers[place]))
            return measured[place] > most

        if not exceeds(0):
            return numbers[0]
        start = int(np.searchsorted(numbers, self.ladder.start(_START)))
        _, place = crossing(exceeds, start, len(numbers), self.ladder.stride())
        if measured[place] > most:
            raise BadInput(f"{self.graph.name}: even with the coarsest steps its maps take "
                           f"{measured[place]} bytes; the budget is {most}")
        return numbers[place]
