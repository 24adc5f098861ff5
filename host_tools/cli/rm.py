# SPDX-License-Identifier: Apache-2.0
"""Remove files from the device."""

from __future__ import annotations

import argparse

from host_tools.cli.board import device_name, device_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `rm`."""
    parser.add_argument("names", nargs="+", metavar=":NAME")


def run(arguments: argparse.Namespace) -> None:
    """Remove one after the other; the first that is not there ends it."""
    for text in arguments.names:
        device_of(arguments).remove(device_name(text))
