# SPDX-License-Identifier: Apache-2.0
"""Boards that run as processes of this machine: one JSON file each, by whoever starts one.

The files lie in the folder that EDGEFM_BOARDS names, else in `<tmp>/edgefm-<uid>/boards`:

    {"board": "qemu-an386", "url": "socket://127.0.0.1:41234", "pid": 4711,
     "memory": {"path": "…/qemu-an386-4711.memory", "offset": 0, "bytes": 8388608}}

`memory` is there where the board's external memory is a file of this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from edgefm.errors import BadInput, EdgefmError

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """The board's external memory: `bytes` of the file from byte `offset` on."""

    path: Path
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Running:
    """A board that runs as process `pid` and listens at `url`."""

    board: str
    url: str
    pid: int
    memory: SharedMemory | None = None


def folder() -> Path:
    """Where the files are; made when it is not there."""
    named = os.environ.get("EDGEFM_BOARDS")
    own = Path(tempfile.gettempdir()) / f"edgefm-{os.getuid()}" / "boards"
    found = Path(named) if named else own
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def announce(board: Running) -> Path:
    """Write a board's file, whole or not at all."""
    said: dict[str, object] = {"board": board.board, "url": board.url, "pid": board.pid}
    if board.memory is not None:
        said["memory"] = {"path": str(board.memory.path), "offset": board.memory.offset,
                          "bytes": board.memory.bytes}
    path = folder() / f"{board.board}-{board.pid}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(said) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def running() -> list[Running]:
    """Every board that runs; files of those that ended are taken away.

    Raises BadInput for a file that is not what it should be.
    """
    found = []
    for path in sorted(folder().glob("*.json")):
        board = _read(path)
        if _alive(board.pid):
            found.append(board)
        else:
            _forget(path, board)
    return found


def stop(board: Running) -> None:
    """End a board's process and take its files away. Raises EdgefmError when it does not end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(board.pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while _alive(board.pid):
        if time.monotonic() > until:
            raise EdgefmError(f"{board.board}: process {board.pid} does not end")
        time.sleep(0.01)
    _forget(folder() / f"{board.board}-{board.pid}.json", board)


def _read(path: Path) -> Running:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        memory = said.get("memory")
        shared = None if memory is None else SharedMemory(
            Path(memory["path"]), int(memory["offset"]), int(memory["bytes"]))
        return Running(str(said["board"]), str(said["url"]), int(said["pid"]), shared)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not a running board's file: {type(error).__name__} {error}; "
                       "remove it") from None


def _alive(pid: int) -> bool:
    """Whether the process runs; one that ended and nobody waited for does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except ProcessLookupError:
        return False
    except OSError:  # not ours, or no /proc here
        return True
    return bool(state) and state[0] != "Z"


def _forget(path: Path, board: Running) -> None:
    path.unlink(missing_ok=True)
    if board.memory is not None and board.memory.path.parent == path.parent:
        board.memory.path.unlink(missing_ok=True)  # made for this run only
