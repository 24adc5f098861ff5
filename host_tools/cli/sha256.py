# SPDX-License-Identifier: Apache-2.0
"""Print the SHA-256 of files on the device, computed there."""

from __future__ import annotations

import argparse

from edgefm.console.terminal import say
from host_tools.cli.board import device_name, device_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `sha256`."""
    parser.add_argument("names", nargs="+", metavar=":NAME")


def run(arguments: argparse.Namespace) -> None:
    """Ask and print, as sha256sum does."""
    for text in arguments.names:
        name = device_name(text)
        say(f"{device_of(arguments).sha256(name)}  :{name}")
