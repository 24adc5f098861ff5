# SPDX-License-Identifier: Apache-2.0
"""A device's answers about its store, typed and checked: files and space. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edgefm.errors import BadInput, BadMessage

RECORD = struct.Struct("<IIB7x32s")  # of :list
SPACE = struct.Struct("<IIII")
NAME_MOST = 32          # bytes
MOST_FILES = 1 << 16    # in a store


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the store."""

    name: str
    bytes: int
    crc: int


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the store; `erases` is the count of the block that was erased most often."""

    bytes: int
    free: int
    largest: int
    erases: int


def check_name(name: str) -> str:
    """Check that the store accepts a name. Raises BadInput."""
    good = bool(name) and name.isprintable()  # then it is UTF-8 too
    if not good or len(name.encode()) > NAME_MOST or name[0] == ":":
        raise BadInput(f"{name!r} is not a name for a file on a device: expected 1 to {NAME_MOST} "
                       "bytes that print, not beginning with ':'")
    return name


def read_list(data: bytes, store_bytes: int, where: str) -> list[Stored]:
    """The records of `:list` of a store of `store_bytes`. Raises BadMessage."""
    if len(data) % RECORD.size:
        raise BadMessage(f"{where}: list of {len(data)} bytes")
    return [_listed(record, store_bytes, where) for record in RECORD.iter_unpack(data)]


def _listed(record: tuple[int, int, int, bytes], store_bytes: int, where: str) -> Stored:
    size, crc, name_bytes, name = record
    if not 1 <= name_bytes <= NAME_MOST or size > store_bytes:
        raise BadMessage(f"{where}: lists a file of {size} bytes with a name of {name_bytes}, "
                         f"expected at most {store_bytes} and 1 to {NAME_MOST}")
    return Stored(name[:name_bytes].decode("utf-8", "replace"), size, crc)


def read_space(data: bytes, where: str) -> Space:
    """The reply to SPACE. Raises BadMessage."""
    if len(data) != SPACE.size:
        raise BadMessage(f"{where}: space of {len(data)} bytes")
    return Space(*SPACE.unpack(data))
