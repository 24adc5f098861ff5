# SPDX-License-Identifier: Apache-2.0
"""What readers of a channel get: pieces of samples, gaps, events, envelopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host_tools.recording.chunks import Column, Floats, Ints


@dataclass(frozen=True, slots=True)
class Gap:
    """Between these two times (s) nothing is known; `lost` samples or events, -1: unknown.

    `why` is "lost" (the instrument or line dropped them) or "damaged" (this recording did).
    """

    start: float
    end: float
    lost: int
    why: str = "lost"


@dataclass(frozen=True, slots=True)
class Samples:
    """A piece of a channel: `times` [n] s, `values` [columns, n] in each column's unit.

    `index` [n] counts samples from the channel's first on, lost ones included: where it steps by
    more than one, something is missing.
    """

    columns: tuple[Column, ...]
    times: Floats
    values: Floats
    index: Ints

    def column(self, quantity: str, rail: str | None = None) -> Floats:
        """The first column of a quantity (of a rail). Raises KeyError."""
        found: Floats = self.values[find_column(self.columns, quantity, rail)]
        return found


@dataclass(frozen=True, slots=True)
class Envelope:
    """One column in buckets: edges [b + 1] s; low, high, mean [b], NaN where nothing was taken."""

    edges: Floats
    low: Floats
    high: Floats
    mean: Floats


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """Bytes and when (s) they came; `missed` events were lost right before."""

    time: float
    payload: bytes
    missed: int


def find_column(columns: tuple[Column, ...], quantity: str, rail: str | None = None) -> int:
    """Position of the first column of a quantity (of a rail). Raises KeyError."""
    for number, column in enumerate(columns):
        if column.quantity == quantity and rail in (None, column.rail):
            return number
    raise KeyError(f"no {quantity}{f' of {rail}' if rail else ''}")


class Buckets:
    """Gathers values into buckets of time."""

    def __init__(self, edges: Floats) -> None:
        count = len(edges) - 1
        self.edges = edges
        self.low, self.high = np.full(count, np.inf), np.full(count, -np.inf)
        self.total, self.sizes = np.zeros(count), np.zeros(count)

    def add(self, times: Floats, low: Floats, high: Floats, total: Floats, sizes: Ints) -> None:
        count = len(self.low)
        width = (self.edges[-1] - self.edges[0]) / count
        at = np.floor((times - self.edges[0]) / width)
        good = (at >= 0) & (at < count)
        where = at[good].astype(np.int64)
        if not len(where):
            return
        edges = np.flatnonzero(np.diff(where, prepend=where[0] - 1))  # neighbors go together
        for ufunc, into, values in ((np.minimum, self.low, low), (np.maximum, self.high, high),
                                    (np.add, self.total, total), (np.add, self.sizes, sizes)):
            ufunc.at(into, where[edges], ufunc.reduceat(values[good], edges))

    def result(self) -> Envelope:
        empty = self.sizes == 0
        mean = np.where(empty, np.nan, self.total / np.where(empty, 1, self.sizes))
        return Envelope(self.edges, np.where(empty, np.nan, self.low),
                        np.where(empty, np.nan, self.high), mean)
