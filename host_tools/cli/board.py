# SPDX-License-Identifier: Apache-2.0
"""The board of one command line, and `:names` of files on it. Imports nothing that talks to it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from edgefm.errors import EdgefmError

if TYPE_CHECKING:
    from host_tools.link.store import Store

VARIABLE = "EDGEFM_BOARD"   # names the board where no `connect` does


class Board:
    """Which board is meant, None for the only one there, and its store once a verb opened it.

    A context manager that closes the store.
    """

    def __init__(self) -> None:
        self.named = os.environ.get(VARIABLE) or None
        self.opened: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the line back."""
        if self.opened is not None:
            with suppress(EdgefmError):
                self.opened.close()
        self.opened = None


def on_device(path: str | Path) -> str | None:
    """The name of a file on the device, written `:name`; None for a file of this machine."""
    text = str(path)
    return text[1:] if text.startswith(":") else None
