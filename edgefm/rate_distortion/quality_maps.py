# SPDX-License-Identifier: Apache-2.0
"""Quality maps from calibration files: the parts of a map whose steps may be coarser.

The cost of an error in a tile is proportional to the tile's mean squared derivative. One bit less
per value saves the same in every tile. But it costs more than a coarser scale, because it rounds
values that are already rounded: half of them lie halfway. So only tiles that count less than a
quarter of the usual tile get coarser. Their places are known in advance (`rows`, `static`) or
follow from activity (`derived`, `signalled`). Derivatives are those of the network before its steps
changed; the steps, which the budget's search changes, only scale them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edgefm.codecs.interface import Rows, RowShape
from edgefm.codecs.quality import (
    ACTIVITY_UNIT,
    CLASSES,
    MAX_THRESHOLD,
    MAX_TILE,
    QualityKind,
    QualityMap,
    activity,
    class_table,
    static_table,
)
from edgefm.codecs.shift import Cap
from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Stream
from edgefm.rate_distortion.fisher import derivatives

QUALITIES = ("even", "rows", "static", "derived", "signalled")  # rows: static, of whole rows
TILE = 8     # pixels of a tile, unless the user says otherwise
BAND = 4     # rows that share static offsets
SAMPLES = 16  # that derivatives are taken on
_PROBES = 2  # for each of them
_VARIANCES = (1.0, 7.0, 19.0, 67.0)  # of errors at 0 to 3 bits less, in that of the first rounding
_WORTH = 2 * float(np.log(2))  # of a bit: by what a usual place's variance grows per bit less
_CALM = (0.02, 0.05, 0.15)     # shares of tiles, calmest first, that end a class
_LEAST = 1e-12

Floats = npt.NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Chooser:
    """Quality maps of one kind for the maps of one network; `samples` are inputs for it."""

    graph: Graph
    samples: Sequence[Array]
    kind: QualityKind
    tile: int
    band: int = BAND
    tick: Callable[[], None] = lambda: None
    weights: dict[int, list[Floats]] = field(default_factory=dict)  # by tensor: [H, W] per sample

    def neutral(self, stream: Stream, cap: Cap) -> Cap:
        """The cap with a quality map that changes nothing, but takes the same memory."""
        tile = min(self.tile, stream.width)
        tiles = -(-stream.width // (tile or stream.width))
        table = (static_table(stream.height, np.zeros(tiles, np.int64))
                 if self.kind == QualityKind.STATIC else class_table((1,) * 3, (0,) * CLASSES))
        return replace(cap, quality=QualityMap(self.kind, tile, table))

    def shaped(self, stream: Stream, cap: Cap, maps: Sequence[Rows]) -> Cap:
        """The cap with a quality map; `maps` int8 [H, W, C] are what the samples made. Neutral
        where the decision does not depend on a map, or no derivative by position is known."""
        if not self.weights:
            self.weights = by_position(self.graph, self.samples, self.tick)
        if stream.tensor not in self.weights:
            return self.neutral(stream, cap)
        weights = [w.reshape(stream.height, stream.width) for w in self.weights[stream.tensor]]
        shape = RowShape(stream.width, stream.channels, stream.zero_point)
        tile = min(self.tile, stream.width)
        pixels = tile or stream.width
        if self.kind == QualityKind.STATIC:
            cells = _cells(np.mean(weights, axis=0), self.band, pixels)
            table = static_table(self.band, _offsets(cells))
        else:
            table = self._classes(shape, pixels, weights, maps)
        return replace(cap, quality=QualityMap(self.kind, tile, table))

    def _classes(self, shape: RowShape, pixels: int, weights: Sequence[Floats],
                 maps: Sequence[Rows]) -> bytes:
        """Four classes, from calm to busy; `derived` ones are those of the row above."""
        lag = int(self.kind == QualityKind.DERIVED)
        busy = np.concatenate([_activities(shape, rows[:len(rows) - lag], pixels) for rows in maps])
        counts = np.concatenate([_cells(w[lag:], 1, pixels) for w in weights])
        limits = np.ceil(np.quantile(busy, _CALM) * ACTIVITY_UNIT)
        thresholds = np.clip(limits, 1, MAX_THRESHOLD).astype(int).tolist()
        which = (busy[..., None] * ACTIVITY_UNIT >= thresholds).sum(axis=-1)
        usual = float(counts.mean())
        means = np.array([counts[which == k].mean() if (which == k).any() else usual
                          for k in range(CLASSES)])
        return class_table(thresholds, _offsets(means, usual).tolist())


def chooser_for(graph: Graph, samples: Sequence[Array], quality: str, tile: int,
                tick: Callable[[], None]) -> Chooser | None:
    """The chooser of quality maps; None for even steps. Raises BadInput for an unknown kind or an
    impossible tile."""
    if quality not in QUALITIES:
        raise BadInput(f"quality {quality!r}: expected one of {', '.join(QUALITIES)}")
    if not 0 <= tile <= MAX_TILE:
        raise BadInput(f"tiles of {tile} pixels; expected 0 (whole rows) to {MAX_TILE}")
    if quality == "even":
        return None
    some = samples[::-(-len(samples) // SAMPLES)]
    if quality == "rows":
        return Chooser(graph, some, QualityKind.STATIC, 0, 1, tick)
    return Chooser(graph, some, QualityKind[quality.upper()], tile, BAND, tick)


def by_position(graph: Graph, samples: Sequence[Array], tick: Callable[[], None] = lambda: None
                ) -> dict[int, list[Floats]]:
    """Per tensor and sample, the squared derivatives at every pixel, all channels together."""
    found: dict[int, list[Floats]] = {}
    for n, slopes in enumerate(derivatives(graph, samples, tick, _PROBES)):
        for t, slope in slopes.items():
            if slope.ndim == 4:
                squares = (slope[0].astype(np.float64) ** 2).sum(axis=2)
                own = found.setdefault(t, [])
                if n % _PROBES == 0:
                    own.append(squares)
                else:
                    own[-1] = own[-1] + squares
    return found


def _offsets(weights: Floats, usual: float | None = None) -> npt.NDArray[np.int64]:
    """Bits by which places of these weights are coarser than usual ones."""
    share = weights / max(weights.mean() if usual is None else usual, _LEAST)
    prices = np.stack([share * error - _WORTH * bits for bits, error in enumerate(_VARIANCES)])
    return np.asarray(prices.argmin(axis=0), np.int64)


def _cells(values: Floats, rows: int, pixels: int) -> Floats:
    """Means over cells of rows and pixels; those at the ends may be smaller."""
    down, across = (np.arange(0, n, step) for n, step in zip(values.shape, (rows, pixels),
                                                             strict=True))
    sums = np.add.reduceat(np.add.reduceat(values, down, axis=0), across, axis=1)
    heights, widths = (np.diff(np.append(starts, n)) for starts, n in zip(
        (down, across), values.shape, strict=True))
    return np.asarray(sums / np.outer(heights, widths))


def _activities(shape: RowShape, rows: Rows, pixels: int) -> Floats:
    """Mean differences of neighboring pixels [H, tiles]."""
    found = []
    for row in rows:
        sums, values = activity(shape, row, pixels)
        found.append(sums / values)
    return np.array(found)
