# SPDX-License-Identifier: Apache-2.0
"""Hard caps: coarser steps in front of any codec, so that a map never takes more than it may.

A capped map's rows share a token bucket (`Cap`). A row that does not fit what is left loses bits of
its values, as many as it takes; with 8 lost only one byte is left of it, which always fits. The
twin, bit for bit, of native/src/codecs/shift.c and native/src/caps.c; FORMAT.md, "Capped maps", has
the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgefm.codecs.interface import Codec, Rows, RowShape
from edgefm.errors import BadContainer

MAX_SHIFT = 8
FRESH = 16  # bit of a stored row's first byte: the codec begins as with a map's first row
HEAD_BYTES = 1
SPARE_BYTES = 8  # of a code buffer: room for the zeros that a code leaves out at its end

_Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Cap:
    """Any n successive rows take at most n * rate + depth bytes, first bytes included.

    `floors` are the least shifts of the rows, all 0 when empty.
    """

    rate: int
    depth: int
    floors: bytes = b""

    def most_bytes(self, rows: int, row_bytes: int) -> int:
        """The most bytes that `rows` successive rows can take."""
        return min(rows * self.rate + self.depth, rows * (row_bytes + HEAD_BYTES))


@dataclass(slots=True)
class Bucket:
    """What a map's cap leaves: bytes saved up, and the shift of the last row."""

    cap: Cap
    credit: int = -1
    shift: int = 0


def packed_bytes(values: int, shift: int) -> int:
    """Bytes of a row that is stored without a code."""
    return -(-values * (MAX_SHIFT - shift) // 8)


def lattice(zero_point: int, shift: int) -> tuple[int, int]:
    """The lowest and highest multiple of 2^shift around the zero point that int8 holds."""
    return -((zero_point + 128) >> shift), (127 - zero_point) >> shift


def shifted(row: Rows, zero_point: int, shift: int) -> Rows:
    """What the codec sees of a row: zero point + the nearest multiples, halves up."""
    low, high = lattice(zero_point, shift)
    q = (row.astype(np.int32) - zero_point + (1 << shift >> 1)) >> shift
    return np.asarray(zero_point + np.clip(q, low, high), np.int8)


def unshifted(row: Rows, zero_point: int, shift: int) -> Rows:
    """The row that is computed with; BadContainer for a value that no shift leaves."""
    low, high = lattice(zero_point, shift)
    q: _Ints = row.astype(np.int32) - zero_point
    if (q < low).any() or (q > high).any():
        raise BadContainer(f"a row shifted by {shift} holds values that no encoder writes")
    return np.asarray(zero_point + q * (1 << shift), np.int8)


def encode_map(codec: Codec, tables: bytes, shape: RowShape, rows: Rows, cap: Cap,
               slot_bytes: int | None = None, alignment: int = 1) -> list[bytes]:
    """The stored rows of a map int8 [H, W, C]; `slot_bytes` and `alignment` where it is outside."""
    bucket = Bucket(cap)
    state = codec.start(tables, shape)
    stored = []
    for y, row in enumerate(rows):
        state, code = _encode_row(codec, tables, shape, state, row, y, bucket,
                                  slot_bytes or shape.values + HEAD_BYTES, alignment)
        stored.append(code)
    return stored


def decode_map(codec: Codec, tables: bytes, shape: RowShape, stored: Sequence[bytes]) -> Rows:
    """The map int8 [H, W, C] as it is computed with; BadContainer when no encoder writes this."""
    state = codec.start(tables, shape)
    rows = []
    for code in stored:
        if not code or code[0] & 15 > MAX_SHIFT or code[0] >= 2 * FRESH:
            raise BadContainer("a stored row is empty or begins with an unknown byte")
        shift, packed = code[0] & 15, packed_bytes(shape.values, code[0] & 15)
        if len(code) - 1 == packed:
            if code[0] & FRESH:
                raise BadContainer("a row that is stored without a code says how its codec begins")
            row = _unpack(code[1:], shape, shift)
            codec.skip(state, row)
        elif 0 < len(code) - 1 < packed:
            state = codec.start(tables, shape) if code[0] & FRESH else state
            row = codec.decode(state, code[1:])
        else:
            raise BadContainer(f"a stored row of {len(code)} bytes with shift {shift}")
        rows.append(unshifted(row, shape.zero_point, shift))
    return np.stack(rows)


def _encode_row(codec: Codec, tables: bytes, shape: RowShape, state: Any, row: Rows, y: int,
                bucket: Bucket, slot: int, alignment: int) -> tuple[Any, bytes]:
    """The codec's state afterwards and the stored row."""
    cap = bucket.cap
    floor = cap.floors[y] if cap.floors else 0
    credit = (cap.depth if y == 0 else bucket.credit) + cap.rate
    before = floor if y == 0 else bucket.shift
    finer = before > 0 and credit >= cap.rate + cap.depth // 2
    shift = max(before - finer, floor)
    fresh = shift != before
    room = min(shape.values + HEAD_BYTES, slot, credit - credit % alignment)
    while True:
        packed = packed_bytes(shape.values, shift)
        seen = shifted(row, shape.zero_point, shift)
        state = codec.start(tables, shape) if fresh else state
        code = codec.encode(state, seen) if packed > 1 and room > 1 else b""
        if 0 < len(code) <= min(packed, room) - 1:
            code = bytes([shift | FRESH * fresh]) + code
            break
        if packed < room:
            codec.skip(state, seen)
            code = bytes([shift]) + _pack(seen, shape, shift)
            break
        shift, fresh = shift + 1, True
    bucket.credit = min(credit - -(-len(code) // alignment) * alignment, cap.depth)
    bucket.shift = shift
    return state, code


def _pack(row: Rows, shape: RowShape, shift: int) -> bytes:
    low, _ = lattice(shape.zero_point, shift)
    codes = (row.reshape(-1).astype(np.int32) - shape.zero_point - low).astype(np.uint8)
    bits = np.unpackbits(codes[:, None], axis=1)[:, shift:]
    return np.packbits(bits.reshape(-1)).tobytes()


def _unpack(code: bytes, shape: RowShape, shift: int) -> Rows:
    low, high = lattice(shape.zero_point, shift)
    width = MAX_SHIFT - shift
    bits = np.unpackbits(np.frombuffer(code, np.uint8))
    if bits[shape.values * width:].any():
        raise BadContainer("a stored row has ones among its padding")
    codes = bits[:shape.values * width].reshape(shape.values, width)
    wide = np.concatenate([np.zeros((shape.values, shift), np.uint8), codes], axis=1)
    q = np.packbits(wide, axis=1).reshape(-1).astype(np.int32) + low
    if (q > high).any():
        raise BadContainer(f"a row shifted by {shift} holds values that no encoder writes")
    return np.asarray(shape.zero_point + q, np.int8).reshape(shape.width, shape.channels)
