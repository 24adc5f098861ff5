# SPDX-License-Identifier: Apache-2.0
"""Quality maps: tiles of a row, runs of its pixels, whose steps are coarser than the row's own.

A tile's shift is the row's and an offset, 8 at most. Offsets are *static*, by place in the map;
*derived* from the row above as it was decoded, which costs no bytes; or *signalled* in front of the
row. The latter two have four classes of tiles, told by how much neighboring pixels differ. The
twin, bit for bit, of native/src/codecs/tiles.c; FORMAT.md, "Quality maps", has the rules.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from edgefm.codecs.interface import Rows, RowShape

CLASSES = 4
MAX_TILE = 0xFFFF
MAX_THRESHOLD = 0xFFFF
ACTIVITY_UNIT = 16  # thresholds count sixteenths of a step
_BAND = struct.Struct("<H")
_CLASSES = struct.Struct("<3H4s")

Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]


class QualityKind(IntEnum):
    """Where a capped map's least shifts come from; the numbers of docs/FORMAT.md."""

    EVEN = 0
    ROWS = 1
    STATIC = 2
    DERIVED = 3
    SIGNALLED = 4


@dataclass(frozen=True, slots=True)
class QualityMap:
    """A quality map of tiles of `tile` pixels (0: whole rows), with its table as in the package."""

    kind: QualityKind
    tile: int
    table: bytes

    def pixels(self, shape: RowShape) -> int:
        """Pixels of a tile."""
        return self.tile or shape.width

    def tiles(self, shape: RowShape) -> int:
        """Tiles of a row; the last may have fewer pixels."""
        return -(-shape.width // self.pixels(shape))

    def signal_bytes(self, shape: RowShape) -> int:
        """Bytes in front of a row's code that say the classes of its tiles."""
        return -(-self.tiles(shape) // 4) if self.kind == QualityKind.SIGNALLED else 0

    def offset_bytes(self, shape: RowShape) -> int:
        """What a cursor keeps of a row's offsets."""
        return 0 if self.kind == QualityKind.STATIC else self.tiles(shape)

    def offsets(self, shape: RowShape, y: int, classes: Bytes) -> Bytes:
        """What is added to the shift of each tile of row y; `classes` unless they are static."""
        if self.kind == QualityKind.STATIC:
            at = _BAND.size + y // _BAND.unpack_from(self.table)[0] * self.tiles(shape)
            return np.frombuffer(self.table, np.uint8, self.tiles(shape), at)
        return np.frombuffer(_CLASSES.unpack(self.table)[3], np.uint8)[classes]

    def classes(self, shape: RowShape, row: Rows) -> Bytes:
        """The class of each tile: how many thresholds its activity reaches."""
        sums, values = activity(shape, row, self.pixels(shape))
        thresholds = np.array(_CLASSES.unpack(self.table)[:3])
        reached = sums[:, None] * ACTIVITY_UNIT >= values[:, None] * thresholds
        return np.asarray(reached.sum(axis=1), np.uint8)


def activity(shape: RowShape, row: Rows, pixels: int) -> tuple[_Ints, _Ints]:
    """Per tile, how far its values are from those of the pixel before, in all, and how many values
    it has; the first pixel of a row counts 0."""
    wide = row.astype(np.int64)
    steps = np.abs(np.diff(wide, axis=0, prepend=wide[:1])).sum(axis=1)
    starts = np.arange(0, shape.width, pixels)
    values = np.diff(np.append(starts, shape.width)) * shape.channels
    return np.add.reduceat(steps, starts), values


def static_table(band: int, offsets: npt.NDArray[np.integer]) -> bytes:
    """The table of offsets [bands, tiles] that `band` successive rows share."""
    return _BAND.pack(band) + offsets.astype(np.uint8).tobytes()


def class_table(thresholds: Sequence[int], offsets: Sequence[int]) -> bytes:
    """The table of three rising thresholds, and what is added in each of the four classes."""
    return _CLASSES.pack(*thresholds, bytes(offsets))


def packed_classes(classes: Bytes) -> bytes:
    """Two bits per tile, the first lowest."""
    padded = np.zeros(-(-len(classes) // 4) * 4, np.uint8)
    padded[:len(classes)] = classes
    packed = (padded.reshape(-1, 4) << [0, 2, 4, 6]).sum(axis=1)
    return bytes(packed.astype(np.uint8))


def unpacked_classes(signal: bytes, tiles: int) -> Bytes | None:
    """The classes again; None when bits behind the last are set."""
    every = (np.frombuffer(signal, np.uint8)[:, None] >> [0, 2, 4, 6] & 3).reshape(-1)
    return None if every[tiles:].any() else every[:tiles].astype(np.uint8)
