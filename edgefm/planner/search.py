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
from heapq import heappop, heappush
from itertools import combinations
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np

from edgefm.codecs.shift import Cap
from edgefm.network.program import OpKind
from edgefm.planner.bounds import Bounds
from edgefm.planner.instructions import StageInstructions
from edgefm.planner.layout import Layout
from edgefm.planner.objective import prices_of
from edgefm.planner.stages import Stage, StageCost, evaluate
from edgefm.planner.storage import Storage
from edgefm.planner.target import Target

SLICING = "bytes"  # the objective for which chains run in slices, at the cost of instructions
EXTERNAL, POOL, NOWHERE = "external", "pool", "nowhere"
STRIPS = (56, 28, 14, 10, 7, 5, 4, 3, 2, 1)
_MOST_MAPS = 3   # with more new maps than this at a cut, not every combination is tried
_MOST_STATES = 16
_BEHIND = 2      # operators that a stage may have behind a chain in slices

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
    steps: int = 0  # firings and stages up to here; of equal prices fewer are better


_State = tuple[frozenset[int], _Node]


class _Arrivals:
    """The states at a cut, cheapest first, of all stages that end there.

    What is next is taken from a heap: stages by the least that they may cost, then by what they
    cost, then the states that they lead to. A stage is simulated when its turn comes, so most never
    are. A state that holds no fewer bytes than a cheaper one is dropped.
    """

    def __init__(self, search: Search, states: Mapping[int, Mapping[frozenset[int], _Node]],
                 limit: float, place: str, slim: bool) -> None:
        self.search = search
        self.states = states
        self.limit = limit
        self.place = place
        self.slim = slim
        self.heap: list[tuple[Price, bool, int, int, Stage | _State, bool]] = []
        self.best: dict[frozenset[int], tuple[Price, int]] = {}
        self.pushed = 0

    def at(self, end: int, starts: Iterable[int]) -> dict[frozenset[int], _Node]:
        """At most `_MOST_STATES` states at a cut, by what they hold."""
        starts = list(starts)
        for start in starts:
            if self.states[start]:
                self._offer_slices(start, end)
        for start in starts:
            if self.states[start] and not self._offer(start, end):
                break
        kept: dict[frozenset[int], _Node] = {}
        least = float("inf")
        while self.heap and least > 0 and len(kept) < _MOST_STATES:
            *_, item, simulated = heappop(self.heap)
            if isinstance(item, Stage):
                self._open(item, simulated, least)
            elif (size := self._held_bytes(item[0])) < least:
                least = size
                kept[item[0]] = item[1]
        return kept

    def _held_bytes(self, held: frozenset[int]) -> int:
        return sum(self.search.layout.extents[g].map_bytes for g in held)

    def _offer(self, start: int, end: int) -> bool:
        """Put the stages into the heap that may fit; whether longer ones may, too."""
        some = False
        for stage in self.search.stages(start, end, self.slim):
            bound = self.search.bounds.of(stage)
            if bound.inner > self.limit:
                break  # fewer strips only need more
            some = True
            self._push(stage, self._least_price(start, bound.weights, bound.instructions),
                       simulated=False)
        return some

    def _offer_slices(self, start: int, end: int) -> None:
        for stage, weights in self.search.sliced_stages(start, end, self.slim):
            self._push(stage, self._least_price(start, weights, 0.0), simulated=False)

    def _least_price(self, start: int, weights: int, instructions: float) -> Price:
        """What the cheapest state at a stage's start and the stage's operators cost."""
        price = next(iter(self.states[start].values())).price
        return self.search.sum_of(price, 0, weights, instructions, self.place)

    def _push(self, item: Stage | _State, price: Price, simulated: bool, steps: int = 0) -> None:
        """Where prices are equal, stages come first, then states of fewer steps, then what was
        put in first."""
        self.pushed += 1
        heappush(self.heap, (price, not isinstance(item, Stage), steps, self.pushed, item,
                             simulated))

    def _open(self, stage: Stage, simulated: bool, least: float) -> None:
        """Simulate a stage, or look at the states that it leads to."""
        cost = self.search.cost(stage)
        if cost.inner_bytes() > self.limit:
            return
        if not simulated:
            self._push(stage, self._least_price(stage.first, cost.weight_bytes,
                                                self.search.computing(cost)), simulated=True)
            return
        search = self.search
        after = search.live(stage.last)
        new = after - search.live(stage.first)
        for held, node in self.states[stage.first].items():
            for chosen in subsets(search.layout, new):
                fast = (held & after) | chosen
                if self._held_bytes(fast) >= least:
                    continue
                price = search.price(node.price, cost, held, chosen, self.place)
                steps = node.steps + cost.firings + 1
                if (fast not in self.best or (price, steps) < self.best[fast]) and self._fits(
                        stage, cost, held, chosen, after):
                    self.best[fast] = price, steps
                    reached = _Node(price, stage, (stage.first, held), node.fast | chosen, steps)
                    self._push((fast, reached), price, simulated=True, steps=steps)

    def _fits(self, stage: Stage, cost: StageCost, held: frozenset[int], chosen: frozenset[int],
              after: frozenset[int]) -> bool:
        search = self.search
        new = after - search.live(stage.first)
        if not search.may_store(new - chosen, self.place):
            return False
        if self.place == EXTERNAL and not search.has_room_outside(stage, held | chosen):
            return False
        limit = search.room(stage, self.limit)
        bytes_ = search.fast_bytes(cost, held, chosen, after)
        if self.place == POOL and bytes_ <= limit:
            bytes_ += search.pool_bytes(cost, held, chosen, after)
        return bytes_ <= limit


class Search:
    """The search over one layout; it caches simulated stages for other budgets and searches."""

    def __init__(self, layout: Layout, target: Target, objective: str,
                 cuts: Iterable[int] | None = None, storage: Storage | None = None,
                 slices: bool = True) -> None:
        """`cuts` fixes the stage ends; `storage` is for choices with a page pool. `slices` lets
        chains run in slices where the objective wants that."""
        self.layout = layout
        self.storage = storage or Storage()
        self.target = target
        self.objective = objective
        self.slices = slices and objective == SLICING
        self.fixed = None if cuts is None else sorted({0, len(layout.program.ops), *cuts})
        self._costs = _simulated.setdefault(layout, {}).setdefault(
            (target.alignment, target.buffers), {})
        self._live: dict[int, frozenset[int]] = {}
        self._outside: dict[tuple[int, int], tuple[int, list[tuple[int, int]]]] = {}
        self._excess: Mapping[Stage, int] = {}
        self.prices = prices_of(objective, target)
        figures = self.prices.figures
        self.instructions = None if figures is None else StageInstructions(layout, figures)
        self.bounds = Bounds(layout, target, self.instructions)

    def with_storage(self, storage: Storage) -> Search:
        """The same search for maps with another storage."""
        return Search(self.layout, self.target, self.objective, self.fixed, storage, self.slices)

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
        states: dict[int, dict[frozenset[int], _Node]] = {
            0: {frozenset(): _Node((0.0, 0.0), None, None)}}
        positions = self._positions()
        for i, end in enumerate(positions[1:], 1):
            starts = positions[i - 1::-1] if self.fixed is None else positions[i - 1:i]
            states[end] = _Arrivals(self, states, limit, place, slim).at(end, starts)
        goal = states[len(self.layout.program.ops)].get(frozenset())
        return None if goal is None else self._trace_back(states, goal, place == POOL)

    def _positions(self) -> list[int]:
        """Cuts worth trying: one just before a row-by-row copy is no better than one after it."""
        if self.fixed is not None:
            return self.fixed
        ops = self.layout.program.ops
        return [c for c in self.layout.cuts if c == len(ops) or ops[c].kind not in _PASSING]

    def stages(self, start: int, end: int, slim: bool) -> Iterator[Stage]:
        """From row by row to everything at once."""
        tallest = max(self.layout.rows[start:end])
        yield Stage(start, end, tallest)
        if tallest == 1 or slim:
            return
        shortest = min((r for r in self.layout.rows[start:end] if r > 1), default=1)
        for strips in STRIPS:
            if strips <= shortest and strips < tallest:
                yield Stage(start, end, strips)

    def sliced_stages(self, start: int, end: int, slim: bool) -> Iterator[tuple[Stage, int]]:
        """Stages that begin with a chain, run a slice at a time, and the least bytes of weights
        that each reads."""
        for chain in self.layout.chains.get(start, ()) if self.slices else ():
            if not 0 <= end - chain.last <= _BEHIND:
                continue
            rows = chain.output.height
            for strips in (rows, *(s for s in STRIPS if s < rows and not slim)):
                strip = -(-rows // strips)
                yield (Stage(start, end, strips, len(chain.ops)),
                       -(-rows // strip) * chain.weight_bytes(1))

    def room(self, stage: Stage, limit: float) -> float:
        """What a stage may take of the limit."""
        return limit - self._excess.get(stage, 0)

    def has_room_outside(self, stage: Stage, kept: frozenset[int]) -> bool:
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

    def price(self, so_far: Price, cost: StageCost, held: frozenset[int],
               chosen: frozenset[int], place: str) -> Price:
        streams = self.layout.program.streams
        group = self.layout.group
        moved = sum(self.storage.raw_bytes(s, streams[s], self.target)
                    for names, kept in ((cost.boundary.loads, held), (cost.boundary.stores, chosen))
                    for s in names if group[s] not in kept)
        instructions = self.computing(cost)
        moves = ((OpKind.LOAD, cost.boundary.loads, held),
                 (OpKind.STORE, cost.boundary.stores, chosen))
        if self.instructions is not None:
            instructions += sum(self.instructions.of_move(kind, s) for kind, names, kept in moves
                                for s in names if group[s] not in kept)
        return self.sum_of(so_far, moved, cost.weight_bytes, instructions, place)

    def computing(self, cost: StageCost) -> float:
        """Instructions of a stage's operators, 0 where they are not counted."""
        return 0.0 if self.instructions is None else self.instructions.of_firings(cost.fired)

    def sum_of(self, so_far: Price, moved: int, weights: int, instructions: float, place: str
               ) -> Price:
        """A price with that of bytes of maps, of weights and of instructions added."""
        prices = self.prices
        if prices.maps_first or place == POOL:
            return so_far[0] + moved, so_far[1] + weights
        paid = (moved * prices.maps + weights * prices.weights
                + instructions * prices.instruction)
        return so_far[0] + paid, so_far[1] + moved

    def fast_bytes(self, cost: StageCost, held: frozenset[int], chosen: frozenset[int],
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

    def may_store(self, groups: frozenset[int], place: str) -> bool:
        return not groups or (groups.isdisjoint(self.layout.tiled) and (place == EXTERNAL or (
            place == POOL and all(self._widest(g)[1] is not None for g in groups))))

    def _widest(self, group: int) -> tuple[int, Cap | None]:
        """The group's largest stream and its cap."""
        streams = self.layout.program.streams
        widest = max((s for s, g in enumerate(self.layout.group) if g == group),
                     key=lambda s: streams[s].map_bytes)
        return widest, self.storage.cap_of(widest)

    def pool_bytes(self, cost: StageCost, held: frozenset[int], chosen: frozenset[int],
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


def subsets(layout: Layout, groups: frozenset[int]) -> Iterator[frozenset[int]]:
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

