# SPDX-License-Identifier: Apache-2.0
"""Parse one line of `edgefm` and run its verbs in order."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edgefm.console.terminal import be_quiet
from host_tools.cli.arguments import check_outputs
from host_tools.cli.board import Board
from host_tools.cli.parsing import parse


def run_line(argv: Sequence[str] | None = None) -> None:
    """Run the commands of one line in order. Raises what they raise."""
    with Board() as board:
        for command in _commands(sys.argv[1:] if argv is None else list(argv)):
            arguments = parse(command)
            arguments.board = board
            check_outputs(arguments)
            be_quiet(arguments.quiet)
            arguments.run(arguments)


def _commands(words: list[str]) -> list[list[str]]:
    """The commands of a line: `+` separates them, and another may follow `connect PORT`."""
    found: list[list[str]] = [[]]
    for word in words:
        named = len(found[-1]) == 2 and found[-1][0] == "connect"
        if word == "+" or named:
            found.append([])
        if word != "+":
            found[-1].append(word)
    return found
