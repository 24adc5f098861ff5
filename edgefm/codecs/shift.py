# SPDX-License-Identifier: Apache-2.0
"""Hard caps: coarser steps in front of any codec, so that a map never takes more than it may.

A capped map's rows share a token bucket (`Cap`). A row that does not fit loses bits of
its values, as many as it takes; with 8 lost only one byte is left of it, which always fits. Tiles
of a row may be coarser than the row (`quality`). The twin, bit for bit, of
native/src/codecs/shift.c and native/src/memory/caps.c; FORMAT.md, "Capped maps", has the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgefm.codecs.interface import Codec, Rows, RowShape
from edgefm.codecs.quality import (
    Bytes,
    QualityKind,
    QualityMap,
    packed_classes,
    unpacked_classes,
)
from edgefm.errors import BadContainer

MAX_SHIFT = 8
FRESH = 16  # bit of a stored row's first byte: the codec begins as with a map's first row
HEAD_BYTES = 1
SPARE_BYTES = 8  # of a code buffer: room for the zeros that a code leaves out at its end

_Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Cap:
    """Any n successive rows take at most n * per_row + depth bytes, first bytes included.

    `floors` are the least shifts of the rows, all 0 when empty; `quality`, without floors, makes
    some tiles of a row coarser than others.
    """

    per_row: int
    depth: int
    floors: bytes = b""
    quality: QualityMap | None = None

    def most_bytes(self, rows: int, row_bytes: int) -> int:
        """The most bytes that `rows` successive rows can take."""
        return min(rows * self.per_row + self.depth, rows * (row_bytes + HEAD_BYTES))

    @property
    def kind(self) -> QualityKind:
        """Where least shifts come from."""
        if self.quality:
            return self.quality.kind
        return QualityKind.ROWS if self.floors else QualityKind.EVEN


@dataclass(slots=True)
class _Side:
    """What the writer or a reader of one capped map goes on with from row to row."""

    codec: Codec
    tables: bytes
    shape: RowShape
    quality: QualityMap | None
    state: Any
    above: Rows  # the row above as it is computed with

    def restart(self) -> None:
        self.state = self.codec.start(self.tables, self.shape)

    def recall(self, shifts: _Ints) -> None:
        """Tell the codec the row above again, in the steps of this row."""
        self.codec.recall(self.state, shifted(self.above, self.shape.zero_point, shifts, True))


def _shifts(shape: RowShape, quality: QualityMap | None, shift: int, offsets: Bytes) -> _Ints:
    """The shift of each pixel [W, 1] of a row with this shift."""
    tile = np.minimum(shift + offsets.astype(np.int32), MAX_SHIFT)
    return np.repeat(tile, quality.pixels(shape) if quality else shape.width)[:shape.width, None]


def _offsets(shape: RowShape, quality: QualityMap | None, y: int, above: Rows,
             classes: Bytes | None) -> Bytes:
    """Of row y's tiles; `classes` where they are signalled."""
    if quality is None:
        return np.zeros(1, np.uint8)
    if classes is None:
        classes = (quality.classes(shape, above) if quality.kind == QualityKind.DERIVED
                   else np.zeros(0, np.uint8))
    return quality.offsets(shape, y, classes)


def _own_classes(shape: RowShape, quality: QualityMap | None, row: Rows) -> Bytes | None:
    """The classes that are signalled for a row; None where none are."""
    signalled = quality is not None and quality.kind == QualityKind.SIGNALLED
    return quality.classes(shape, row) if quality and signalled else None


def _side(codec: Codec, tables: bytes, shape: RowShape, quality: QualityMap | None) -> _Side:
    above = np.full((shape.width, shape.channels), shape.zero_point, np.int8)
    return _Side(codec, tables, shape, quality, codec.start(tables, shape), above)


@dataclass(slots=True)
class Bucket:
    """What a map's cap leaves: bytes saved up, and the shift of the last row."""

    cap: Cap
    credit: int = -1
    shift: int = 0


def packed_bytes(values: int, shift: int) -> int:
    """Bytes of a row that is stored without a code."""
    return -(-values * (MAX_SHIFT - shift) // 8)


def lattice(zero_point: int, shift: Any) -> tuple[Any, Any]:
    """The lowest and highest multiple of 2^shift around the zero point that int8 holds."""
    return -((zero_point + 128) >> shift), (127 - zero_point) >> shift


def shifted(row: Rows, zero_point: int, shift: Any, even: bool = False) -> Rows:
    """What the codec sees of a row: zero point + the nearest multiples, halves up, or to the `even`
    one: many values of a map that is shifted throughout are halves, and must not all move the same
    way."""
    low, high = lattice(zero_point, shift)
    distance = row.astype(np.int32) - zero_point
    half = 1 << shift >> 1
    if even:
        half = half - (half > 0) * (distance >> shift & 1 ^ 1)
    q = (distance + half) >> shift
    return np.asarray(zero_point + np.clip(q, low, high), np.int8)


def unshifted(row: Rows, zero_point: int, shift: Any) -> Rows:
    """The row that is computed with; BadContainer for a value that no shift leaves."""
    low, high = lattice(zero_point, shift)
    q: _Ints = row.astype(np.int32) - zero_point
    if (q < low).any() or (q > high).any():
        raise BadContainer(f"a row shifted by {np.max(shift)} holds values that no encoder writes")
    return np.asarray(zero_point + q * (1 << shift), np.int8)


def encode_map(codec: Codec, tables: bytes, shape: RowShape, rows: Rows, cap: Cap,
               slot_bytes: int | None = None, alignment: int = 1) -> list[bytes]:
    """The stored rows of a map int8 [H, W, C]; `slot_bytes` and `alignment` where it is outside."""
    bucket = Bucket(cap)
    side = _side(codec, tables, shape, cap.quality)
    return [_encode_row(side, row, y, bucket, slot_bytes or shape.values + HEAD_BYTES, alignment)
            for y, row in enumerate(rows)]


def seen_map(shape: RowShape, rows: Rows, cap: Cap) -> Rows:
    """What a codec sees of a map int8 [H, W, C] where the cap leaves room for everything."""
    above = np.full(rows.shape[1:], shape.zero_point, np.int8)
    shift, found = 0, []
    for y, row in enumerate(rows):
        shift = max(shift - 1, cap.floors[y] if cap.floors else 0)
        classes = _own_classes(shape, cap.quality, row)
        shifts = _shifts(shape, cap.quality, shift,
                         _offsets(shape, cap.quality, y, above, classes))
        found.append(shifted(row, shape.zero_point, shifts, cap.quality is not None))
        above = unshifted(found[-1], shape.zero_point, shifts)
    return np.stack(found)


def decode_map(codec: Codec, tables: bytes, shape: RowShape, stored: Sequence[bytes],
               quality: QualityMap | None = None) -> Rows:
    """The map int8 [H, W, C] as it is computed with; BadContainer when no encoder writes this."""
    side = _side(codec, tables, shape, quality)
    return np.stack([_decode_row(side, code, y) for y, code in enumerate(stored)])


def _decode_row(side: _Side, code: bytes, y: int) -> Rows:
    shape, codec = side.shape, side.codec
    if not code or code[0] & 15 > MAX_SHIFT or code[0] >= 2 * FRESH:
        raise BadContainer("a stored row is empty or begins with an unknown byte")
    shift, fresh = code[0] & 15, code[0] & FRESH
    head = HEAD_BYTES + _signal_bytes(side, shift)
    offsets = _offsets(shape, side.quality, y, side.above, _signalled(side, code[1:head], shift))
    shifts = _shifts(shape, side.quality, shift, offsets)
    packed, body = _packed_bytes(shape, shifts), code[head:]
    if len(body) == packed and not fresh:
        seen = _unpack(body, shape, shifts)
        codec.skip(side.state, seen)
    elif 0 < len(body) < packed:
        if fresh:
            side.restart()
        elif y > 0 and side.quality:
            side.recall(shifts)
        seen = codec.decode(side.state, body)
    else:
        raise BadContainer(f"a stored row of {len(code)} bytes with first byte {code[0]}")
    side.above = unshifted(seen, shape.zero_point, shifts)
    return side.above


def _signal_bytes(side: _Side, shift: int) -> int:
    """Bytes behind the first that say classes; none where nothing is left of any value."""
    return side.quality.signal_bytes(side.shape) if side.quality and shift < MAX_SHIFT else 0


def _signalled(side: _Side, signal: bytes, shift: int) -> Bytes | None:
    """The classes that a row says; None where it does not say any."""
    if side.quality is None or side.quality.kind != QualityKind.SIGNALLED:
        return None
    tiles = side.quality.tiles(side.shape)
    if shift == MAX_SHIFT:
        return np.zeros(tiles, np.uint8)
    if len(signal) < side.quality.signal_bytes(side.shape):
        raise BadContainer("a stored row ends within the classes of its tiles")
    classes = unpacked_classes(signal, tiles)
    if classes is None:
        raise BadContainer("a stored row has ones behind the classes of its tiles")
    return classes


def _encode_row(side: _Side, row: Rows, y: int, bucket: Bucket, slot: int, alignment: int) -> bytes:
    """The stored row."""
    cap, shape = bucket.cap, side.shape
    floor = cap.floors[y] if cap.floors else 0
    credit = (cap.depth if y == 0 else bucket.credit) + cap.per_row
    before = floor if y == 0 else bucket.shift
    finer = before > 0 and credit >= cap.per_row + cap.depth // 2
    shift = max(before - finer, floor)
    room = min(shape.values + HEAD_BYTES, slot, credit - credit % alignment)
    shift, code, side.above = _fitting(side, row, y, shift, shift != before, room)
    bucket.credit = min(credit - -(-len(code) // alignment) * alignment, cap.depth)
    bucket.shift = shift
    return code


def _fitting(side: _Side, row: Rows, y: int, shift: int, fresh: bool, room: int
             ) -> tuple[int, bytes, Rows]:
    """The least shift from `shift` on at which the row fits, the stored row, and what comes back
    from it."""
    shape, codec, zero = side.shape, side.codec, side.shape.zero_point
    classes = _own_classes(shape, side.quality, row)
    signal = b"" if classes is None else packed_classes(classes)
    offsets = _offsets(shape, side.quality, y, side.above, classes)
    while True:
        shifts = _shifts(shape, side.quality, shift, offsets)
        packed, said = _packed_bytes(shape, shifts), signal if shift < MAX_SHIFT else b""
        head = HEAD_BYTES + len(said)
        seen = shifted(row, zero, shifts, side.quality is not None)
        if fresh:
            side.restart()
        elif y > 0 and side.quality:
            side.recall(shifts)
        code = codec.encode(side.state, seen) if packed > 1 and room > head else b""
        if 0 < len(code) <= min(packed - 1, room - head):
            return (shift, bytes([shift | FRESH * fresh]) + said + code,
                    unshifted(seen, zero, shifts))
        if head + packed <= room:
            codec.skip(side.state, seen)
            return (shift, bytes([shift]) + said + _pack(seen, shape, shifts),
                    unshifted(seen, zero, shifts))
        shift, fresh = shift + 1, True


def _packed_bytes(shape: RowShape, shifts: _Ints) -> int:
    return -(-int((MAX_SHIFT - shifts).sum()) * shape.channels // 8)


def _bits_of(shape: RowShape, shifts: _Ints) -> npt.NDArray[np.bool_]:
    """Which of each value's eight bits are stored [W * C, 8]."""
    widths = np.broadcast_to(shifts, (shape.width, shape.channels)).reshape(-1, 1)
    return np.asarray(np.arange(8) >= widths)


def _pack(row: Rows, shape: RowShape, shifts: _Ints) -> bytes:
    low, _ = lattice(shape.zero_point, shifts)
    codes = (row.astype(np.int32) - shape.zero_point - low).astype(np.uint8)
    bits = np.unpackbits(codes.reshape(-1, 1), axis=1)
    return np.packbits(bits[_bits_of(shape, shifts)]).tobytes()


def _unpack(code: bytes, shape: RowShape, shifts: _Ints) -> Rows:
    low, high = lattice(shape.zero_point, shifts)
    bits = np.unpackbits(np.frombuffer(code, np.uint8))
    stored = _bits_of(shape, shifts)
    if bits[stored.sum():].any():
        raise BadContainer("a stored row has ones among its padding")
    wide = np.zeros((shape.values, 8), np.uint8)
    wide[stored] = bits[:stored.sum()]
    q = np.packbits(wide, axis=1).reshape(shape.width, shape.channels).astype(np.int32) + low
    if (q > high).any():
        raise BadContainer("a row stored without a code holds values that no encoder writes")
    return np.asarray(shape.zero_point + q, np.int8)
