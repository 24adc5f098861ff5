# SPDX-License-Identifier: Apache-2.0
"""The board's store, for verbs that run no package; the first one that needs it opens it."""

from __future__ import annotations

import time
from pathlib import Path

from edgefm.errors import BadInput, LinkError
from host_tools.boards.connect import open_board
from host_tools.cli.board import Board, on_device
from host_tools.link.answers import check_name
from host_tools.link.store import Store

RESTART_SECONDS = 10.0  # that a reset may take
AGAIN_SECONDS = 0.1


def store_of(board: Board) -> Store:
    """The open store. Raises BadInput when it is unclear which board to use, and LinkError."""
    if board.opened is None:
        board.opened = open_board(board.named)
    return board.opened


def connect(board: Board, named: str) -> None:
    """Use this board from now on."""
    board.close()
    board.named = named
    store_of(board)


def reset(board: Board) -> None:
    """Restart the board and wait until it answers. Raises LinkError when it does not."""
    store_of(board).reset()
    board.opened = None
    until = time.monotonic() + RESTART_SECONDS
    while board.opened is None:
        try:
            store_of(board)
        except LinkError:
            if time.monotonic() > until:
                raise
            time.sleep(AGAIN_SECONDS)


def device_name(text: str) -> str:
    """A name that must be on the device, with or without its colon. Raises BadInput."""
    return check_name(text.removeprefix(":"))


def refuse_local(path: str | Path, verb: str) -> str:
    """The name of a file on the device, from `:name`. Raises BadInput for a local file."""
    name = on_device(path)
    if not name:
        raise BadInput(f"{verb}: {path} is not a file on a device; write it :{Path(path).name}")
    return name
