# SPDX-License-Identifier: Apache-2.0
"""List the boards: those that run on this machine, and USB serial ports."""

from __future__ import annotations

import argparse

from edgefm.console.terminal import say
from host_tools.boards.find import found
from host_tools.cli.arguments import add_json
from host_tools.cli.output import print_json, print_table

EXAMPLE = "edgefm devs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `devs`."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Look for boards without opening anything."""
    boards = found()
    if arguments.json:
        print_json({"boards": [{"name": board.name, "url": board.url,
                                "runs_here": board.runs_here} for board in boards]})
    elif boards:
        print_table(("line", "board", "kind"),
                    [(board.url, board.name, "process" if board.runs_here else "serial port")
                     for board in boards])
    else:
        say("no board is connected or running (edgefm flash sim starts one)")
