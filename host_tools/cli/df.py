# SPDX-License-Identifier: Apache-2.0
"""Show how full the device's store is."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from host_tools.cli.arguments import add_json
from host_tools.cli.output import print_json, print_table
from host_tools.cli.store import store_of

EXAMPLE = "edgefm df"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `df`."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Ask and print; `largest` is the largest file that still fits."""
    space = store_of(arguments.board).space()
    if arguments.json:
        print_json(asdict(space))
    else:
        print_table(("bytes", "used", "free", "largest", "most erases"),
                    [(space.bytes, space.bytes - space.free, space.free, space.largest,
                      space.erases)])
