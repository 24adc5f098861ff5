# SPDX-License-Identifier: Apache-2.0
"""Converts packages with weights packed for one instruction set to a form for every reader."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgefm.errors import BadContainer
from edgefm.kernels.halves import unpack_halves, unpack_pairs
from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.network.program import OpKind
from edgefm.package.container import read_entries, seal
from edgefm.package.records import (
    OPERATOR,
    SLICED_MADE_OF,
    TILE,
    Packing,
    Section,
    Tile,
)

_UNPACK: dict[int, Callable[[bytes, int, int], bytes]] = {
    Packing.HALVES: unpack_halves, Packing.PAIRS: unpack_pairs}


def in_rows(package: bytes, known: int) -> bytes:
    """The package with tiles of packing ROWS in place of those that a reader does not know.

    Bit i of `known` is packing i. Returns the same package where all are known. It also returns
    it where a packing is unknown here or a tile is damaged: the runtime then says so.
    """
    try:
        sections = {i: (at, size) for i, at, size in read_entries(package, "", len(package))}
        found = [one for one in _tiles_of_convolutions(package, sections)
                 if not known >> _tile(package, one.at).packing & 1]
        data, weights = bytearray(package), sections[Section.WEIGHTS][0]
        for one in found:
            table = b"" if one.table is None else _table(package, one.table, weights)
            _unpack(data, one, weights, table)
    except (BadContainer, KeyError, ValueError, struct.error):
        return package
    return seal(bytes(data)) if found else package


@dataclass(frozen=True, slots=True)
class _Packed:
    """Where a tile's record is, the inputs of one of its output channels, and the record of the
    tile that has its table in front, if it has none of its own."""

    at: int
    depth: int
    table: int | None = None


def _tile(package: bytes | bytearray, at: int) -> Tile:
    return Tile._make(TILE.unpack_from(package, at))


def _tiles_of_convolutions(package: bytes, sections: dict[int, tuple[int, int]]
                           ) -> Iterator[_Packed]:
    """The tiles of every CONV, also of those that are part of another operator."""
    start, size = sections[Section.OPERATORS]
    params, tiles = sections[Section.PARAMS][0], sections[Section.TILES][0]
    for op in OPERATOR.iter_unpack(package[start:start + size]):
        records = range(tiles + TILE.size * op[7], tiles + TILE.size * (op[7] + op[8]), TILE.size)
        if op[0] == OpKind.CONV:
            window = struct.unpack_from("<2i", package, params + 4 * op[5])
            for at in records:
                yield _Packed(at, window[0] * window[1] * _tile(package, at).inner)
        elif op[0] == OpKind.SLICED:
            projects, middle = struct.unpack_from("<2i", package,
                                                  params + 4 * (op[5] + SLICED_MADE_OF))
            each = 1 + (middle == OpKind.DEPTHWISE) + bool(projects)
            for i, at in enumerate(records):
                apart = projects and i % each == each - 1 and i > each
                yield _Packed(at, _tile(package, at).inner, records[each - 1] if apart else None)


def _table(package: bytes, at: int, weights: int) -> bytes:
    """The table in front of the tile whose record is at `at`."""
    tile = _tile(package, at)
    start = weights + tile.offset
    return package[start:start + HEAD.size + CHANNEL.itemsize * tile.out]


def _unpack(data: bytearray, one: _Packed, weights: int, table: bytes) -> None:
    """Make rows of a tile; they take no more bytes."""
    tile = _tile(data, one.at)
    start = weights + tile.offset
    packed = table + bytes(data[start:start + tile.bytes])
    rows = _UNPACK[tile.packing](packed, tile.out, one.depth)[len(table):]
    if len(rows) > tile.bytes:
        raise ValueError("a tile that is too short")
    data[start:start + len(rows)] = rows
    TILE.pack_into(data, one.at, *tile._replace(bytes=len(rows), raw_bytes=len(rows),
                                                packing=Packing.ROWS))
