# SPDX-License-Identifier: Apache-2.0
"""Write files on the device to the standard output."""

from __future__ import annotations

import argparse

from edgefm.console.terminal import say_bytes
from edgefm.errors import BadInput
from host_tools.cli.store import refuse_local, store_of

EXAMPLE = "edgefm cat :notes.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `cat`."""
    parser.add_argument("names", nargs="+", metavar=":NAME",
                        help="a file on the device; a terminal shows only text, a pipe or a file "
                             "gets the bytes as they are")


def run(arguments: argparse.Namespace) -> None:
    """Write the files in order; stop at the first one that does not exist."""
    names = [refuse_local(name, "cat") for name in arguments.names]
    for name in names:
        if not say_bytes(store_of(arguments.board).get(name)):
            raise BadInput(f"cat: :{name} is not text, and a terminal would take its bytes for "
                           f"commands; write `edgefm cat :{name} > FILE`, or copy it with "
                           f"`edgefm cp :{name} FILE`")
