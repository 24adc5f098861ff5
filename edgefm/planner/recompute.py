# SPDX-License-Identifier: Apache-2.0
"""Chooses column tiles where no other plan fits the memory: the fewest multiply-adds that do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgefm.network.program import OpKind, Program
from edgefm.planner.columns import Tiling, in_columns, macs_in_columns, tileable
from edgefm.planner.layout import Layout, analyze
from edgefm.planner.smallest import smallest
from edgefm.planner.storage import Storage
from edgefm.planner.target import Target
from edgefm.planner.within import Case, case_for

TILES = (2, 3, 4, 5, 6, 8, 11, 15)  # an operator has 15 inputs at most
_NEAR = 1.1      # estimates are rarely larger than this many times their placement
_LESS = 0.99     # memory that is hardly less
_PATIENCE = 5    # numbers of tiles that are tried in vain


@dataclass(slots=True)
class _Tried:
    """What tiles of the same operators needed last, and how many were in vain."""

    needed: int = 0
    failed: int = 0


def tiling_for(layout: Layout, target: Target, objective: str, most: float,
               storage: Callable[[Layout], Storage]) -> Tiling | None:
    """The column tiles that fit the target's fast memory with the fewest multiply-adds, at most
    `most` times those of the layout's program. None if there are none. `storage` gives the storage
    of a layout's maps."""
    program, budget = layout.program, target.fast_bytes or 0
    limit = most * sum(op.macs for op in program.ops)
    macs = {tiling: macs_in_columns(program, tiling) for tiling in _tilings(program, budget)}
    tried: dict[int, _Tried] = {}
    for tiling in sorted((t for t in macs if macs[t] <= limit), key=macs.__getitem__):
        before = tried.setdefault(tiling.operators, _Tried())
        if before.failed < _PATIENCE:
            tiled = in_tiles(layout, tiling)
            if _fits(case_for(tiled, target, objective, storage(tiled)), before):
                return tiling
    return None


def in_tiles(layout: Layout, tiling: Tiling) -> Layout:
    """The layout in column tiles."""
    return analyze(in_columns(layout.program, tiling))


def _fits(case: Case, before: _Tried) -> bool:
    """Whether the smallest plan fits. To find it takes long, so an estimate must come near; and
    more tiles rarely help where they hardly did."""
    if case.search.best(int(_NEAR * case.budget), case.inner, slim=True) is None:
        before.failed += 1
        return False
    needed = smallest(case)[1].fast_bytes
    if before.needed and needed > _LESS * before.needed:
        before.failed += 2
    before.needed = needed
    return needed <= case.budget


def _tilings(program: Program, budget: int) -> Iterator[Tiling]:
    """Tilings whose result fits, and is no larger than the map that the next operator makes."""
    for count in tileable(program):
        result = program.streams[program.ops[count - 1].outputs[0]]
        behind = program.ops[count]
        after = max((program.streams[s].map_bytes for s in behind.outputs), default=0)
        if behind.kind != OpKind.OUTPUT and result.map_bytes <= min(after, budget):
            yield from (Tiling(count, tiles) for tiles in TILES if tiles <= result.width)
