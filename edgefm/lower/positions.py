# SPDX-License-Identifier: Apache-2.0
"""Where each value of a rearranged map comes from, as the three tables of GATHER.

A value of the result has a row, a pixel and a place in its pixel. Each of the three adds a row and
an element to where the value is taken from; many rearrangements are such sums, and their tables
are as long as a map is high, wide and deep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefm.lower.row_needs import Need
from edgefm.network.graph import Array

FILL = -1  # a position that no value has: it is filled
_NOTHING = 0xFFFFFFFF  # an entry of a table whose cells are filled
_MOST_ENTRIES = 0xFFFF  # of a table


@dataclass(frozen=True, slots=True, eq=False)
class GatherTables:
    """The entries, int64 [N, 2] each: a row and an element; row FILL where all is filled.

    `run` values stand side by side behind each entry of `places`.
    """

    rows: Array
    pixels: Array
    places: Array
    run: int

    def needs(self) -> Need:
        """First and last row that each row needs, both monotone."""
        reach = sum(int(part[:, 0].max(initial=0)) for part in (self.pixels, self.places))
        row, filled = self.rows[:, 0], self.rows[:, 0] == FILL
        if filled.all():
            return ((0, 0),) * len(row)
        last = np.maximum.accumulate(np.where(filled, 0, row + reach))
        first = np.minimum.accumulate(np.where(filled, row.max(), row)[::-1])[::-1]
        return tuple((int(a), int(b)) for a, b in zip(np.minimum(first, last), last, strict=True))

    def section(self) -> bytes:
        """The weight section: entries of rows, pixels and places, then the needs of each row."""
        needs = np.array(self.needs(), "<u2")
        return b"".join(_entries(part) for part in (self.rows, self.pixels, self.places)) + (
            needs.tobytes())


def tables(index: Array, row_elements: int) -> GatherTables | None:
    """The tables for the source positions `index` [H, W, C] in rows of `row_elements`, or None
    where no three sums give them."""
    there = index != FILL
    if not there.any():
        rows, pixels = (_flags(np.full(n, False)) for n in index.shape[:2])
        return GatherTables(rows, pixels, _flags(np.full(1, False)), index.shape[2])
    anchor = np.unravel_index(np.argmax(there), index.shape)
    lines = (index[:, anchor[1], anchor[2]], index[anchor[0], :, anchor[2]],
             index[anchor[0], anchor[1]])
    known = [line != FILL for line in lines]
    if not np.array_equal(there, known[0][:, None, None] & known[1][:, None] & known[2]):
        return None
    parts = [_parted(line, row_elements) for line in lines]
    origin = np.array(divmod(int(index[anchor]), row_elements))
    for part, mask in zip(parts[1:], known[1:], strict=True):
        part -= origin
        least = part[mask].min(axis=0)
        part -= least
        parts[0] += least
    for part, mask in zip(parts, known, strict=True):
        part[~mask] = FILL, 0
    if parts[0][known[0]].min() < 0 or not _gives(parts, known, index, row_elements):
        return None
    run = _run(parts[2])
    made = GatherTables(parts[0], parts[1], parts[2][::run], run)
    return made if max(map(len, (made.pixels, made.places))) <= _MOST_ENTRIES else None


def _flags(known: Array) -> Array:
    return np.stack((np.where(known, 0, FILL), np.zeros(len(known), np.int64)), axis=1)


def _parted(line: Array, row_elements: int) -> Array:
    """int64 [N, 2]: rows and elements of positions."""
    return np.stack(np.divmod(line.astype(np.int64), row_elements), axis=1)


def _gives(parts: list[Array], known: list[Array], index: Array, row_elements: int) -> bool:
    """True when the sums of the entries are the positions, and stay inside a row."""
    rows, elements = (parts[0][:, None, None, k] + parts[1][:, None, k] + parts[2][:, k]
                      for k in (0, 1))
    there = known[0][:, None, None] & known[1][:, None] & known[2]
    good = (rows * row_elements + elements == index) & (elements < row_elements)
    return bool(good[there].all())


def _run(places: Array) -> int:
    """How many values stand side by side at least, in every group of as many."""
    count = len(places)
    for run in (n for n in range(count, 0, -1) if count % n == 0):
        groups = places.reshape(-1, run, 2)
        filled = groups[:, :1, 0] == FILL
        steps = np.where(filled[..., None], 0, np.stack(
            np.broadcast_arrays(np.zeros(run, np.int64), np.arange(run)), axis=1))
        if np.array_equal(groups, groups[:, :1] + steps):
            return run
    return 1


def _entries(part: Array) -> bytes:
    """u32 element and u16 row of each entry; element _NOTHING where it is filled."""
    filled = part[:, 0] == FILL
    made = np.zeros(len(part), np.dtype([("element", "<u4"), ("row", "<u2")]))
    made["element"] = np.where(filled, _NOTHING, part[:, 1])
    made["row"] = np.where(filled, 0, part[:, 0])
    return made.tobytes()
