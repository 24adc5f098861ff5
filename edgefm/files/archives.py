# SPDX-License-Identifier: Apache-2.0
"""Reads zip archives from outside; limits what one may unpack to before unpacking a byte.

A forged archive can list any number of members of any size, and Deflate can turn one byte into a
thousand. So this module limits the list before reading it and the sizes of members before unpacking
them, and refuses a member that holds less or more than it declares.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO, Final

from edgefm.files.read import one_line

MOST_DIRECTORY: Final = 1 << 22  # bytes of the list of members
MOST_MEMBERS: Final = 1 << 14
MOST_RATIO: Final = 256          # bytes unpacked of one, beyond the allowance
ALLOWANCE: Final = 1 << 26       # bytes that even the smallest archive may unpack to
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED: Final = 1             # flag of a member
# What zipfile raises on a forged archive.
BROKEN: Final = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, OverflowError,
                 NotImplementedError, RuntimeError, LookupError)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One file of an archive: its name, and how many bytes it says it has."""

    name: str
    size: int
    _stream: IO[bytes]

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at its end. Raises ValueError where it is damaged."""
        with _told():
            return self._stream.read(count)


def members(file: BinaryIO, most: int) -> Iterator[Member]:
    """The members of a zip archive in the order of its list, at most `most` bytes altogether.

    Raises ValueError with one line for anything that is none, or beyond the limits above.
    """
    with _told():
        archive = zipfile.ZipFile(Portions(file))
        _check(archive.infolist(), most, file)
    for info in archive.infolist():
        with _told():
            stream = archive.open(info)
        with stream:
            yield Member(info.filename, info.file_size, stream)


@contextmanager
def _told() -> Iterator[None]:
    """Whatever zipfile raises as a ValueError of one line."""
    try:
        yield
    except BROKEN as error:
        raise ValueError(one_line(error)) from None


def _check(infos: list[zipfile.ZipInfo], most: int, file: BinaryIO) -> None:
    if len(infos) > MOST_MEMBERS:
        raise ValueError(f"{len(infos)} members, expected at most {MOST_MEMBERS}")
    names: set[str] = set()
    for info in infos:
        if info.filename in names:
            raise ValueError(f"two members named {info.filename[:60]!r}")
        if info.compress_type not in METHODS or info.flag_bits & ENCRYPTED:
            raise ValueError(f"member {info.filename[:60]!r} is encrypted or packed by method "
                             f"{info.compress_type}, expected 0 or 8")
        names.add(info.filename)
    packed = file.seek(0, io.SEEK_END)
    most = min(most, ALLOWANCE + MOST_RATIO * packed)
    declared = sum(info.file_size for info in infos)
    if declared > most:
        raise ValueError(f"{packed} bytes that unpack to {declared}, expected at most {most}")


class Portions:
    """A file that gives out no more at a time than a list of members may have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, count: int = -1) -> bytes:
        """As a file's; ValueError beyond the limit."""
        if count > MOST_DIRECTORY:
            raise ValueError(f"a list of members of {count} bytes, expected at most "
                             f"{MOST_DIRECTORY}")
        return self._file.read(MOST_DIRECTORY if count < 0 else count)

    def close(self) -> None:
        """Nothing: its owner closes the file."""
