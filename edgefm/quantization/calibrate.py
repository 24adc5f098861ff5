# SPDX-License-Identifier: Apache-2.0
"""What a float graph's tensors hold on calibration samples, and the ranges chosen from that.

Samples stream through one at a time; per tensor only a histogram and per-channel peaks stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph

_WIDE = 2048  # values
BINS = 8192  # over [-limit, limit): at least 16 per int8 step unless the map has one sign only


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts of values in `BINS` equal bins over [-limit, limit), and the exact extremes.

    `limit` is a power of two, so that a wider histogram is this one with bins joined in pairs.
    """

    counts: npt.NDArray[np.int64]
    limit: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """By tensor index, for every computed float tensor and graph input: the values as a histogram,
    the largest magnitude in every channel (last dimension), and (least, greatest) value.

    Only the last may be of further samples too (`spanning`).
    """

    histograms: Mapping[int, Histogram]
    peaks: Mapping[int, npt.NDArray[np.float32]]
    spans: Mapping[int, tuple[float, float]]

    def spanning(self, other: Statistics) -> Statistics:
        """The same with extremes that are those of `other` too."""
        return replace(self, spans={
            t: (min(low, other.spans[t][0]), max(high, other.spans[t][1]))
            for t, (low, high) in self.spans.items()})

    def joined(self, other: Statistics) -> Statistics:
        """What both sets of samples hold."""
        histograms = {t: merged(a, other.histograms[t]) for t, a in self.histograms.items()}
        peaks = {t: np.maximum(a, other.peaks[t]) for t, a in self.peaks.items()}
        return replace(self.spanning(other), histograms=histograms, peaks=peaks)


def observe(graph: Graph, samples: Iterable[Array],
            run: Callable[[Array], Mapping[int, Array]] | None = None) -> Statistics:
    """Run every sample through `graph` (one input) and collect what its float tensors hold.

    `run` gives the values of all tensors; without it NumPy does. Raises BadInput when a tensor
    overflows or the weights hold infinities.
    """
    run = run or (lambda sample: run_graph(graph, [sample]))
    return reduce(Statistics.joined, (_seen(graph, run(sample)) for sample in samples))


def _seen(graph: Graph, values: Mapping[int, Array]) -> Statistics:
    """The statistics of one sample."""
    histograms: dict[int, Histogram] = {}
    peaks: dict[int, npt.NDArray[np.float32]] = {}
    for t, one in values.items():
        if one.dtype == np.float32:
            if not np.isfinite(one).all():
                raise BadInput(f"{graph.name}: tensor {graph.tensors[t].name!r} is not finite "
                               "on a calibration sample")
            histograms[t], peaks[t] = histogram(one), _peaks(one)
    spans = {t: (seen.low, seen.high) for t, seen in histograms.items()}
    return Statistics(histograms, peaks, spans)


def histogram(values: Array) -> Histogram:
    """The histogram of one float map."""
    low, high = float(values.min()), float(values.max())
    largest = max(-low, high, 2.0 ** -100)
    limit = 2.0 ** (np.floor(np.log2(largest)) + 1)
    bins = np.floor(values.ravel() * np.float32(BINS / 2 / limit)).astype(np.intp) + BINS // 2
    counts = np.bincount(bins, minlength=BINS)
    return Histogram(counts, float(limit), low, high)


def merged(a: Histogram, b: Histogram) -> Histogram:
    """The histogram of both sets of values."""
    limit = max(a.limit, b.limit)
    counts = _widened(a, limit) + _widened(b, limit)
    return Histogram(counts, limit, min(a.low, b.low), max(a.high, b.high))


def _widened(old: Histogram, limit: float) -> npt.NDArray[np.int64]:
    """The counts over [-limit, limit): a power of two of old bins in each of the inner new ones."""
    factor = min(int(limit / old.limit), BINS // 2)  # each sign keeps a bin of its own
    inner = old.counts.reshape(-1, factor).sum(axis=1)
    counts = np.zeros(BINS, np.int64)
    start = (BINS - len(inner)) // 2
    counts[start:start + len(inner)] = inner
    return counts


def _peaks(values: Array) -> npt.NDArray[np.float32]:
    rows = values.reshape(-1, values.shape[-1] if values.ndim else 1)
    wide = max(1, _WIDE // rows.shape[1])  # pixels side by side: NumPy is slow with short rows
    whole = len(rows) // wide * wide
    blocks = rows[:whole].reshape(-1, wide * rows.shape[1]) if whole else rows[:1]
    parts = [part.reshape(-1, rows.shape[1]) for part in (blocks.max(axis=0), -blocks.min(axis=0))]
    rest = rows[whole:]
    return np.asarray(np.concatenate([*parts, rest, -rest]).max(axis=0))


# Ranges. Every method maps a histogram to the (low, high) that 8 bits shall span.

def range_of(method: str, seen: Histogram) -> tuple[float, float]:
    """The range by "minmax", "mse", or a percentile written as a number such as "99.99".

    A percentile leaves out (100 - p) % of the values at each end; mse minimizes the expected
    squared error of rounding and clipping. Raises ValueError for another method.
    """
    if method == "minmax":
        return seen.low, seen.high
    if method == "mse":
        return _least_squares(seen)
    return _percentile(seen, float(method))


def _percentile(seen: Histogram, percent: float) -> tuple[float, float]:
    if not 50 < percent <= 100:
        raise ValueError(f"percentile {percent}; expected more than 50 and at most 100")
    share = np.cumsum(seen.counts) / seen.counts.sum()
    tail, width = 1 - percent / 100, 2 * seen.limit / BINS
    low = int(np.searchsorted(share, tail, side="right")) * width - seen.limit
    high = (int(np.searchsorted(share, 1 - tail)) + 1) * width - seen.limit
    return max(seen.low, low), min(seen.high, high)


def _least_squares(seen: Histogram) -> tuple[float, float]:
    """Coordinate descent over shares of the extremes, first coarse, then fine."""
    used = np.flatnonzero(seen.counts)
    values = (used + 0.5) * (2 * seen.limit / BINS) - seen.limit
    counts = seen.counts[used]
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    ends = [1.0, 1.0]
    coarse, fine = np.linspace(-0.9, 0, 19), np.linspace(-0.04, 0.04, 9)
    for steps in (coarse, fine, fine):
        for i, extreme in ((1, high), (0, low)):
            if extreme != 0:
                tried = []
                for share in np.clip(ends[i] + steps, 0.05, 1):
                    trial = [share, ends[1]] if i == 0 else [ends[0], share]
                    tried.append((_error(values, counts, low * trial[0], high * trial[1]), share))
                ends[i] = float(min(tried)[1])
    return low * ends[0], high * ends[1]


def _error(values: Array, counts: Array, low: float, high: float) -> float:
    """Sum of squared errors of rounding to 256 levels between `low` and `high`."""
    step = max((high - low) / 255, 1e-30)
    rounded = np.clip(np.rint((values - low) / step), 0, 255) * step + low
    return float(((values - rounded) ** 2 * counts).sum())
