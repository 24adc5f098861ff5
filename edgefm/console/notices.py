# SPDX-License-Identifier: Apache-2.0
"""Python's warnings as lines for a person."""

from __future__ import annotations

import warnings
from typing import TextIO

from edgefm.console.terminal import complain
from edgefm.errors import InputWarning


def warnings_as_lines() -> None:
    """From now on Python's warnings are one line each, without a place in the source; those about
    files come once. `warnings.catch_warnings` ends it."""
    warnings.simplefilter("once", InputWarning)
    warnings.showwarning = _show


def _show(message: Warning | str, category: type[Warning], filename: str, lineno: int,
          file: TextIO | None = None, line: str | None = None) -> None:
    del category, filename, lineno, file, line
    complain(f"warning: {message}")
