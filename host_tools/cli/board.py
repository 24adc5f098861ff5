# SPDX-License-Identifier: Apache-2.0
"""What the device verbs share: the board they talk to, and `:names` of files on it."""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edgefm.errors import BadInput, EdgefmError, LinkError

if TYPE_CHECKING:
    from host_tools.link.device import Device

ANEW_SECONDS = 10.0     # how long a reset may take
AGAIN_SECONDS = 0.1


class Board:
    """The board of one command line; connected when the first verb needs it. A context manager."""

    def __init__(self) -> None:
        self.named: str | None = None
        self._device: Device | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def connect(self, named: str) -> None:
        """Take this board from now on."""
        self.close()
        self.named = named
        self.device()

    def device(self) -> Device:
        """The open device."""
        from host_tools.boards.find import open_board

        if self._device is None:
            self._device = open_board(self.named)
        return self._device

    def reset(self) -> None:
        """Start the board anew and wait until it answers again."""
        self.device().reset()
        self._device = None
        until = time.monotonic() + ANEW_SECONDS
        while self._device is None:
            try:
                self.device()
            except LinkError:
                if time.monotonic() > until:
                    raise
                time.sleep(AGAIN_SECONDS)

    def close(self) -> None:
        """Give the line back."""
        if self._device is not None:
            with suppress(EdgefmError):
                self._device.close()
        self._device = None


def on_device(path: str | Path) -> str | None:
    """The name of a file on the device, written `:name`; None for a file of this machine."""
    text = str(path)
    return text[1:] if text.startswith(":") else None


def device_name(text: str) -> str:
    """An argument that can only be a name on the device, with its colon or without."""
    from host_tools.link.answers import check_name

    return check_name(text.removeprefix(":"))


def device_of(arguments: argparse.Namespace) -> Any:
    """The device of a command line, as host_tools.link.device.Device."""
    return arguments.board.device()


def refuse_local(path: str | Path, verb: str) -> str:
    """The device's name in a `:name`. Raises BadInput for a file of this machine."""
    name = on_device(path)
    if not name:
        raise BadInput(f"{verb}: {path} is no file on a device; write it :{Path(path).name}")
    return name
