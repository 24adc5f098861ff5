# SPDX-License-Identifier: Apache-2.0
"""Prints Python's warnings as plain lines."""

from __future__ import annotations

import warnings
from typing import TextIO

from edgefm.console.terminal import complain
from edgefm.errors import InputWarning


def warnings_as_lines() -> None:
    """Print Python's warnings as one line each from now on, without their place in the source, and
    those about files once. `warnings.catch_warnings` undoes it."""
    warnings.simplefilter("once", InputWarning)
    warnings.showwarning = _show


def _show(message: Warning | str, category: type[Warning], filename: str, lineno: int,
          file: TextIO | None = None, line: str | None = None) -> None:
    del category, filename, lineno, file, line
    complain(f"warning: {message}")
