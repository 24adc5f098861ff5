# SPDX-License-Identifier: Apache-2.0
"""Read-only access to flatbuffers that never trusts an offset.

A flatbuffer is a tree of tables. A table starts with a signed offset back to its vtable, which
gives each field's place ("slot" 0, 1, ...) or 0 when the field is left out; see the FlatBuffers
internals document. Here every place is tested before it is read, and the total that all vectors
and strings may cover is bounded by the file's size, so that a small hostile file cannot unfold
into a large one by pointing many times at the same bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput

SHARING = 8  # how often, on average, a byte of the file may be read through different vectors
ALLOWANCE = 1 << 16  # bytes that even the smallest file may read
MOST_TABLES = 1 << 16  # in one vector


@dataclass(slots=True, eq=False)
class _Bytes:
    """The whole file, and how many more bytes its vectors may cover."""

    data: bytes
    left: int

    def unpack(self, code: str, at: int) -> int | float:
        """One little-endian number, `code` as in `struct`."""
        size = struct.calcsize(code)
        if at < 0 or at > len(self.data) - size:
            raise BadInput(f"damaged flatbuffer: {size} bytes at offset {at} are past the end, "
                           f"{len(self.data)}")
        number: int | float = struct.unpack_from("<" + code, self.data, at)[0]
        return number

    def offset(self, code: str, at: int) -> int:
        """One integer used as a place."""
        return int(self.unpack(code, at))

    def extent(self, at: int, element: int) -> tuple[int, int]:
        """(first byte, count) of the vector at `at`, whose elements have `element` bytes."""
        count, first = self.offset("I", at), at + 4
        if count > (len(self.data) - first) // element:
            raise BadInput(f"damaged flatbuffer: a vector of {count} elements at offset {at} ends "
                           f"past the end, {len(self.data)}")
        if count * element > self.left:
            raise BadInput("damaged flatbuffer: its vectors cover the same bytes too often")
        self.left -= count * element
        return first, count


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table; a field that is left out reads as its default."""

    file: _Bytes = field(repr=False)
    at: int
    vtable: int
    vtable_bytes: int

    def number(self, slot: int, code: str, default: int = 0) -> int:
        """An integer, enum or bool field; `code` as in `struct` (b, B, ?, i, I, q, Q)."""
        at = self._place(slot)
        return default if at is None else int(self.file.unpack(code, at))

    def real(self, slot: int, default: float = 0.0) -> float:
        """A float32 field."""
        at = self._place(slot)
        return default if at is None else float(self.file.unpack("f", at))

    def table(self, slot: int) -> Table | None:
        """A table or union member, None when left out."""
        at = self._target(slot)
        return None if at is None else _table(self.file, at)

    def tables(self, slot: int) -> tuple[Table, ...]:
        """A vector of tables, empty when left out."""
        at = self._target(slot)
        if at is None:
            return ()
        first, count = self.file.extent(at, 4)
        if count > MOST_TABLES:
            raise BadInput(f"flatbuffer with {count} tables in one vector, expected at most "
                           f"{MOST_TABLES}")
        places = range(first, first + 4 * count, 4)
        return tuple(_table(self.file, p + self.file.offset("I", p)) for p in places)

    def text(self, slot: int) -> str:
        """A string; bytes that are not UTF-8 are shown as a replacement character."""
        at = self._target(slot)
        if at is None:
            return ""
        first, count = self.file.extent(at, 1)
        return self.file.data[first:first + count].decode("utf-8", errors="replace")

    def vector(self, slot: int, dtype: str) -> npt.NDArray[np.generic] | None:
        """A vector of numbers as a read-only view of the file, None when left out."""
        at = self._target(slot)
        if at is None:
            return None
        kind = np.dtype(dtype).newbyteorder("<")
        first, count = self.file.extent(at, kind.itemsize)
        return np.frombuffer(self.file.data, kind, count, first)

    def integers(self, slot: int, dtype: str = "int32") -> tuple[int, ...] | None:
        """A vector of integers as a tuple, None when left out."""
        values = self.vector(slot, dtype)
        return None if values is None else tuple(values.tolist())

    def _place(self, slot: int) -> int | None:
        entry = 4 + 2 * slot
        if entry + 2 > self.vtable_bytes:
            return None
        offset = self.file.offset("H", self.vtable + entry)
        return self.at + offset if offset else None

    def _target(self, slot: int) -> int | None:
        at = self._place(slot)
        return None if at is None else at + self.file.offset("I", at)


def most_bytes(data: bytes) -> int:
    """What all vectors of a file together may cover, bytes counted as often as they are read."""
    return SHARING * len(data) + ALLOWANCE


def root(data: bytes, identifier: bytes) -> Table:
    """The root table of a flatbuffer; BadInput when the four-byte identifier is another."""
    if data[4:8] != identifier:
        raise BadInput(f"not a flatbuffer with identifier {identifier.decode()!r}: bytes 4 to 8 "
                       f"are {data[4:8]!r}")
    file = _Bytes(data, most_bytes(data))
    return _table(file, file.offset("I", 0))


def _table(file: _Bytes, at: int) -> Table:
    vtable = at - file.offset("i", at)
    return Table(file, at, vtable, file.offset("H", vtable))
