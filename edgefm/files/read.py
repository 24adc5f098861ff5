# SPDX-License-Identifier: Apache-2.0
"""The one way to read files from outside: only regular files, each up to a named size.

A FIFO waits forever, opening a device may have effects, and `/dev/zero` never ends: this module
opens none of them. It follows links to regular files. It also limits the contents of text, JSON and
TOML, so that every bad file becomes one line: the file, what it got, what it expected.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Collection
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from edgefm.errors import BadInput

MOST_MODEL: Final = 1 << 30   # bytes of a model, a package, or weights
MOST_PICTURE: Final = 1 << 28
MOST_ARRAY: Final = 1 << 36   # a clip, of which only one frame at a time is read
MOST_FRAMES: Final = 1 << 20  # of a clip, or parts of an array that are read one by one
MOST_TEXT: Final = 1 << 25    # labels, class names, boxes
MOST_LINES: Final = 1 << 21   # of such a text
MOST_JSON: Final = 1 << 24
MOST_TOML: Final = 1 << 16    # tomllib's time grows with the square of a key's length
MOST_FILES: Final = 1 << 20   # in one folder
MOST_DEPTH: Final = 64        # of objects and lists in JSON
MOST_VALUES: Final = 1 << 20  # in JSON
MOST_WHOLE: Final = 1 << 64   # no whole number in JSON or TOML is as large
MOST_SAID: Final = 200        # characters of a library's error

_FLAGS: Final = (os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
                 | getattr(os, "O_BINARY", 0))
_KINDS: Final = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"),
                 (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"),
                 (stat.S_ISBLK, "a device"))
_MOST_DIGITS: Final = 20
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # linear: never backtracks
_BRACKETS: Final = re.compile(rb"[\[\]{}]")


def open_file(path: str | Path, most: int) -> BufferedReader:
    """Open a regular file of at most `most` bytes for reading.

    Raises BadInput, naming the file, when it is missing, unreadable, larger, or not a regular file;
    it does not open files of other kinds.
    """
    try:
        _check(path, os.stat(path), most)
        file = open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS))  # noqa: SIM115
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:  # a NUL in the name
        raise BadInput(f"{str(path)!r}: not a file name ({error})") from None
    try:
        _check(path, os.fstat(file.fileno()), most)  # it may have been exchanged meanwhile
    except BadInput:
        file.close()
        raise
    return file


def one_line(error: BaseException) -> str:
    """A library's error message as one line of at most `MOST_SAID` printable characters."""
    text = " ".join(str(error).split())[:MOST_SAID] or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def unreadable(path: str | Path, error: OSError) -> BadInput:
    """An OSError about a file as a BadInput."""
    missing = isinstance(error, FileNotFoundError)
    return BadInput(f"{path}: " + ("no such file" if missing
                                   else f"cannot be read: {error.strerror or error}"))


def _check(path: str | Path, status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for of, name in _KINDS if of(status.st_mode)), "no file")
        raise BadInput(f"{path}: {kind}, expected a regular file")
    if status.st_size > most:
        raise BadInput(f"{path}: {status.st_size} bytes, expected at most {most}")


def read_bytes(path: str | Path, most: int = MOST_MODEL) -> bytes:
    """A regular file's bytes, at its size when it was opened. Raises BadInput."""
    try:
        with open_file(path, most) as file:
            return file.read(os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise unreadable(path, error) from None


def read_text(path: str | Path, most: int = MOST_TEXT) -> str:
    """A UTF-8 file's text, without a byte order mark. Raises BadInput."""
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text file (byte {error.start} is not UTF-8)") from None


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 file, at most `MOST_LINES`. Raises BadInput."""
    lines = read_text(path).splitlines()
    if len(lines) > MOST_LINES:
        raise BadInput(f"{path}: {len(lines)} lines, expected at most {MOST_LINES}")
    return lines


def read_json(path: str | Path, most: int = MOST_JSON) -> Any:
    """The contents of a JSON file, checked by `parse_json`. Raises BadInput."""
    try:
        return parse_json(read_bytes(path, most))
    except ValueError as error:
        raise BadInput(f"{path}: not a JSON file: {one_line(error)}") from None


def parse_json(text: bytes) -> Any:
    """The contents of JSON text (UTF-8, with or without a byte order mark).

    Raises ValueError with one line for anything else: more than `MOST_DEPTH` levels or
    `MOST_VALUES` values, a key that comes twice, NaN, infinities, and whole numbers of more than
    64 bits.
    """
    _check_structure(text)
    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_object,
                          parse_constant=_constant, parse_int=_whole, parse_float=_real)
    except RecursionError:  # a caller that is deep itself
        raise ValueError(f"more than {MOST_DEPTH} levels") from None


def _check_structure(text: bytes) -> None:
    """Check depth and number of values before any of them takes memory."""
    text, depth = _STRING.sub(b"", text), 0
    if sum(map(text.count, (b",", b"[", b"{"))) >= MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} values")
    for bracket in _BRACKETS.finditer(text):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            raise ValueError(f"more than {MOST_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key[:60]!r} comes twice")
        found[key] = value
    return found


def _constant(name: str) -> float:
    raise ValueError(f"{name}, expected a finite number")


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or abs(int(digits)) >= MOST_WHOLE:
        raise ValueError(f"{digits[:40]}, expected a whole number of at most 64 bits")
    return int(digits)


def _real(digits: str) -> float:
    if not math.isfinite(float(digits)):
        _constant(digits[:40])
    return float(digits)


def read_toml(path: str | Path, most: int = MOST_TOML) -> dict[str, Any]:
    """The contents of a TOML file. Raises BadInput."""
    try:
        values = tomllib.loads(read_text(path, most))
        _check_numbers(values)
        return values
    except RecursionError:
        raise BadInput(f"{path}: not a TOML file: nested too deeply") from None
    except ValueError as error:  # also a whole number beyond what Python reads
        raise BadInput(f"{path}: not a TOML file: {one_line(error)}") from None


def _check_numbers(value: object) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _check_numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_numbers(inner)
    elif isinstance(value, int) and abs(value) >= MOST_WHOLE:
        raise ValueError("a whole number of more than 64 bits")


def files_in(folder: str | Path, suffixes: Collection[str]) -> list[Path]:
    """The files of a folder whose names have one of these suffixes (lower case), sorted by name.

    Raises BadInput when it is not a folder, cannot be read, or holds more than `MOST_FILES`.
    """
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_FILES:
                    raise BadInput(f"{folder}: more than {MOST_FILES} files in it")
                if Path(entry.name).suffix.lower() in suffixes:
                    found.append(Path(folder) / entry.name)
    except NotADirectoryError:
        raise BadInput(f"{folder}: not a folder") from None
    except OSError as error:
        raise unreadable(folder, error) from None
    return sorted(found)
