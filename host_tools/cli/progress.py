# SPDX-License-Identifier: Apache-2.0
"""A progress bar on the terminal during long work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from edgefm.console.terminal import plain, shows_progress


@contextmanager
def progress_bar(what: str, total: int | None = None, unit: str = "it") -> Iterator[Any]:
    """A bar on stderr while work lasts, on a terminal only; `.update(n)` moves it."""
    with tqdm(desc=plain(what, sys.stderr), total=total, unit=unit, file=sys.stderr, leave=False,
              disable=not shows_progress()) as bar:
        yield bar
