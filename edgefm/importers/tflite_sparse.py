# SPDX-License-Identifier: Apache-2.0
"""Sparse constants of a TFLite file, made dense.

The file says in which order to traverse dimensions; dimensions of blocks may follow. Level by
level, a dense dimension takes every index and a compressed one only those that are listed. The
index combinations that remain are the positions of the stored values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.flatbuffer import Table
from edgefm.network.graph import Array

MOST_BYTES = 1 << 28  # of one dense constant
_TYPES = {1: "int32", 2: "uint16", 3: "uint8"}  # of SparseIndexVector
_DENSE, _COMPRESSED = 0, 1


class _SparsitySlot(IntEnum):
    """Fields of SparsityParameters."""

    TRAVERSAL_ORDER = 0
    BLOCK_MAP = 1
    DIMENSIONS = 2


class _DimensionSlot(IntEnum):
    """Fields of DimensionMetadata."""

    FORMAT = 0
    DENSE_SIZE = 1
    SEGMENTS_TYPE = 2
    SEGMENTS = 3
    INDICES_TYPE = 4
    INDICES = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """One dimension in the order of traversal; segments and indices where it is compressed."""

    dimension: int
    size: int
    segments: Array | None
    indices: Array | None


def dense(table: Table, values: Array, shape: tuple[int, ...], where: str) -> Array:
    """The constant of `shape` whose values [N] a SparsityParameters `table` places; zero elsewhere.

    Raises BadInput where the table contradicts itself.
    """
    if min(shape, default=0) < 1 or math.prod(shape) * values.itemsize > MOST_BYTES:
        raise UnsupportedModel(f"{where}: a sparse constant of shape {shape}; expected sizes from "
                               f"1 up and at most {MOST_BYTES} bytes")
    rank = len(shape)
    order = table.integers(_SparsitySlot.TRAVERSAL_ORDER) or ()
    blocks = table.integers(_SparsitySlot.BLOCK_MAP) or ()
    dimensions = table.tables(_SparsitySlot.DIMENSIONS)
    if (sorted(order) != list(range(rank + len(blocks))) or len(dimensions) != len(order)
            or len(set(blocks)) != len(blocks) or not all(0 <= b < rank for b in blocks)):
        raise BadInput(f"{where}: sparse in the order {order[:9]} with blocks {blocks[:9]}, which "
                       f"does not suit {rank} dimensions")
    levels = [_level(one, d, where) for one, d in zip(dimensions, order, strict=True)]
    sizes = {level.dimension: level.size for level in levels if level.dimension >= rank}
    places = _places(levels, values.size, math.prod(shape), where)
    index = []
    for d in range(rank):
        at = places[d]
        if d in blocks:
            block = rank + blocks.index(d)
            at = at * sizes[block] + places[block]
        if at.size and not 0 <= int(at.min()) <= int(at.max()) < shape[d]:
            raise BadInput(f"{where}: a sparse value lies outside of dimension {d} of {shape}")
        index.append(at)
    made = np.zeros(shape, values.dtype)
    made[tuple(index)] = values
    return made


def _level(table: Table, dimension: int, where: str) -> _Level:
    kind = table.number(_DimensionSlot.FORMAT, "b")
    if kind == _DENSE:
        return _Level(dimension, table.number(_DimensionSlot.DENSE_SIZE, "i"), None, None)
    if kind != _COMPRESSED:
        raise UnsupportedModel(f"{where}: sparse in format {kind}; expected 0 or 1")
    segments = _indices(table, _DimensionSlot.SEGMENTS_TYPE, _DimensionSlot.SEGMENTS, where)
    indices = _indices(table, _DimensionSlot.INDICES_TYPE, _DimensionSlot.INDICES, where)
    return _Level(dimension, table.number(_DimensionSlot.DENSE_SIZE, "i"), segments, indices)


def _indices(table: Table, kind: int, slot: int, where: str) -> Array:
    dtype, held = _TYPES.get(table.number(kind, "B")), table.table(slot)
    values = None if dtype is None or held is None else held.vector(0, dtype)
    if values is None:
        raise BadInput(f"{where}: a compressed dimension without its indices")
    return values.astype(np.int64)


def _places(levels: list[_Level], count: int, most: int, where: str) -> dict[int, Array]:
    """The index of every stored value, by dimension."""
    at, places = np.zeros(1, np.int64), dict[int, Array]()
    for level in levels:
        if level.segments is None or level.indices is None:
            if not 0 < level.size <= most or at.size * level.size > most:
                raise BadInput(f"{where}: a sparse dimension of {level.size}")
            parents = np.repeat(np.arange(at.size), level.size)
            mine = np.tile(np.arange(level.size), at.size)
            at = at[parents] * level.size + mine
        else:
            parents, at = _listed(level.segments, at, level.indices.size, most, where)
            mine = level.indices[at]
        places = {d: index[parents] for d, index in places.items()} | {level.dimension: mine}
    if at.size != count or (count and int(at.max()) >= count):
        raise BadInput(f"{where}: {count} sparse values for {at.size} places")
    order = np.argsort(at, kind="stable")
    return {d: index[order] for d, index in places.items()}


def _listed(segments: Array, at: Array, count: int, most: int, where: str) -> tuple[Array, Array]:
    """Of every listed index: which place it belongs to, and where it stands."""
    if at.size and int(at.max()) + 1 >= segments.size:
        raise BadInput(f"{where}: {segments.size} segments of a sparse dimension are too few")
    first, last = segments[at], segments[at + 1]
    lengths = last - first
    if at.size and (int(first.min()) < 0 or int(last.max()) > count or int(lengths.min()) < 0
                    or int(lengths.sum()) > most):
        raise BadInput(f"{where}: segments of a sparse dimension are out of order")
    parents = np.repeat(np.arange(at.size), lengths)
    within = np.arange(parents.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return parents, first[parents] + within
