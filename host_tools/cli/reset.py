# SPDX-License-Identifier: Apache-2.0
"""Restart the device, and wait until it answers."""

from __future__ import annotations

import argparse

from host_tools.cli.store import reset

EXAMPLE = "edgefm reset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `reset`: none."""


def run(arguments: argparse.Namespace) -> None:
    """Reset; the store stays as it is."""
    reset(arguments.board)
