# SPDX-License-Identifier: Apache-2.0
"""The page pool: how many pages capped maps can need together, at every firing of the schedule.

A map's rows are stored one after another in a chain of pages, which return to the pool when the
last reader is done with them. Caps bound the bytes of any consecutive rows, and the schedule says
which rows are live: the result is the most that any picture can need, not an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.codecs.shift import HEAD_BYTES, Cap
from edgefm.planner.firing import Rows
from edgefm.planner.place import Item


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """A map in the pool: rows [gone, made) live during each firing of the whole schedule."""

    cap: Cap
    row_bytes: int
    gone: Rows
    made: Rows

    def most_pages(self, page: int) -> Rows:
        """The most pages that it has at each firing.

        The first page begins with the map's first row; once rows are given back, the first live
        byte can be any byte of a page.
        """
        rows = self.made - self.gone
        bytes_ = np.minimum(rows * self.cap.per_row + self.cap.depth,
                            rows * (self.row_bytes + HEAD_BYTES))
        whole = -(-bytes_ // page)
        pages = np.where(self.gone > 0, 1 - (1 - bytes_) // page, whole)
        return np.asarray(np.where(rows > 0, pages, 0), np.int32)


def pool_item(maps: Sequence[Pooled], page: int) -> tuple[int, Item]:
    """Pages of the pool, and the memory they take. Pages are first used in order, when all those
    before them are taken, and an empty pool starts over, so the pool reaches no higher than it has
    had to since it was empty."""
    pages = np.sum([m.most_pages(page) for m in maps], axis=0)
    alive = np.flatnonzero(pages)
    start, stop = int(alive[0]), int(alive[-1]) + 1
    high = np.zeros(stop - start, np.int32)
    most = 0
    for t, now in enumerate(pages[start:stop].tolist()):
        most = max(most, now) if now else 0
        high[t] = most * page
    return int(pages.max()), Item("page pool", int(pages.max()) * page, start,
                                  np.zeros_like(high), high)
