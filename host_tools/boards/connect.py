# SPDX-License-Identifier: Apache-2.0
"""Opens the selected board: its line, its session, its store."""

from __future__ import annotations

from host_tools.boards.find import choose
from host_tools.boards.running import running
from host_tools.link.session import Session
from host_tools.link.store import Store
from host_tools.link.transport import SerialTransport, Transport, open_transport

BAUD = 115200


def open_board(named: str | None) -> Store:
    """The store of a device: by a board's name, a port (`/dev/ttyACM0`, `/dev/ttyUSB0@921600`),
    `socket://…` or `exec:COMMAND`. Raises LinkError when it cannot be opened or does not answer."""
    url = choose(named)
    memory = next((board.memory for board in running() if board.url == url), None)
    return Store(Session(_transport(url)), memory)


def _transport(url: str) -> Transport:
    port, at, baud = url.rpartition("@")
    if at and baud.isdecimal() and not url.startswith("exec:"):
        return SerialTransport(port, int(baud))
    return open_transport(url, BAUD)
