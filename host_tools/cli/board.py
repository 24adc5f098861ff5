# SPDX-License-Identifier: Apache-2.0
"""The board of one command line, and `:names` of its files. Imports no code that talks to it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from edgefm.errors import EdgefmError

if TYPE_CHECKING:
    from host_tools.link.store import Store

VARIABLE = "EDGEFM_BOARD"   # names the board unless `connect` does


class Board:
    """The board to use (None: the only one found), and its store once a verb has opened it.

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
        """Close the connection."""
        if self.opened is not None:
            with suppress(EdgefmError):
                self.opened.close()
        self.opened = None


def on_device(path: str | Path) -> str | None:
    """The name of a file on the device, written `:name`; None for a file on this machine."""
    text = str(path)
    return text[1:] if text.startswith(":") else None
