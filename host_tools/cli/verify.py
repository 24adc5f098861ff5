# SPDX-License-Identifier: Apache-2.0
"""Check every checksum of packages, here or on a device."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgefm.console.notation import size_text
from edgefm.console.terminal import say
from edgefm.files.read import read_bytes
from edgefm.package.container import read_sections, read_tiles
from edgefm.runtime import Runtime
from host_tools.cli.board import on_device
from host_tools.cli.store import store_of

EXAMPLE = "edgefm verify net.efm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `verify`."""
    parser.add_argument("packages", nargs="+", metavar="net.efm",
                        help="packages; :NAME reads one back from the device")


def run(arguments: argparse.Namespace) -> None:
    """Check file by file; the first damaged package ends the command with its error."""
    for text in arguments.packages:
        name = on_device(text)
        data = read_bytes(Path(text)) if name is None else store_of(arguments.board).get(name)
        tiles = sum(1 for _ in read_tiles(read_sections(data, text)))
        with Runtime(data, text):  # the runtime accepts it, too
            say(f"{text}: {size_text(len(data))}, whole: its head, all of it, and {tiles} tiles")
