# SPDX-License-Identifier: Apache-2.0
"""What a coarser step costs the network's output, group of maps by group of maps.

Rounding to a step D adds an error of variance D^2/12 to a map, and the divergence of the output
from the original is quadratic in small errors: KL = floor + cost * factor^2, where factor is D over
the map's own step. The floor is what any change costs, however small: every later map of the
integer network is then rounded differently. It is paid once, whichever maps change. Both numbers
are fitted to a few measured factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.binding import Runtime
from edgefm.graph import Array, Graph
from edgefm.rate.divergence import Scores, divergences, package_of, scores
from edgefm.rate.requantise import requantise

LARGEST_FACTOR = 64.0       # four codes are left
PROBES = (0.15, 0.4)        # steps that are tried, in standard deviations of the map
_SMALLEST_PROBE = 2.0       # less is lost in the rounding that is there anyway
_LEAST_COST = 1e-9
_LEAST_SHARE = 0.3          # of the coarser probe's KL is proportional to factor^2


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One group of tied maps: KL is `floor` + `cost` * factor^2 nats on average, `deviation` is
    the standard deviation of its values in steps, `values` those that cross the port per inference.
    """

    group: tuple[int, ...]
    values: int
    deviation: float
    cost: float
    floor: float = 0.0


def measure(graph: Graph, transferred: Mapping[tuple[int, ...], int], samples: Sequence[Array],
            tick: Callable[[], None] = lambda: None) -> list[Sensitivity]:
    """The sensitivity of each group in `transferred`, which says how many values each moves."""
    reference = scores(graph, samples)
    deviations = _deviations(graph, list(transferred), samples)
    found = []
    for group, values in transferred.items():
        deviation = deviations[group]
        found.append(Sensitivity(group, values, deviation,
                                 *_fitted(graph, group, deviation, samples, reference)))
        tick()
    return found


def _fitted(graph: Graph, group: tuple[int, ...], deviation: float, samples: Sequence[Array],
            reference: Scores) -> tuple[float, float]:
    """Cost and floor from a fine and a coarse probe."""
    fine = float(np.clip(PROBES[0] * deviation, _SMALLEST_PROBE, LARGEST_FACTOR / 2))
    coarse = float(np.clip(PROBES[1] * deviation, 2 * fine, LARGEST_FACTOR))
    low, high = (float(divergences(reference, scores(requantise(graph, {group[0]: factor}),
                                                     samples)).mean())
                 for factor in (fine, coarse))
    slope = (high - low) / (coarse ** 2 - fine ** 2)
    whole = high / coarse ** 2  # the cost if there were no floor
    cost = float(np.clip(slope, max(_LEAST_SHARE * whole, _LEAST_COST), max(whole, _LEAST_COST)))
    return cost, max(low - cost * fine ** 2, 0.0)


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
