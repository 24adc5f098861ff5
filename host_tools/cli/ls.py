# SPDX-License-Identifier: Apache-2.0
"""List the files on the device."""

from __future__ import annotations

import argparse

from edgefm.console.terminal import say
from host_tools.cli.arguments import add_json
from host_tools.cli.board import device_of
from host_tools.cli.output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ls`."""
    parser.add_argument("where", nargs="?", default=":", choices=[":"], metavar=":",
                        help="the device, which has no folders")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Ask and print, a line each."""
    files = device_of(arguments).files()
    if arguments.json:
        print_json({"files": [{"name": one.name, "bytes": one.bytes} for one in files]})
        return
    for one in files:
        say(f"{one.bytes:>10,}  {one.name}")
