# SPDX-License-Identifier: Apache-2.0
"""End the boards that run on this machine."""

from __future__ import annotations

import argparse

from host_tools.boards.manage import stop_boards

EXAMPLE = "edgefm stop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stop`."""
    parser.add_argument("named", nargs="?", metavar="BOARD",
                        help="one that runs (default: all that run)")


def run(arguments: argparse.Namespace) -> None:
    """End them."""
    stop_boards(arguments.named)
