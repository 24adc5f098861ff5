# SPDX-License-Identifier: Apache-2.0
"""Print the SHA-256 of files on the device, computed there."""

from __future__ import annotations

import argparse

from edgefm.console.terminal import say
from host_tools.cli.store import device_name, store_of

EXAMPLE = "edgefm sha256 :net.efm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `sha256`."""
    parser.add_argument("names", nargs="+", metavar=":NAME",
                        help="a file on the device; the colon is optional")


def run(arguments: argparse.Namespace) -> None:
    """Ask and print, as sha256sum does."""
    for text in arguments.names:
        name = device_name(text)
        say(f"{store_of(arguments.board).sha256(name)}  :{name}")
