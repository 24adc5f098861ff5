# SPDX-License-Identifier: Apache-2.0
"""Rate allocation: which maps and weights get coarser steps, and how coarse, for a budget of loss
or of bytes.

`requantize` changes steps of maps, `channel_transform` (over `channel_groups`) what they are steps
in, `weights` those of weights; `divergence` measures what that does to the output, `fisher` and
`sensitivity` foretell it, `allocate` shares a budget out by that. Budgets are kept on samples that
the model was not fitted on: `search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion.allocate import RULES, ladder
from edgefm.rate_distortion.channel_transform import TRANSFORMS, Base, in_good_coordinates
from edgefm.rate_distortion.divergence import Scores, scores
from edgefm.rate_distortion.points_per_nat import PER_NAT, Toll
from edgefm.rate_distortion.requantize import groups, requantize
from edgefm.rate_distortion.search import FEW, START, BudgetSearch, Family, error_of
from edgefm.rate_distortion.sensitivity import measure, tried
from edgefm.rate_distortion.weights.bits import bits_per_weight
from edgefm.rate_distortion.weights.statistics import measure_layers
from edgefm.rate_distortion.weights.steps import CoarserWeights
from edgefm.runtime import Runtime

__all__ = ["COARSENED", "IMAGES", "PER_NAT", "RULES", "TRANSFORMS", "Budget", "How", "MapStep",
           "Rate", "coarsen", "groups", "requantize", "split"]

IMAGES = 512                   # calibration samples, at most
_FITTED = 32                   # of them, at most, fit the model of maps: one in 9 (of few: one in
                               # 5); the others hold the budget
_TRIED = 64                    # of the held-out samples, on which each map is tried alone
_BYTE_IMAGES = 64              # of the held-out samples, whose bytes are counted
COARSENED = ("maps", "weights", "both")


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be lost or spent, exactly one of them: `kl` in nats, `points` of top-1, or bytes of
    feature maps that cross the port per inference, both ways: `bytes` for any picture, `mean_bytes`
    on average. Points are estimated from KL, by `per_nat` (likely, cautious) where it is given,
    else by the decisions that change on calibration files."""

    kl: float | None = None
    points: float | None = None
    bytes: int | None = None
    mean_bytes: int | None = None
    per_nat: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Raise BadInput unless one positive budget is given."""
        given = [v for v in (self.kl, self.points, self.bytes, self.mean_bytes) if v is not None]
        if len(given) != 1 or not 0 < given[0] < float("inf"):
            raise BadInput("rate: expected one positive budget, of KL, of accuracy or of bytes")

    @property
    def of_loss(self) -> bool:
        """True for a budget of KL or of points, False for one of bytes."""
        return self.kl is not None or self.points is not None

    def nats(self, toll: Toll) -> float:
        """The budget of loss in KL."""
        return self.kl or toll.nats(self.points or 0.0)

    @property
    def spent(self) -> int:
        """The budget in bytes, of either kind; 0 for one of loss."""
        return self.bytes or self.mean_bytes or 0


@dataclass(frozen=True, slots=True)
class How:
    """What gets coarser steps (a word of COARSENED), by which rule (RULES), and the coordinates of
    maps (TRANSFORMS)."""

    rule: str = "slope"
    transform: str = "channels"
    coarsened: str = "maps"

    def __post_init__(self) -> None:
        """Raise BadInput for an unknown word, and for a rule that says nothing of weights."""
        if self.coarsened not in COARSENED:
            raise BadInput(f"coarsen: got {self.coarsened!r:.60}, expected one of "
                           f"{', '.join(COARSENED)}")
        if self.weights and self.rule != "slope":
            raise BadInput(f"rate rule {self.rule}: is for maps; expected slope, as weights get "
                           "coarser steps too")

    @property
    def maps(self) -> bool:
        """True where stored maps get coarser steps."""
        return self.coarsened != "weights"

    @property
    def weights(self) -> bool:
        """True where weights do."""
        return self.coarsened != "maps"


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
    `most_map_bytes` is what maps take at most, whatever the picture; the planner fills it in.
    `weight_bits` is what a weight takes coded, where weights got coarser steps."""

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
    weight_bits: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self)


def coarsen(graph: Graph, stored: Mapping[int, int], samples: Sequence[Array], budget: Budget,
            how: How, deploy: Callable[[Graph], bytes],
            tick: Callable[[], None] = lambda: None, capped: bool = False,
            taken: Callable[[Graph], int] | None = None) -> tuple[Graph, Rate]:
    """`graph` with coarser steps for what `how` names, as coarse as `budget` allows: for the maps
    in `stored`, for the weights, for both at one price of a bit.

    `stored` gives the values that cross the port per inference, by tensor; maps whose scale is
    prescribed stay. `deploy` makes the package whose bytes count; with `capped`, where its caps
    lose something too, its loss is what is measured. `taken` says what a graph takes of a budget in
    bytes; by default it is measured, as the mean. Raises BadInput when there are fewer than two
    samples, nothing to coarsen, or too few bytes, UnsupportedModel for weights whose derivatives
    are not known.
    """
    if len(samples) < 2:
        raise BadInput(f"{graph.name}: one calibration file; expected at least two, so that the "
                       "budget is measured on files that the steps are not fitted to")
    transferred = _transferred(graph, stored) if how.maps else {}
    if not transferred and not how.weights:
        raise BadInput(f"{graph.name}: the plan stores no map whose step could change; a budget "
                       "for loss or bytes needs less fast memory (--fast) or a --cut, or "
                       "--coarsen weights")
    fitted, held = split(samples, how.weights)
    free = {t: stored[t] for group in transferred for t in group if t in stored}
    takes = taken or (lambda one: _crossing_bytes(deploy(one), held))
    reference = scores(graph, held)
    family, changed = _family(graph, transferred, free, fitted, (held, reference), budget, how,
                              bool(budget.spent) and takes(graph) <= budget.spent, tick)
    search = BudgetSearch(family, held, reference, deploy, takes, tick, capped)
    toll = Toll(*budget.per_nat) if budget.per_nat else (
        search.toll() if budget.points else None)
    nats = budget.nats(toll or Toll(*PER_NAT)) if budget.of_loss else None
    coarse = search.for_kl(nats) if nats else search.for_bytes(budget.spent)
    kls, toll = search.divergences_of(coarse), toll or search.toll((coarse,))
    kl = float(kls.mean())
    steps = tuple(MapStep(graph.tensors[t].name, coarse.tensors[t].scale,
                          coarse.tensors[t].scale / graph.tensors[t].scale) for t in free)
    return coarse, Rate(how.rule, how.transform if transferred else "none", nats,
                        budget.bytes, kl, error_of(kls), len(held),
                        _crossing_bytes(deploy(coarse), held),
                        toll.points(kl), steps, changed,
                        budget.mean_bytes, weight_bits=bits_per_weight(coarse) if how.weights
                        else None)


def _family(graph: Graph, transferred: Mapping[tuple[int, ...], int], free: Mapping[int, int],
            fitted: Sequence[Array], judged: tuple[Sequence[Array], Scores], budget: Budget,
            how: How, kept: bool, tick: Callable[[], None]) -> tuple[Family, tuple[str, ...]]:
    """The networks to choose from, and the maps with other coordinates; with `kept` there are
    none, because nothing has to change."""
    some = fitted[::-(-len(fitted) // _FITTED)]
    base = in_good_coordinates(graph, free, some, "none" if kept else how.transform, tick) if (
        transferred) else Base(graph, None, ())
    weights = CoarserWeights(base.graph, measure_layers(base.graph, fitted, tick)) if (
        how.weights) else None
    if not transferred:
        return Family(base.graph, weights=weights), ()
    found = measure(base.graph, transferred, some, base.costs, tick)
    if base.costs is not None:
        few = slice(None, None, -(-len(judged[0]) // _TRIED))
        found = tried(base.graph, found, ladder(found, how.rule).factors_at(budget.kl or START),
                      judged[0][few], judged[1][few], tick)
    return Family(base.graph, found, ladder(found, how.rule), weights), base.changed


def _crossing_bytes(package: bytes, samples: Sequence[Array]) -> int:
    """Mean bytes that cross the external port, both ways, or the pool."""
    with Runtime(package) as runtime:
        counters = [runtime.run([sample]).counters for sample in samples[:_BYTE_IMAGES]]
    return round(float(np.mean([c.external_read_bytes + c.external_write_bytes + c.pool_bytes
                                for c in counters])))


def split(samples: Sequence[Array], weights: bool = False) -> tuple[Sequence[Array], list[Array]]:
    """The samples that fit the model, and those that hold the budget. The model of maps knows all
    from few; that of weights, with a number for each pair of a layer's inputs, gets two thirds."""
    one_in = max(9 if len(samples) >= FEW else 5, -(-len(samples) // _FITTED))
    if weights:
        return [x for i, x in enumerate(samples) if i % 3], list(samples[::3])
    return samples[::one_in], [x for i, x in enumerate(samples) if i % one_in]


def _transferred(graph: Graph, stored: Mapping[int, int]) -> dict[tuple[int, ...], int]:
    """Values that cross the port, by group of tied maps; groups that move none are left out."""
    moved = {group: sum(stored.get(t, 0) for t in group) for group in groups(graph)}
    return {group: values for group, values in moved.items() if values}
