# SPDX-License-Identifier: Apache-2.0
"""List the boards that edgefm has firmware for, and what each lacks here."""

from __future__ import annotations

import argparse

from host_tools.boards.manage import list_boards

EXAMPLE = "edgefm boards"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`boards` has no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """List them."""
    list_boards()
