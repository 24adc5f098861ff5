# SPDX-License-Identifier: Apache-2.0
"""Converts packages with weights packed for one instruction set to a form for every reader."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from edgefm.errors import BadContainer
from edgefm.kernels.halves import unpack_halves, unpack_pairs
from edgefm.network.program import OpKind
from edgefm.package.container import read_entries, seal
from edgefm.package.records import OPERATOR, TILE, Packing, Section, Tile

_UNPACK: dict[int, Callable[[bytes, int, int], bytes]] = {
    Packing.HALVES: unpack_halves, Packing.PAIRS: unpack_pairs}


def in_rows(package: bytes, known: int) -> bytes:
    """The package with tiles of packing ROWS in place of those that a reader does not know.

    Bit i of `known` is packing i. Returns the same package where all are known. It also returns
    it where a packing is unknown here or a tile is damaged: the runtime then says so.
    """
    try:
        sections = {i: (at, size) for i, at, size in read_entries(package, "", len(package))}
        found = [(at, op) for at, op in _tiles_of_convolutions(package, sections)
                 if not known >> TILE.unpack_from(package, at)[Tile._fields.index("packing")] & 1]
        data = bytearray(package)
        for at, depth in found:
            _unpack(data, at, sections[Section.WEIGHTS], depth)
    except (BadContainer, KeyError, ValueError, struct.error):
        return package
    return seal(bytes(data)) if found else package


def _tiles_of_convolutions(package: bytes, sections: dict[int, tuple[int, int]]
                           ) -> Iterator[tuple[int, int]]:
    """Where the record of each CONV's tile is, and the inputs of one of its output channels."""
    start, size = sections[Section.OPERATORS]
    params, tiles = sections[Section.PARAMS][0], sections[Section.TILES][0]
    for op in OPERATOR.iter_unpack(package[start:start + size]):
        if op[0] == OpKind.CONV:
            window = struct.unpack_from("<2i", package, params + 4 * op[5])
            for at in range(tiles + TILE.size * op[7], tiles + TILE.size * (op[7] + op[8]),
                            TILE.size):
                tile = Tile._make(TILE.unpack_from(package, at))
                yield at, window[0] * window[1] * tile.inner


def _unpack(data: bytearray, at: int, weights: tuple[int, int], depth: int) -> None:
    """Make rows of the tile whose record is at `at`; they take no more bytes."""
    tile = Tile._make(TILE.unpack_from(data, at))
    start = weights[0] + tile.offset
    packed = bytes(data[start:start + tile.bytes])
    rows = _UNPACK[tile.packing](packed, tile.out, depth)
    if len(rows) > tile.bytes:
        raise ValueError("a tile that is too short")
    data[start:start + len(rows)] = rows
    TILE.pack_into(data, at, *tile._replace(bytes=len(rows), raw_bytes=len(rows),
                                            packing=Packing.ROWS))
