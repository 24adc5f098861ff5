# SPDX-License-Identifier: Apache-2.0
"""Build a board's firmware and put it there; an emulated board is started."""

from __future__ import annotations

import argparse

from host_tools.boards.manage import add_flash_options, flash_board
from host_tools.boards.tree import boards

EXAMPLE = "edgefm flash sim"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `flash`."""
    parser.add_argument("named", metavar="BOARD", help=f"one of {', '.join(boards())}")
    add_flash_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Build and flash."""
    flash_board(arguments.named, arguments)
