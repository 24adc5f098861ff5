# SPDX-License-Identifier: Apache-2.0
"""The `edgefm` command: one file per verb; each parses arguments, calls a function, prints."""

from __future__ import annotations

from collections.abc import Sequence

from edgefm.console import command
from host_tools.cli.line import run_line


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; edgefm/console/command.py lists them.

    Without `argv` it runs the process's own command line, handles signals, and does not return.
    """
    if argv is None:
        command.run(lambda: _main(None))
    return command.complete(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    run_line(argv)
    return 0
