# SPDX-License-Identifier: Apache-2.0
"""Which boards are there, and the one that is meant: by name, by line, or as the only one."""

from __future__ import annotations

from dataclasses import dataclass

from serial.tools import list_ports

from edgefm.errors import BadInput
from host_tools.boards import build
from host_tools.boards.running import running
from host_tools.link.device import Device
from host_tools.link.transport import SerialTransport, Transport, open_transport

BAUD = 115200


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
    """The line of the board that is meant: a board's name, a line, or None for the only one there.

    Raises BadInput that names what is there.
    """
    boards = found()
    if named is not None:
        lines = [board.url for board in boards if board.name == named]
        if len(lines) > 1:
            raise BadInput(f"{len(lines)} boards are called {named} ({', '.join(lines)}); "
                           "connect one of these")
        if not lines and named in build.boards():
            raise BadInput(f"no board {named} is running; ./inv flash --board {named} starts one")
        return lines[0] if lines else named
    if len(boards) == 1:
        return boards[0].url
    if not boards:
        raise BadInput("no board is connected or running; ./inv flash --board sim starts one, "
                       "`edgefm connect PORT` names one")
    names = ", ".join(f"{board.name} ({board.url})" for board in boards)
    raise BadInput(f"{len(boards)} boards are there: {names}; name one with `edgefm connect PORT`")


def open_board(named: str | None) -> Device:
    """A device by a board's name, a port (`/dev/ttyACM0`, `/dev/ttyUSB0@921600`), `socket://…` or
    `exec:COMMAND`. Raises LinkError when it cannot be opened or does not answer."""
    url = choose(named)
    memory = next((board.memory for board in running() if board.url == url), None)
    return Device(_transport(url), memory=memory)


def _transport(url: str) -> Transport:
    port, at, baud = url.rpartition("@")
    if at and baud.isdecimal() and not url.startswith("exec:"):
        return SerialTransport(port, int(baud))
    return open_transport(url, BAUD)
