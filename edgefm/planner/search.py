# SPDX-License-Identifier: Apache-2.0
"""Chooses where to cut: the cheapest chain of stages within a fast-memory budget.

This is dynamic programming over cut positions. A state is a position and the set of live maps that
are in fast memory there. A step is one stage (operators, strips) and a choice of memory for every
map that it leaves behind. The memory of a step is estimated as the sum of its rings, scratch and
live map bytes at the worst moment; `place.py` computes it exactly afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np

from edgefm.codecs.shift import Cap
from edgefm.network.program import OpKind
from edgefm.planner.layout import Layout
from edgefm.planner.stages import Stage, StageCost, evaluate
from edgefm.planner.storage import Storage
from edgefm.planner.target import Target

OBJECTIVES = ("cost", "maps")
EXTERNAL, POOL, NOWHERE = "external", "pool", "nowhere"
STRIPS = (56, 28, 14, 10, 7, 5, 4, 3, 2, 1)
_MOST_MAPS = 3   # with more new maps than this at a cut, not every combination is tried
_MOST_STATES = 16
_PATIENCE = 3    # how many operators a stage may grow beyond the budget before we stop growing it

_PASSING = frozenset({OpKind.OUTPUT, OpKind.VIEW, OpKind.LUT, OpKind.RESHAPE, OpKind.CONCAT_ROWS,
                      OpKind.DEQUANTIZE, OpKind.SOFTMAX, OpKind.DETECTION})

Price = tuple[float, float]

_simulated: WeakKeyDictionary[Layout, dict[tuple[int, int], dict[Stage, StageCost]]] = (
    WeakKeyDictionary())
"""Per layout, alignment and transfers in flight, on which simulations depend: what they found."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A chain of stages and the storage groups kept in fast memory across cuts.

    All others are stored: in external memory, or `pooled` in the page pool.
    """

    stages: tuple[Stage, ...]
    fast: frozenset[int]
    price: Price
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class _Node:
    """One reached state: how it was reached and at what price."""

    price: Price
    stage: Stage | None
    back: tuple[int, frozenset[int]] | None
    fast: frozenset[int] = field(default=frozenset())  # every group ever kept, on this path


class Search:
    """The search over one layout; it caches simulated stages for other budgets and searches."""

    def __init__(self, layout: Layout, target: Target, objective: str,
                 cuts: Iterable[int] | None = None, storage: Storage | None = None) -> None:
        """`cuts` fixes the stage ends; `storage` is for choices with a page pool."""
        self.layout = layout
        self.storage = storage or Storage()
        self.target = target
        self.objective = objective
        self.fixed = None if cuts is None else sorted({0, len(layout.program.ops), *cuts})
        self._costs = _simulated.setdefault(layout, {}).setdefault(
            (target.alignment, target.buffers), {})
        self._live: dict[int, frozenset[int]] = {}
        self._outside: dict[tuple[int, int], tuple[int, list[tuple[int, int]]]] = {}
        self._excess: Mapping[Stage, int] = {}

    def with_storage(self, storage: Storage) -> Search:
        """The same search for maps with another storage."""
        return Search(self.layout, self.target, self.objective, self.fixed, storage)

    def cost(self, stage: Stage) -> StageCost:
        """The stage's simulation, from the cache."""
        if stage not in self._costs:
            self._costs[stage] = evaluate(self.layout, stage, self.target)
        return self._costs[stage]

    def live(self, cut: int) -> frozenset[int]:
        """Storage groups that exist as whole maps at a cut."""
        if cut not in self._live:
            self._live[cut] = frozenset(self.layout.group[s] for s in self.layout.crossing(cut))
        return self._live[cut]

    def best(self, budget: int | None, place: str,
             excess: Mapping[Stage, int] = MappingProxyType({}), slim: bool = False
             ) -> Choice | None:
        """The cheapest chain whose estimate fits `budget` bytes (None: no limit), or None.

        `place` says where maps go that do not stay in fast memory as they are: external memory, the
        pool, or nowhere. Maps in the pool are coded and may lose information, so as little as
        possible goes there, for every objective. `excess` are bytes to add to the estimates of
        single stages. `slim` chains run row by row, which takes the least memory.
        """
        limit = float("inf") if budget is None else float(budget)
        self._excess = excess
        last = len(self.layout.program.ops)
        states: dict[int, dict[frozenset[int], _Node]] = {
            0: {frozenset(): _Node((0.0, 0.0), None, None)}}
        for start in self._positions():
            if start in states and start < last:
                states[start] = self._worth_keeping(states[start])
                self._extend(states, start, limit, place, slim)
        goal = states.get(last, {}).get(frozenset())
        return None if goal is None else self._trace_back(states, goal, place == POOL)

    def _worth_keeping(self, reached: dict[frozenset[int], _Node]) -> dict[frozenset[int], _Node]:
        """States that no other state beats in both price and bytes held, at most `_MOST_STATES`."""
        kept: dict[frozenset[int], _Node] = {}
        least = float("inf")
        for held, node in sorted(reached.items(), key=lambda item: item[1].price):
            size = sum(self.layout.map_bytes(g) for g in held)
            if size < least:
                least = size
                kept[held] = node
        return dict(list(kept.items())[:_MOST_STATES])

    def _positions(self) -> list[int]:
        """Cuts worth trying: one just before a row-by-row copy is no better than one after it."""
        if self.fixed is not None:
            return self.fixed
        ops = self.layout.program.ops
        return [c for c in self.layout.cuts if c == len(ops) or ops[c].kind not in _PASSING]

    def _extend(self, states: dict[int, dict[frozenset[int], _Node]], start: int, limit: float,
                place: str, slim: bool) -> None:
        over = 0
        ends = [c for c in self._positions() if c > start]
        for end in ends if self.fixed is None else ends[:1]:
            fitted = False
            for stage in self._strip_choices(start, end, slim):
                cost = self.cost(stage)
                own = limit - self._excess.get(stage, 0)
                if cost.inner_bytes() > limit:
                    break  # fewer strips only need more
                fitted = True
                self._relax(states, stage, cost, own, place)
            over = 0 if fitted else over + 1
            if over >= _PATIENCE:
                break

    def _strip_choices(self, start: int, end: int, slim: bool) -> Iterator[Stage]:
        """From row by row to everything at once."""
        tallest = max(self.layout.rows[start:end])
        yield Stage(start, end, tallest)
        if tallest == 1 or slim:
            return
        shortest = min((r for r in self.layout.rows[start:end] if r > 1), default=1)
        for strips in STRIPS:
            if strips <= shortest and strips < tallest:
                yield Stage(start, end, strips)

    def _relax(self, states: dict[int, dict[frozenset[int], _Node]], stage: Stage, cost: StageCost,
               limit: float, place: str) -> None:
        after = self.live(stage.last)
        new = after - self.live(stage.first)
        reached = states.setdefault(stage.last, {})
        for held, node in states[stage.first].items():
            for chosen in _subsets(self.layout, new):
                if not self._may_store(new - chosen, place):
                    continue
                fast = (held & after) | chosen
                if place == EXTERNAL and not self._has_room_outside(stage, held | chosen):
                    continue
                price = self._price(node.price, cost, held, chosen, place)
                if fast in reached and reached[fast].price <= price:
                    continue
                bytes_ = self._fast_bytes(cost, held, chosen, after)
                if place == POOL and bytes_ <= limit:
                    bytes_ += self._pool_bytes(cost, held, chosen, after)
                if bytes_ <= limit:
                    reached[fast] = _Node(price, stage, (stage.first, held), node.fast | chosen)

    def _has_room_outside(self, stage: Stage, kept: frozenset[int]) -> bool:
        """True when the maps that are outside during a stage fit there, stacked perfectly."""
        ends = stage.first, stage.last
        if ends not in self._outside:
            streams = self.layout.program.streams
            crossing = {s for cut in ends for s in self.layout.crossing(cut)}
            sizes = [(self.layout.group[s], self.storage.outside_bytes(s, streams[s], self.target))
                     for s in crossing]
            self._outside[ends] = sum(size for _, size in sizes), sizes
        most, sizes = self._outside[ends]
        room = self.target.external_bytes
        return most <= room or sum(size for g, size in sizes if g not in kept) <= room

    def _price(self, so_far: Price, cost: StageCost, held: frozenset[int],
               chosen: frozenset[int], place: str) -> Price:
        streams = self.layout.program.streams
        group = self.layout.group
        moved = sum(self.storage.raw_bytes(s, streams[s], self.target)
                    for names, kept in ((cost.boundary.loads, held), (cost.boundary.stores, chosen))
                    for s in names if group[s] not in kept)
        if self.objective == "maps" or place == POOL:
            return so_far[0] + moved, so_far[1] + cost.weight_bytes
        paid = moved * self.target.external_cost + cost.weight_bytes * self.target.weight_cost
        return so_far[0] + paid, so_far[1] + moved

    def _fast_bytes(self, cost: StageCost, held: frozenset[int], chosen: frozenset[int],
                    after: frozenset[int]) -> float:
        total = cost.inner_bytes()
        moving = np.zeros(1)
        for g in held | chosen:
            if g in cost.live and not (g in held and g in after):
                moving = moving + cost.live[g]
            else:
                total += self.layout.map_bytes(g)
        total += sum(b for g, b in cost.rings.items()
                     if g in cost.live and g not in held and g not in chosen)
        return total + float(moving.max())

    def _may_store(self, groups: frozenset[int], place: str) -> bool:
        return not groups or place == EXTERNAL or (
            place == POOL and all(self._widest(g)[1] is not None for g in groups))

    def _widest(self, group: int) -> tuple[int, Cap | None]:
        """The group's largest stream and its cap."""
        streams = self.layout.program.streams
        widest = max((s for s, g in enumerate(self.layout.group) if g == group),
                     key=lambda s: streams[s].map_bytes)
        return widest, self.storage.cap_of(widest)

    def _pool_bytes(self, cost: StageCost, held: frozenset[int], chosen: frozenset[int],
                    after: frozenset[int]) -> float:
        """The pool at the stage's worst moment, and the cursors of its maps."""
        streams, moving, total = self.layout.program.streams, np.zeros(1), 0.0
        before = self.live(cost.stage.first)
        for g in (before - held) | (after - held - chosen):
            widest, cap = self._widest(g)
            if cap is None:
                continue
            share = cap.per_row / streams[widest].row_bytes
            total += cap.depth
            if g in cost.live:
                total += self.storage.cursor_bytes(widest, streams[widest], self.target,
                                                   g not in before, True)
            if g in cost.live and not (g in before and g in after):
                moving = moving + cost.live[g] * share
            else:
                total += self.layout.map_bytes(g) * share
        return total + float(moving.max())

    def _trace_back(self, states: dict[int, dict[frozenset[int], _Node]], goal: _Node,
                    pooled: bool) -> Choice:
        stages: list[Stage] = []
        node = goal
        while node.back is not None and node.stage is not None:
            stages.append(node.stage)
            node = states[node.back[0]][node.back[1]]
        return Choice(tuple(reversed(stages)), goal.fast, goal.price, pooled)


def _subsets(layout: Layout, groups: frozenset[int]) -> Iterator[frozenset[int]]:
    """Which of the new maps go to fast memory: all combinations, or the smallest k when many."""
    ordered = sorted(groups, key=lambda g: layout.map_bytes(g))
    if len(ordered) <= _MOST_MAPS:
        for k in range(len(ordered), -1, -1):
            for some in combinations(ordered, k):
                yield frozenset(some)
    else:
        for k in range(len(ordered), -1, -1):
            yield frozenset(ordered[:k])


def block_cuts(layout: Layout) -> tuple[int, ...]:
    """Cuts between blocks: one map is live, and it is no larger than at the neighboring ones."""
    single = [(c, layout.crossing(c)) for c in layout.cuts]
    streams = layout.program.streams
    narrow = [(c, streams[live[0]].map_bytes) for c, live in single if len(live) == 1]
    return tuple(c for i, (c, size) in enumerate(narrow)
                 if all(size <= other for _, other in narrow[max(0, i - 1):i + 2]))


def named_cuts(layout: Layout, names: Iterable[str]) -> tuple[int, ...]:
    """Cuts right after the operators that make the named tensors; KeyError for an unknown one."""
    by_name = {s.name: i for i, s in enumerate(layout.program.streams)}
    cuts = set()
    for name in names:
        after = layout.producer[by_name[name]] + 1
        cuts.add(min(c for c in layout.cuts if c >= after))
    return tuple(sorted(cuts))

