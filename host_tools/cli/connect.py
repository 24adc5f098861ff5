# SPDX-License-Identifier: Apache-2.0
"""Select the board for the verbs that follow."""

from __future__ import annotations

import argparse

from host_tools.cli.store import connect

EXAMPLE = "edgefm connect /dev/ttyACM0 ls"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `connect`."""
    parser.add_argument("port", metavar="PORT",
                        help="/dev/ttyACM0, /dev/ttyUSB0@921600, socket://host:port, "
                             "'exec:COMMAND', or a name that `edgefm devs` lists")


def run(arguments: argparse.Namespace) -> None:
    """Open the connection and start a session."""
    connect(arguments.board, arguments.port)
