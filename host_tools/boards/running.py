# SPDX-License-Identifier: Apache-2.0
"""Boards that this checkout runs as processes: one JSON file each, called BOARD-PID.json.

The files lie in the checkout's registry (`registry.py`):

    {"board": "qemu-an386", "url": "socket://127.0.0.1:41234", "pid": 4711, "started": 81523,
     "memory": {"path": "…/qemu-an386-41234.memory", "offset": 0, "bytes": 8388608}}

`started` is the time when the process began, in the system's ticks since boot, or null if the
system does not tell: a later process with the same `pid` is not the board. `memory` exists if the
board's external memory is a file on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgefm.errors import BadInput, EdgefmError
from edgefm.files.write import write_file
from host_tools.boards.registry import folder
from host_tools.link.shared_memory import SharedMemory

STOP_SECONDS = 5.0
FILE_BYTES = 1 << 14        # a file has at most
LARGEST = {"pid": 2 ** 31 - 1, "started": 2 ** 63 - 1, "offset": 2 ** 63 - 1, "bytes": 2 ** 63 - 1}
WORD = re.compile(r"[!-~]{1,300}")


@dataclass(frozen=True, slots=True)
class Running:
    """A board that runs as process `pid` and listens at `url`."""

    board: str
    url: str
    pid: int
    memory: SharedMemory | None = None


def announce(board: Running) -> Path:
    """Write a board's file, completely or not at all."""
    said: dict[str, object] = {"board": board.board, "url": board.url, "pid": board.pid,
                               "started": _started(_process(board.pid))}
    if board.memory is not None:
        said["memory"] = {"path": str(board.memory.path), "offset": board.memory.offset,
                          "bytes": board.memory.bytes}
    path = folder() / _name(board)
    write_file(path, json.dumps(said) + "\n")
    return path


def running() -> list[Running]:
    """Every running board of this checkout; removes the files of boards that have ended.

    Raises BadInput for a file with wrong contents.
    """
    found = []
    for path in sorted(folder().glob("*.json")):
        board, started = _read(path)
        if _runs(board.pid, started):
            found.append(board)
        else:
            _forget(path, board)
    return found


def stop(board: Running) -> None:
    """End a board of this checkout and remove its files; never ends any other process.

    Raises EdgefmError when its process does not end.
    """
    if board in running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(board.pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while board in running():
        if time.monotonic() > until:
            raise EdgefmError(f"{board.board}: process {board.pid} does not end")
        time.sleep(0.01)


def _name(board: Running) -> str:
    return f"{board.board}-{board.pid}.json"


def _read(path: Path) -> tuple[Running, int | None]:
    """A file's board, and when its process began."""
    try:
        said = json.loads(_text(path))
        memory = said.get("memory")
        shared = None if memory is None else SharedMemory(
            Path(memory["path"]), _count(memory, "offset"), _count(memory, "bytes"))
        board = Running(_word(said, "board"), _word(said, "url"), _count(said, "pid"), shared)
        if path.name != _name(board) or board.pid == 0:
            raise ValueError(f"is of {_name(board)}")
        return board, None if said["started"] is None else _count(said, "started")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path}: not a running board's file: {type(error).__name__} {error}; "
                       "remove it") from None


def _text(path: Path) -> str:
    """The text of a small regular file. Raises OSError, ValueError."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > FILE_BYTES:
            raise ValueError(f"expected a regular file of at most {FILE_BYTES:,} bytes")
        return file.read(FILE_BYTES).decode()


def _word(said: Any, key: str) -> str:
    value = said[key]
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise ValueError(f"{key} is not a word")
    return value


def _count(said: Any, key: str) -> int:
    value = said[key]
    if type(value) is not int or not 0 <= value <= LARGEST[key]:
        raise ValueError(f"{key} is not a number from 0 to {LARGEST[key]}")
    return value


def _runs(pid: int, started: int | None) -> bool:
    """Whether the process that began then runs; a zombie, which has ended, does not."""
    try:
        os.kill(pid, 0)
    except OSError:  # gone, or another user's, and then no board of ours
        return False
    process = _process(pid)
    return _started(process) == started and process[:1] not in (["Z"], ["X"])


def _process(pid: int) -> list[str]:
    """The fields of a process in /proc from its state on; nothing without a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(
            ")")[2].split()
    except OSError:
        return []


def _started(process: list[str]) -> int | None:
    """Its start in ticks since boot."""
    return int(process[19]) if process else None


def _forget(path: Path, board: Running) -> None:
    path.unlink(missing_ok=True)
    if board.memory is not None and board.memory.path.parent == path.parent:
        board.memory.path.unlink(missing_ok=True)  # made for this run only
