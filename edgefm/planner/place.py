# SPDX-License-Identifier: Apache-2.0
"""Places everything in the arena.

An item is a piece of memory that is live from one firing to another. Its live bytes may slide: a
whole feature map is written from its first byte to its last and released in the same order. Two
items may overlap as long as their *live* bytes never do. So a stage can write its output over the
part of its input that it has already used. For two items only the difference of their offsets
matters. The differences that would make live bytes overlap form an interval, which is computed
exactly over all firings. Items are then placed as low as possible, in several orders; the best
order wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from edgefm.planner.arena import ALIGNMENT, round_up
from edgefm.planner.firing import Rows

_ROUNDS = 150

_Conflicts = list[list[tuple[int, int, int]]]
"""Per item: (other, low, high): offset - other's offset must not lie between low and high."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """Memory needed during firings [start, start + len(low)): bytes [low, high) at each one."""

    name: str
    size: int
    start: int
    low: Rows
    high: Rows

    @property
    def stop(self) -> int:
        """One past the last firing at which the item lives."""
        return self.start + len(self.low)


def solid(name: str, size: int, start: int, stop: int) -> Item:
    """An item all of whose bytes live during firings [start, stop)."""
    return Item(name, size, start, np.zeros(stop - start, np.int32),
                np.full(stop - start, size, np.int32))


def place(items: Sequence[Item], enough: int = 0) -> tuple[list[int], int]:
    """Offsets of the items and the height of the whole, in bytes.

    It tries a few orders, then climbs: the highest item moves forward in the order, together with
    the items that pushed it up, until the height is at most `enough` or a limit of rounds is
    reached. (The idea is the hill climbing in the tensor allocation of Arm's Vela compiler.)
    """
    if not items:
        return [], 0
    conflicts = _conflicts(items)
    orders: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-items[i].size,),
        lambda i: (-items[i].stop, -items[i].size),
        lambda i: (items[i].start, -items[i].size),
        lambda i: (-items[i].size * len(items[i].low),),
    ]
    best: tuple[list[int], int] | None = None
    for key in orders:
        order = sorted(range(len(items)), key=key)
        placed = _climb(items, order, conflicts, enough)
        if best is None or placed[1] < best[1]:
            best = placed
        if best[1] <= enough:
            break
    assert best is not None
    return best


def _climb(items: Sequence[Item], order: list[int], conflicts: _Conflicts,
           enough: int) -> tuple[list[int], int]:
    """Place in this order, then keep improving it for a bounded number of rounds."""
    random = Random(1)
    placed = _place_in_order(items, order, conflicts, sum(round_up(item.size)
                                                          for item in items))
    assert placed is not None  # one above the other is the worst
    offsets, height = placed, _height(items, placed)
    best = offsets, height
    for _ in range(_ROUNDS):
        if height <= enough:
            break
        top = max(range(len(items)), key=lambda i: offsets[i] + items[i].size)
        trial = list(order)
        blockers = [j for j, *_ in conflicts[top] if offsets[j] + items[j].size > offsets[top] // 2]
        moved = [top] if not blockers or random.random() < 0.5 else [top, random.choice(blockers)]
        for i in moved:
            at = trial.index(i)
            trial.insert(random.randint(0, at), trial.pop(at))
        lower = _place_in_order(items, trial, conflicts, height)
        if lower is not None:
            order, offsets, height = trial, lower, _height(items, lower)
            best = offsets, height
    return best


def _height(items: Sequence[Item], offsets: Sequence[int]) -> int:
    return max(o + item.size for o, item in zip(offsets, items, strict=True))


def _conflicts(items: Sequence[Item]) -> _Conflicts:
    found: _Conflicts = [[] for _ in items]
    by_start = sorted(range(len(items)), key=lambda i: items[i].start)
    open_items: list[int] = []
    for i in by_start:
        open_items = [j for j in open_items if items[j].stop > items[i].start]
        for j in open_items:
            gap = _forbidden(items[j], items[i])
            if gap is not None:
                found[i].append((j, gap[0], gap[1]))
                found[j].append((i, -gap[1], -gap[0]))
        open_items.append(i)
    return found


def _forbidden(a: Item, b: Item) -> tuple[int, int] | None:
    """The open interval of offset(b) - offset(a) in which live bytes overlap; None if never."""
    start, stop = max(a.start, b.start), min(a.stop, b.stop)
    low_a, high_a = a.low[start - a.start:stop - a.start], a.high[start - a.start:stop - a.start]
    low_b, high_b = b.low[start - b.start:stop - b.start], b.high[start - b.start:stop - b.start]
    both = (high_a > low_a) & (high_b > low_b)
    if not both.any():
        return None
    return int((low_a - high_b)[both].min()), int((high_a - low_b)[both].max())


def _place_in_order(items: Sequence[Item], order: Sequence[int],
                    conflicts: _Conflicts, limit: int) -> list[int] | None:
    """Each item as low as those before it allow; None when one ends above the limit."""
    offsets = [-1] * len(items)
    for i in order:
        blocked = sorted((offsets[j] + low, offsets[j] + high) for j, low, high in conflicts[i]
                         if offsets[j] >= 0)
        offset = 0
        for low, high in blocked:  # ascending in low: one already passed cannot block again
            if low < offset < high:
                offset = -(-high // ALIGNMENT) * ALIGNMENT
        offsets[i] = offset
        if offset + items[i].size > limit:
            return None
    return offsets
