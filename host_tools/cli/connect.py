# SPDX-License-Identifier: Apache-2.0
"""Name the board of the verbs behind it: a port, socket://…, exec:COMMAND, or one that runs."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `connect`."""
    parser.add_argument("port", metavar="PORT",
                        help="/dev/ttyACM0, /dev/ttyUSB0@921600, socket://host:port, "
                             "'exec:COMMAND', or a name that `edgefm devs` lists")


def run(arguments: argparse.Namespace) -> None:
    """Open the line and greet the device."""
    arguments.board.connect(arguments.port)
