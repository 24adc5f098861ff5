# SPDX-License-Identifier: Apache-2.0
"""Tables for the tiles of a network: few, because each of them is stored, and shared by tiles that
are alike, wherever in the network they are.

Tiles begin in classes by how far their weights spread, in half octaves. Each class gets the code
that is shortest for it, each tile the class whose code is shortest for it, in turn; a table that
saves less than it takes is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.codecs.weights import packed
from edgefm.codecs.weights.huffman import (
    LONGEST,
    SPECIALS,
    SYMBOLS,
    Ints,
    Weights,
    WeightTable,
    symbols_of,
)

MOST_TABLES = 32
_ROUNDS = 6
_PER_OCTAVE = 2
_LEAST_SPREAD = 0.0625
_RARE = range(LONGEST - 2, LONGEST + 1)  # a weight seen less often than 2^-this is escaped

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """Counts of symbols [tiles, SYMBOLS] without and with runs, and the bits [tiles] that a tile
    takes without a table."""

    plain: Ints
    runs: Ints
    without: Ints

    def bits(self, table: WeightTable) -> Ints:
        """What each tile takes with a table, in whole bytes."""
        counts = self.runs if table.has_runs else self.plain
        return -(-(counts @ table.bits(np.arange(SYMBOLS))) // 8) * 8


def fit_tables(tiles: Sequence[Weights]) -> list[WeightTable]:
    """Tables for these tiles int8 [n], none where they would not pay."""
    seen = _Survey(_counts(tiles, False), _counts(tiles, True),
                   np.array([_without(tile) for tile in tiles], np.int64))
    tables = [_table_of(seen, where) for where in _classes(tiles)]
    for _ in range(_ROUNDS):
        chosen = _costs(seen, tables).argmin(axis=0)
        tables = [_table_of(seen, chosen == i + 1) for i in np.unique(chosen[chosen > 0]) - 1]
        tables = _worthwhile(seen, tables)
    return tables


def _counts(tiles: Sequence[Weights], runs: bool) -> Ints:
    found = [np.bincount(symbols_of(tile, runs), minlength=SYMBOLS) for tile in tiles]
    return np.array(found, np.int64).reshape(-1, SYMBOLS)


def _without(tile: Weights) -> int:
    fields = packed.encode(tile)
    return 8 * min(len(tile), len(tile) if fields is None else len(fields))


def _classes(tiles: Sequence[Weights]) -> list[npt.NDArray[np.bool_]]:
    """Which tiles are in each class, the largest classes first."""
    found = [_class_of(tile.astype(np.float64)) for tile in tiles]
    kinds = sorted(set(found), key=lambda kind: (-found.count(kind), kind))[:MOST_TABLES]
    return [np.array([one == kind for one in found]) for kind in kinds]


def _class_of(tile: Floats) -> tuple[int, int]:
    """The half octave of a tile's deviation, and its mean in deviations: legacy weights lie around
    zero points of their own."""
    if not len(tile):
        return 0, 0
    spread = max(float(tile.std()), _LEAST_SPREAD)
    return round(float(np.log2(spread)) * _PER_OCTAVE), round(float(tile.mean()) / spread)


def _costs(seen: _Survey, tables: Sequence[WeightTable]) -> Ints:
    """Bits [1 + tables, tiles], without a table first."""
    return np.stack([seen.without, *(seen.bits(table) for table in tables)])


def _worthwhile(seen: _Survey, tables: list[WeightTable]) -> list[WeightTable]:
    """The tables without those that save less than their record, the least useful first."""
    kept = list(tables)
    while kept:
        costs = _costs(seen, kept)
        total = costs.min(axis=0).sum()
        losses = [int(np.delete(costs, i + 1, axis=0).min(axis=0).sum() - total)
                  - 8 * len(table.record()) for i, table in enumerate(kept)]
        least = int(np.argmin(losses))
        if losses[least] > 0:
            break
        del kept[least]
    return kept


def _table_of(seen: _Survey, where: npt.NDArray[np.bool_]) -> WeightTable:
    """The table that is shortest for some tiles, its record counted."""
    found = []
    for counts, runs in ((seen.plain, False), (seen.runs, True)):
        total = counts[where].sum(axis=0)
        total[1:SPECIALS] += runs  # all runs have codes, or none
        for rare in _RARE:
            for lengths in (_lengths(total, rare), _mirrored(total, rare)):
                table = WeightTable(lengths)
                bits = int(total @ table.bits(np.arange(SYMBOLS)))
                found.append((bits + 8 * len(table.record()), table))
    return min(found, key=lambda one: one[0])[1]


def _lengths(counts: Ints, rare: int, longest: int = LONGEST) -> Ints:
    """Code lengths where what is rarer than 2^-rare is escaped; the escape always has a code."""
    kept = counts * 2 ** rare >= counts.sum()
    kept[1:SPECIALS] = counts[1:SPECIALS] > 0
    kept[SPECIALS:] &= counts[SPECIALS:] > 0
    weights = np.where(kept, counts, 0)
    weights[0] = max(int(counts.sum() - weights[1:].sum()), 1)
    used = np.flatnonzero(weights)
    lengths = np.zeros(SYMBOLS, np.int64)
    lengths[used] = limited_lengths(weights[used], longest)
    return lengths


def _mirrored(counts: Ints, rare: int) -> Ints:
    """The same for lengths that are alike on both sides of the mean: a pair is coded together, and
    one bit more tells which of the two it is."""
    values = counts[SPECIALS:]
    middle = int(np.rint((values @ np.arange(256)) / max(values.sum(), 1)))
    reach = min(middle, 255 - middle)
    paired = counts.copy()
    paired[SPECIALS:] = 0
    paired[SPECIALS + middle] = values[middle]
    right = np.arange(middle + 1, middle + reach + 1)
    paired[SPECIALS + right] = values[right] + values[2 * middle - right]
    paired[0] += values.sum() - paired[SPECIALS:].sum()
    lengths = _lengths(paired, rare, LONGEST - 1)
    own = lengths[SPECIALS + right]
    lengths[SPECIALS + right] = lengths[SPECIALS + 2 * middle - right] = own + (own > 0)
    return lengths


def limited_lengths(counts: Ints, longest: int) -> Ints:
    """Lengths of the shortest prefix code for positive `counts` [n] with no code beyond `longest`
    bits (the package-merge algorithm); n <= 2^longest."""
    size = len(counts)
    if size == 1:
        return np.ones(1, np.int64)
    own = np.eye(size, dtype=np.int64)
    order = np.argsort(counts, kind="stable")
    leaves, singles = counts[order], own[order]
    weights, members = leaves, singles
    for _ in range(longest - 1):
        pairs = len(weights) // 2 * 2
        merged = weights[0:pairs:2] + weights[1:pairs:2]
        joined = members[0:pairs:2] + members[1:pairs:2]
        weights, members = np.append(leaves, merged), np.concatenate([singles, joined])
        order = np.argsort(weights, kind="stable")
        weights, members = weights[order], members[order]
    return np.asarray(members[:2 * size - 2].sum(axis=0))
