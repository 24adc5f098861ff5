# SPDX-License-Identifier: Apache-2.0
"""What is behind the weight port of a package: its own bytes, or a file that is read piece by piece
while the network runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from edgefm.errors import BadInput
from edgefm.files.read import MOST_MODEL, open_file

_FAILED = -1


@runtime_checkable
class Readable(Protocol):
    """A binary file, or what behaves like one."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def readinto(self, buffer: Any, /) -> int | None: ...


Weights: TypeAlias = "str | os.PathLike[str] | Readable"


class FilePort:
    """A weight port over a file: `port` is the efm_port for C, valid as long as this object.

    A transfer is begun by noting it, and made when it is waited for. What a file raises ends the
    run; `failure` keeps it.
    """

    def __init__(self, ffi: Any, weights: Weights, where: str, offset: int, size: int,
                 whole: int) -> None:
        """`offset` and `size`, of the weights in the package of `whole` bytes. The file has either
        all of the package or its weights alone. Raises BadInput for another file."""
        self._ffi, self.failure = ffi, ""
        self._owned = isinstance(weights, (str, os.PathLike))
        self._file: Any = open_file(Path(weights), MOST_MODEL) if self._owned else weights  # type: ignore[arg-type]
        if not isinstance(self._file, Readable):
            raise BadInput(f"{where}: weights: got {type(weights).__name__}, expected a path or an "
                           "object with seek and readinto")
        self._start = self._start_of(where, offset, size, whole)
        self._pending: dict[int, tuple[int, Any, int]] = {}
        self._next = 0
        self._calls = (
            ffi.callback("int32_t(void *, uint32_t, uint8_t *, uint32_t, uint32_t *)", self._begin,
                         error=_FAILED),
            ffi.callback("int32_t(void *, uint32_t)", self._wait, error=_FAILED))
        self.port = ffi.new("efm_port *", {"begin_read": self._calls[0], "wait": self._calls[1]})

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            self._file.close()

    def _start_of(self, where: str, offset: int, size: int, whole: int) -> int:
        try:
            there = self._file.seek(0, os.SEEK_END)
        except (OSError, ValueError, TypeError) as error:
            raise BadInput(f"{where}: weights: {error}") from None
        if there not in (size, whole):
            raise BadInput(f"{where}: weights: got {there} bytes, expected {size} of weights or "
                           f"{whole} of the package")
        return offset if there == whole else 0

    def _begin(self, port: Any, address: int, to: Any, count: int, ticket: Any) -> int:
        del port
        self._next = (self._next + 1) & 0xFFFFFFFF
        self._pending[self._next] = (address, to, count)
        ticket[0] = self._next
        return 0

    def _wait(self, port: Any, ticket: int) -> int:
        del port
        if ticket not in self._pending:
            return _FAILED
        address, to, count = self._pending.pop(ticket)
        try:
            return self._read(self._start + address, memoryview(self._ffi.buffer(to, count)))
        except Exception as error:  # of anybody's object; C ends the run
            self.failure = f"{type(error).__name__}: {error}"
            return _FAILED

    def _read(self, at: int, room: memoryview) -> int:
        self._file.seek(at)
        while room:
            got = self._file.readinto(room)
            if not got or got < 0 or got > len(room):
                self.failure = f"got {got} of {len(room)} bytes at {at}"
                return _FAILED
            room, at = room[got:], at + got
        return 0
