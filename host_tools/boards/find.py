# SPDX-License-Identifier: Apache-2.0
"""Finds boards, and selects one by its name or its line, or the only one."""

from __future__ import annotations

from dataclasses import dataclass

from serial.tools import list_ports

from edgefm.errors import BadInput
from host_tools.boards.running import running
from host_tools.boards.tree import boards as known_boards


@dataclass(frozen=True, slots=True)
class FoundBoard:
    """A board that runs here (`name` is the board's), or a serial port (its product's name)."""

    name: str
    url: str
    runs_here: bool


def found() -> list[FoundBoard]:
    """Boards that this checkout runs as processes, then USB serial ports."""
    here = [FoundBoard(board.board, board.url, True) for board in running()]
    ports = [FoundBoard(port.product or port.description or "serial port", port.device, False)
             for port in sorted(list_ports.comports()) if port.vid is not None]
    return here + ports


def choose(named: str | None) -> str:
    """The line of the board to use: `named` is a board's name, a line, or None for the only board.

    Raises BadInput that names the boards it found.
    """
    boards = found()
    if named is not None:
        lines = [board.url for board in boards if board.name == named]
        if len(lines) > 1:
            raise BadInput(f"{len(lines)} boards are called {named} ({', '.join(lines)}); "
                           "connect one of these")
        if not lines and named in known_boards():
            raise BadInput(f"no board {named} is running; edgefm flash {named} starts one")
        return lines[0] if lines else named
    if len(boards) == 1:
        return boards[0].url
    if not boards:
        raise BadInput("no board is connected or running; edgefm flash sim starts one, "
                       "`edgefm connect PORT` or EDGEFM_BOARD selects one")
    names = ", ".join(f"{board.name} ({board.url})" for board in boards)
    raise BadInput(f"found {len(boards)} boards: {names}; select one with `edgefm connect PORT` or "
                   "EDGEFM_BOARD")
