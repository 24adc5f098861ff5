# SPDX-License-Identifier: Apache-2.0
"""Lines on stderr for a person, warnings among them; a progress bar stays whole."""

from __future__ import annotations

import sys
import warnings
from typing import TextIO

from tqdm import tqdm

from edgefm.errors import InputWarning

_CLEAR = "\r\x1b[K"  # a bar of another process that stands on this line


def print_notice(text: str) -> None:
    """Print one line that begins with `edgefm: `; bars are drawn again below it."""
    clear = _CLEAR if sys.stderr.isatty() else ""
    tqdm.write(f"{clear}edgefm: {' '.join(text.split())}", file=sys.stderr)


def warnings_as_lines() -> None:
    """From now on Python's warnings are one line each, without a place in the source; those about
    files come once. `warnings.catch_warnings` ends it."""
    warnings.simplefilter("once", InputWarning)
    warnings.showwarning = _show


def _show(message: Warning | str, category: type[Warning], filename: str, lineno: int,
          file: TextIO | None = None, line: str | None = None) -> None:
    del category, filename, lineno, file, line
    print_notice(f"warning: {message}")
