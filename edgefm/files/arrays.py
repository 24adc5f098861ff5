# SPDX-License-Identifier: Apache-2.0
"""Reads NumPy files from outside, `.npy` and `.npz`; checks a header against the file's bytes.

It reads arrays of booleans, integers and floats in either byte order. It allocates memory for a
shape only after it knows that the file holds that many bytes, and does not evaluate headers as
Python.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput
from edgefm.files.archives import Member, members
from edgefm.files.read import MOST_ARRAY, MOST_MODEL, open_file

Array = npt.NDArray[Any]

MOST_HEADER: Final = 4096     # bytes
MOST_DIMENSIONS: Final = 32
MOST_WHOLE: Final = 1 << 30   # bytes of an array that is read at once
SUFFIX: Final = ".npy"

_MAGIC: Final = b"\x93NUMPY"
_CHUNK: Final = 1 << 20
_TYPE: Final = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248])")
_SHAPE: Final = re.compile(r"\s*(?:\d{1,19}L?\s*(?:,\s*|$))*")
_ITEM: Final = re.compile(r"""\s*(['"])(\w+)\1\s*:\s*(?:(['"])([^'"]*)\3|(True|False)"""
                          r"""|\(([^()]*)\))\s*(?:,\s*|$)""")


class _Stream(Protocol):
    def read(self, count: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Header:
    """What an .npy file says about itself."""

    dtype: np.dtype[Any]
    column_major: bool
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy(path: Path, most: int = MOST_WHOLE) -> Array:
    """The array in an .npy file, at most `most` bytes. Raises BadInput, naming the file."""
    with open_file(path, MOST_ARRAY) as file:
        try:
            return _read(file, os.fstat(file.fileno()).st_size, most)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None


def npy_dtype(path: Path) -> np.dtype[Any]:
    """The type of the elements in an .npy file. Raises BadInput, naming the file."""
    with open_file(path, MOST_ARRAY) as file:
        try:
            return _header(file, os.fstat(file.fileno()).st_size).dtype
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None


def npy_rows(path: Path, most: int) -> Iterator[Array]:
    """The parts of an array along its first dimension, one at a time; a row of numbers has none.

    Raises BadInput, naming the file, also for more than `most` parts.
    """
    with open_file(path, MOST_ARRAY) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            header = _header(file, size)
            count, *row = header.shape if len(header.shape) > 1 else (0,)
            if count > most:
                raise ValueError(f"{count} parts, expected at most {most}")
            if header.column_major:
                yield from _elements(file, header, MOST_WHOLE)
                return
            for _ in range(count):
                yield _elements(file, Header(header.dtype, False, tuple(row)), MOST_WHOLE)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None


def read_npz(path: Path, most: int = MOST_WHOLE) -> dict[str, Array]:
    """The arrays of an .npz archive by name, at most `most` bytes altogether.

    Raises BadInput, naming the file, also for a member that is not an array.
    """
    arrays: dict[str, Array] = {}
    with open_file(path, MOST_MODEL) as file:
        try:
            for member in members(file, most):
                name = member.name.removesuffix(SUFFIX)
                if name in arrays:
                    raise ValueError(f"two arrays named {name[:60]!r}")
                arrays[name] = _array(name, member)
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: not a readable .npz file ({error})") from None
    return arrays


def _unreadable(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{path}: not a readable .npy file ({error})")


def _array(name: str, member: Member) -> Array:
    try:
        found = _read(member, member.size, member.size)
        if member.read(1):
            raise ValueError("there are bytes behind it")
    except ValueError as error:
        raise ValueError(f"array {name[:60]!r}: {error}") from None
    return found


def _read(stream: _Stream, size: int, most: int) -> Array:
    """The array in a stream of `size` bytes."""
    return _elements(stream, _header(stream, size), most)


def _header(stream: _Stream, size: int) -> Header:
    """The header of a stream of `size` bytes, which holds as many elements as the header says."""
    start = stream.read(8)
    if start[:6] != _MAGIC or start[6:7] not in (b"\1", b"\2", b"\3"):
        raise ValueError("it does not begin as NumPy's files do")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > MOST_HEADER:
        raise ValueError(f"a header of {length} bytes, expected at most {MOST_HEADER}")
    header = _parsed(stream.read(length).decode("latin-1"))
    there = size - 8 - width - length
    if header.bytes > there:
        raise ValueError(f"{header.dtype} {list(header.shape)} has {header.bytes} bytes, "
                         f"the file {max(there, 0)}")
    return header


def _parsed(text: str) -> Header:
    """The header's three entries."""
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("its header is not a list of three entries in braces")
    inner, at = text[1:-1].strip(), 0
    found: dict[str, str] = {}
    while match := _ITEM.match(inner, at):
        at = match.end()
        found[match[2]] = next(value for value in match.group(4, 5, 6) if value is not None)
    if at != len(inner) or set(found) != {"descr", "fortran_order", "shape"}:
        raise ValueError("its header holds no plain type, order and shape")
    if not _TYPE.fullmatch(found["descr"]):
        raise ValueError(f"its elements are {found['descr'][:20]!r}, expected truth values, whole "
                         "or real numbers")
    return Header(np.dtype(found["descr"]), found["fortran_order"] == "True",
                  _shape(found["shape"]))


def _shape(text: str) -> tuple[int, ...]:
    if not _SHAPE.fullmatch(text):
        raise ValueError(f"its shape is ({text[:60]}), expected whole numbers")
    shape = tuple(int(size) for size in re.findall(r"\d+", text))
    if len(shape) > MOST_DIMENSIONS or math.prod(max(size, 1) for size in shape) > MOST_ARRAY:
        raise ValueError(f"its shape is ({text[:60]}), expected at most {MOST_DIMENSIONS} "
                         f"dimensions and {MOST_ARRAY} elements")
    return shape


def _elements(stream: _Stream, header: Header, most: int) -> Array:
    """The elements that follow a header, at most `most` bytes; ValueError when some are missing."""
    if header.bytes > most:
        raise ValueError(f"{header.dtype} {list(header.shape)} has {header.bytes} bytes, "
                         f"expected at most {most}")
    data = np.empty(header.bytes, np.uint8)
    view, at = data.data, 0
    while at < len(view):
        part = stream.read(min(_CHUNK, len(view) - at))
        if not part:
            raise ValueError(f"it ends after {at} of {len(view)} bytes")
        view[at:at + len(part)] = part
        at += len(part)
    values: Array = data != 0 if header.dtype == np.bool_ else data.view(header.dtype)
    return values.reshape(header.shape, order="F" if header.column_major else "C")
