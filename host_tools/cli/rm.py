# SPDX-License-Identifier: Apache-2.0
"""Remove files from the device."""

from __future__ import annotations

import argparse

from host_tools.cli.store import device_name, store_of

EXAMPLE = "edgefm rm :net.efm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `rm`."""
    parser.add_argument("names", nargs="+", metavar=":NAME",
                        help="a file on the device; the colon is optional")


def run(arguments: argparse.Namespace) -> None:
    """Remove the files in order; stop at the first one that does not exist."""
    for text in arguments.names:
        store_of(arguments.board).remove(device_name(text))
