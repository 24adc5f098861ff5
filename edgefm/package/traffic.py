# SPDX-License-Identifier: Apache-2.0
"""Stored maps and the traffic of each, which the runtime counts here or on a device.

A *transfer* is one write of a map, or one read by one reader. Bits per value are the mean over all
transfers, as in the counters of a whole run. Values of raw maps have the width of their type, plus
the bits that rounding up to whole transfers adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgefm.package.counters import MapCounters
from edgefm.package.read import PackageInfo


@dataclass(frozen=True, slots=True)
class MapInfo:
    """A stored map as its package describes it; `values` are those of a row."""

    name: str
    codec: str
    rows: int
    row_bytes: int
    values: int
    pooled: bool = False

    @property
    def bytes(self) -> int:
        """Of the whole map, raw."""
        return self.rows * self.row_bytes


@dataclass(frozen=True, slots=True)
class MapTraffic:
    """A stored map and its traffic, a mean over runs; `largest_shift` is the largest of all runs.

    `transfers` counts writes and reads of the whole map, `values` those that all of them moved.
    `bits_per_value` is None without traffic.
    """

    name: str
    codec: str
    pooled: bool
    rows: int
    raw_bytes: int
    write_bytes: float
    read_bytes: float
    transfers: float
    values: float
    bits_per_value: float | None
    raw_rows: float
    capped_rows: float
    largest_shift: int

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self)


def stored_maps(info: PackageInfo) -> tuple[MapInfo, ...]:
    """The maps that a package stores, in the order in which they are counted."""
    values = {s.tensor: s.width * s.channels for s in info.streams if s is not None}
    return tuple(MapInfo(one["name"], one["codec"], one["rows"], one["row_bytes"],
                           values.get(one["name"], one["row_bytes"]), bool(one.get("pooled")))
                 for one in info.plan["maps"])


def traffic(maps: Sequence[MapInfo], counted: Sequence[Sequence[MapCounters]], each: int = 1
            ) -> tuple[MapTraffic, ...]:
    """The traffic of each map per run; `counted` are sums over `each` runs.

    Runs with a different number of maps are left out.
    """
    counted = [one for one in counted if len(one) == len(maps)]
    if not counted:
        return ()
    return tuple(_traffic(one, totals, each * len(counted))
                 for one, totals in zip(maps, total(counted), strict=True))


def total(counted: Sequence[Sequence[MapCounters]]) -> tuple[MapCounters, ...]:
    """Sums over runs of one package, map by map."""
    return tuple(_total(same) for same in zip(*counted, strict=True))


def _total(counted: Sequence[MapCounters]) -> MapCounters:
    summed = {name: sum(getattr(one, name) for one in counted) for name in MapCounters.__slots__}
    return MapCounters(**{**summed, "largest_shift": max(one.largest_shift for one in counted)})


def _traffic(of: MapInfo, counted: MapCounters, runs: int) -> MapTraffic:
    rows = counted.rows_written + counted.rows_read
    values = rows * of.values
    crossed = counted.write_bytes + counted.read_bytes
    return MapTraffic(
        of.name, of.codec, of.pooled, of.rows, of.bytes, counted.write_bytes / runs,
        counted.read_bytes / runs, rows / of.rows / runs if of.rows else 0.0,
        values / runs, 8 * crossed / values if values else None,
        counted.raw_rows / runs, counted.capped_rows / runs, counted.largest_shift)
