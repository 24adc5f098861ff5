# SPDX-License-Identifier: Apache-2.0
"""Finds the network of a family that keeps a budget, by measuring on held-out samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion.allocate import Ladder, bisected, crossing
from edgefm.rate_distortion.divergence import Divergences, Scores, changed, divergences, scores
from edgefm.rate_distortion.points_per_nat import PER_NAT, Changes, Toll, toll_of
from edgefm.rate_distortion.requantize import requantize
from edgefm.rate_distortion.sensitivity import Sensitivity
from edgefm.rate_distortion.weights.steps import CoarserWeights

FEW = 45                       # held-out samples that hold a budget well
_MARGIN = 0.5                  # standard errors of the mean KL that stay below a budget
_ROUGHLY = 4                   # one in 4 held-out samples says where a search begins
_BEYOND = 16                   # strides that it looks past its first failure,
_BEYOND_WEIGHTS = 10           # numbers with weights: a third of an octave
START = 0.01                  # nats at which a search for bytes begins
_PROBED = 0.003, 0.01, 0.03    # predicted nats, at which decisions that change are counted
_PER_OCTAVE, _STRIDE = 24, 2   # prices, where weights change, and how many it steps over at first
_LEAST, _MOST = 1e-20, 1e3     # nats per bit, of the first and the last of them


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Networks with coarser maps, weights or both, by one number, larger ones coarser; under the
    rule "slope" it is the price of a bit in nats."""

    graph: Graph
    sensitivities: Sequence[Sensitivity] = ()
    ladder: Ladder | None = None
    weights: CoarserWeights | None = None

    def at(self, number: float) -> Graph:
        """The network of a number."""
        graph = self.graph if self.weights is None else self.weights.at(number)
        if self.ladder is None:
            return graph
        chosen = zip(self.sensitivities, self.ladder.factors(number), strict=True)
        return requantize(graph, {s.group[0]: factor for s, factor in chosen})

    def numbers(self) -> list[float]:
        """Numbers in ascending order; without weights all that make a difference."""
        own = self.ladder.numbers() if self.ladder else []
        if self.weights is None:
            return own
        ends = [*own[:1], *own[-1:], *self.weights.slopes()]
        low, high = max(min(ends), _LEAST), min(max(ends), _MOST)
        count = 2 + int(np.log2(high / low) * _PER_OCTAVE)
        return [float(n) for n in np.geomspace(low, high, count)]

    def stride(self) -> int:
        """How far apart in `numbers` networks are whose loss differs by some hundredths."""
        return self.ladder.stride() if self.weights is None and self.ladder else _STRIDE

    def start(self, kl: float) -> float:
        """A number at which about `kl` nats are predicted."""
        return bisected(self._nats, kl)

    def _nats(self, number: float) -> float:
        return ((self.ladder.nats(number) if self.ladder else 0.0)
                + (self.weights.nats(number) if self.weights else 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class BudgetSearch:
    """Points of one family's curve, measured on held-out samples.

    `deploy` makes the package of a network; with `capped` the loss of this package is measured.
    `takes` says how many bytes of a budget a network uses.
    """

    family: Family
    held: Sequence[Array]
    reference: Scores
    deploy: Callable[[Graph], bytes]
    takes: Callable[[Graph], int]
    tick: Callable[[], None]
    capped: bool

    def divergences_of(self, graph: Graph, one_in: int = 1) -> Divergences:
        """The divergence of one in `one_in` held-out samples."""
        package = self.deploy(graph) if self.capped else None
        return divergences(self.reference[::one_in], scores(graph, self.held[::one_in], package))

    def toll(self, graphs: Sequence[Graph] | None = None) -> Toll:
        """What KL costs this network in points, by the decisions that `graphs` change; without any,
        by those of three networks of the family."""
        seen = []
        for graph in graphs or [self.family.at(self.family.start(kl)) for kl in _PROBED]:
            self.tick()
            package = self.deploy(graph) if self.capped else None
            found = scores(graph, self.held, package)
            kl, share = divergences(self.reference, found).mean(), changed(self.reference, found)
            if share is None:
                return Toll(*PER_NAT)
            seen.append(Changes(float(kl), share, len(self.held)))
        return toll_of(seen)

    def for_kl(self, nats: float) -> Graph:
        """The coarsest network that keeps a budget of loss."""
        numbers, stride = self.family.numbers(), self.family.stride()

        def holds(place: int, one_in: int = 1) -> bool:
            self.tick()
            kls = self.divergences_of(self.family.at(numbers[place]), one_in)
            return bool(kls.mean() + _MARGIN / one_in ** 0.5 * error_of(kls) <= nats)

        start = int(np.searchsorted(numbers, self.family.start(nats)))
        if len(self.held) >= FEW * _ROUGHLY:
            start, _ = crossing(lambda place: holds(place, _ROUGHLY), start, len(numbers),
                                4 * stride)
        low, _ = crossing(holds, start, len(numbers), stride)
        # every network is rounded differently: one that loses more may stand before one that holds
        further = (range(low + _BEYOND * stride, low + stride, -stride)
                   if self.family.weights is None else range(low + _BEYOND_WEIGHTS, low, -1))
        best = next((i for i in further if i < len(numbers) and holds(i)), low)
        return self.family.at(numbers[best])

    def for_bytes(self, most: int) -> Graph:
        """The finest network that keeps a budget of bytes."""
        numbers = self.family.numbers()
        measured: dict[int, int] = {}

        def exceeds(place: int) -> bool:
            self.tick()
            measured[place] = self.takes(self.family.at(numbers[place]))
            return measured[place] > most

        if not exceeds(0):
            return self.family.at(numbers[0])
        start = int(np.searchsorted(numbers, self.family.start(START)))
        _, place = crossing(exceeds, start, len(numbers), self.family.stride())
        if measured[place] > most:
            raise BadInput(f"{self.family.graph.name}: even with the coarsest steps its maps take "
                           f"{measured[place]} bytes; the budget is {most}")
        return self.family.at(numbers[place])


def error_of(kls: Divergences) -> float:
    """Standard error of the mean."""
    return float(kls.std(ddof=1) / len(kls) ** 0.5) if len(kls) > 1 else 0.0
