# SPDX-License-Identifier: Apache-2.0
"""The board as a device that runs packages: its opened store, and more."""

from __future__ import annotations

from host_tools.cli.board import Board
from host_tools.cli.store import store_of
from host_tools.link.device import Device


def device_of(board: Board) -> Device:
    """The open device. Raises what store_of() raises."""
    store = store_of(board)
    device = store if isinstance(store, Device) else Device.of(store)
    board.opened = device
    return device
