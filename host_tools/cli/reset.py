# SPDX-License-Identifier: Apache-2.0
"""Start the device anew, and wait until it answers."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `reset`: none."""


def run(arguments: argparse.Namespace) -> None:
    """Reset; the store stays as it is."""
    arguments.board.reset()
