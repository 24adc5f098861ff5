# SPDX-License-Identifier: Apache-2.0
"""Gives more scratch to operators that can use it, from bytes of the arena that are free then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgefm.planner.arena import round_up
from edgefm.planner.place import Item


def grown(items: Sequence[Item], offsets: Sequence[int], most: Mapping[int, int],
          limit: int) -> dict[int, tuple[int, int]]:
    """New places of items with a `most`: offset and bytes of each.

    Each lives for single firings only, so it can have what all other items leave free at every one
    of them, below `limit`: the first gap of `most` bytes, or else the largest. Items that would not
    gain are left out.
    """
    found = {}
    for i, wanted in most.items():
        best, free = (0, 0), 0
        for low, high in [*sorted(_taken(items, offsets, i)), (limit, limit)]:
            size = min(low - free, wanted)
            if size > best[1]:
                best = free, size
            free = max(free, round_up(high))
        if best[1] > items[i].size:
            found[i] = best
    return found


def _taken(items: Sequence[Item], offsets: Sequence[int], own: int) -> list[tuple[int, int]]:
    """Bytes that other items have at any of the firings at which this one lives."""
    item, found = items[own], []
    for j, other in enumerate(items):
        start, stop = max(item.start, other.start), min(item.stop, other.stop)
        if j == own or start >= stop:
            continue
        low, high = (a[start - other.start:stop - other.start] for a in (other.low, other.high))
        mine = slice(start - item.start, stop - item.start)
        both = (high > low) & (item.high[mine] > item.low[mine])
        if both.any():
            found.append((offsets[j] + int(low[both].min()), offsets[j] + int(high[both].max())))
    return found
