# SPDX-License-Identifier: Apache-2.0
"""List the files on the device."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from edgefm.console.terminal import say
from host_tools.cli.arguments import add_json
from host_tools.cli.output import print_json
from host_tools.cli.store import device_name, store_of
from host_tools.link.answers import Stored
from host_tools.link.store import Store

EXAMPLE = "edgefm ls"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `ls`."""
    parser.add_argument("names", nargs="*", metavar=":NAME",
                        help="list only these files (default, and `:`: all; there are no folders)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Ask and print one line per file."""
    files = _files(store_of(arguments.board), arguments.names)
    if arguments.json:
        print_json({"files": [{"name": one.name, "bytes": one.bytes} for one in files]})
        return
    for one in files:
        say(f"{one.bytes:>10,}  {one.name}")


def _files(store: Store, names: Sequence[str]) -> list[Stored]:
    """All files, or those of these names. Raises DeviceError for a missing one."""
    if not names or ":" in names:
        return store.files()
    return [store.stat(device_name(name)) for name in names]
