# SPDX-License-Identifier: Apache-2.0
"""The cost of a coarser step of a map for the network's output, and its saving.

Rounding to a step D adds an error of variance D^2/12 to a map. The divergence of the output from
the original is quadratic in small errors: KL = cost * factor^2, where factor is D over the map's
own step. Costs come from derivatives (`fisher`), and a trial of each map corrects them (`tried`).
If an operator has no derivative, two coarser steps are tried on each group of maps, and KL = floor
+ cost * factor^2 is fitted to them. The floor is the cost of any change, because every later map of
the integer network is then rounded differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgefm.network.graph import Array, Graph
from edgefm.network.operators import such
from edgefm.rate_distortion.divergence import Scores, divergences, package_of, scores
from edgefm.rate_distortion.entropy import FACTORS, bits_per_value
from edgefm.rate_distortion.fisher import Floats
from edgefm.rate_distortion.requantize import LARGEST_FACTOR, requantize
from edgefm.runtime import Runtime

MOST_WRONG = 8.0            # times a predicted cost, that a trial may raise it
PROBES = (0.15, 0.4)        # steps that are tried, in standard deviations of the map
CURVE_SAMPLES = 4           # that bits per value are estimated from
_SMALLEST_PROBE = 2.0       # less is lost in the rounding that is there anyway
_LEAST_COST = 1e-9
_LEAST_SHARE = 0.3          # of the coarser probe's KL is proportional to factor^2
_MOVES = such(lambda one: one.moves)


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """One group of tied maps: KL grows by `cost` * factor^2 nats, `deviation` is the standard
    deviation of its values in steps, `values` those that cross the port per inference, `bits` what
    each of them takes at the factors of `curves.FACTORS`.
    """

    group: tuple[int, ...]
    values: int
    deviation: float
    cost: float
    bits: tuple[float, ...]


def measure(graph: Graph, transferred: Mapping[tuple[int, ...], int], samples: Sequence[Array],
            costs: Mapping[int, Floats] | None, tick: Callable[[], None] = lambda: None
            ) -> list[Sensitivity]:
    """The sensitivity of each group in `transferred`, which says how many values each moves.

    `costs` [C] are those of this graph (`fisher.step_costs`); without them every group is probed.
    """
    deviations = _deviations(graph, list(transferred), samples)
    curves = _curves(graph, list(transferred), samples[:CURVE_SAMPLES])
    reference = scores(graph, samples) if costs is None else []
    found = []
    for group, values in transferred.items():
        cost = (_fitted(graph, group, deviations[group], samples, reference) if costs is None
                else sum(float(costs[t].sum()) for t in _rounding(graph, group) if t in costs))
        found.append(Sensitivity(group, values, deviations[group], cost, curves[group]))
        tick()
    return found


def tried(graph: Graph, sensitivities: Sequence[Sensitivity], factors: Sequence[float],
          samples: Sequence[Array], reference: Scores, tick: Callable[[], None] = lambda: None
          ) -> list[Sensitivity]:
    """Predicted costs, corrected by a trial of each map alone at its factor.

    Derivatives treat rounding errors as independent of each other. In a smooth map they are not:
    MobileNetV2's first bottleneck costs three to five times the prediction. A trial counts as far
    as it is certain: its standard error is added to both sides of the ratio. A cost below the
    prediction does not count, because networks that are rounded differently are lucky by as much as
    most maps cost.
    `reference` has the scores of the samples that KL is against.
    """
    coarser = [max(f, _SMALLEST_PROBE) for f in factors]
    trials = []
    for s, factor in zip(sensitivities, coarser, strict=True):
        changed = scores(requantize(graph, {s.group[0]: factor}), samples)
        trials.append(divergences(reference, changed))
        tick()
    floor = divergences(reference, scores(graph, samples))
    if floor.mean() < min(float(m.mean()) for m in trials):  # the graph is not rounded again yet
        floor = min(trials, key=lambda m: float(m.mean()))
    found = []
    for s, factor, kls in zip(sensitivities, coarser, trials, strict=True):
        more = kls - floor
        error = max(float(more.std() / len(more) ** 0.5), _LEAST_COST)
        ratio = (max(float(more.mean()), 0.0) + error) / (s.cost * (factor ** 2 - 1) + error)
        found.append(replace(s, cost=s.cost * float(np.clip(ratio, 1, MOST_WRONG))))
    return found


def _rounding(graph: Graph, group: Sequence[int]) -> list[int]:
    """The maps of a group that something is rounded in; the others get values moved to them."""
    makers = {t: node.op for node in graph.nodes for t in node.outputs}
    return [t for t in group if makers[t] not in _MOVES]


def _fitted(graph: Graph, group: tuple[int, ...], deviation: float, samples: Sequence[Array],
            reference: Scores) -> float:
    """Cost from a fine and a coarse probe."""
    fine = float(np.clip(PROBES[0] * deviation, _SMALLEST_PROBE, LARGEST_FACTOR / 2))
    coarse = float(np.clip(PROBES[1] * deviation, 2 * fine, LARGEST_FACTOR))
    low, high = (float(divergences(reference, scores(requantize(graph, {group[0]: factor}),
                                                     samples)).mean())
                 for factor in (fine, coarse))
    slope = (high - low) / (coarse ** 2 - fine ** 2)
    whole = high / coarse ** 2  # the cost if there were no floor
    return float(np.clip(slope, max(_LEAST_SHARE * whole, _LEAST_COST), max(whole, _LEAST_COST)))


def _curves(graph: Graph, wanted: Sequence[tuple[int, ...]], samples: Sequence[Array]
            ) -> dict[tuple[int, ...], tuple[float, ...]]:
    """Bits per value at each factor, over all tapped maps of a group."""
    names = {graph.tensors[t].name: t for group in wanted for t in group}
    maps: dict[int, list[Array]] = {}
    with Runtime(package_of(graph)) as runtime:
        for sample in samples:
            for name, rows in runtime.run([sample], taps=True).taps.items():
                if name in names:
                    maps.setdefault(names[name], []).append(_as_rows(rows))
    found = {}
    for group in wanted:
        tapped = [t for t in group if t in maps]
        if not tapped:  # views of other maps
            found[group] = tuple(float(b) for b in 8 - np.log2(FACTORS))
            continue
        sizes = np.array([maps[t][0].size for t in tapped], np.float64)
        bits = [bits_per_value(maps[t], graph.tensors[t].zero_point) for t in tapped]
        found[group] = tuple(float(b) for b in np.average(bits, axis=0, weights=sizes))
    return found


def _as_rows(values: Array) -> Array:
    """A tap as [H, W, C]."""
    flat = values if values.ndim > 1 else values.reshape(1, -1)
    return flat.reshape(-1, *flat.shape[-2:]) if flat.ndim > 2 else flat.reshape(-1, 1,
                                                                                flat.shape[-1])


def _deviations(graph: Graph, wanted: Sequence[tuple[int, ...]], samples: Sequence[Array]
                ) -> dict[tuple[int, ...], float]:
    """Standard deviation in steps, over all tapped maps of a group."""
    sums = {group: np.zeros(3) for group in wanted}
    with Runtime(package_of(graph)) as runtime:
        for sample in samples:
            taps = runtime.run([sample], taps=True).taps
            for group in wanted:
                for t in group:
                    values = taps.get(graph.tensors[t].name)
                    if values is not None:
                        real = values.astype(np.float64) - graph.tensors[t].zero_point
                        sums[group] += (real.size, real.sum(), (real ** 2).sum())
    return {group: _deviation(*total) for group, total in sums.items()}


def _deviation(count: float, total: float, squares: float) -> float:
    mean = total / max(count, 1)
    return float(max(squares / max(count, 1) - mean ** 2, 0.0) ** 0.5)
