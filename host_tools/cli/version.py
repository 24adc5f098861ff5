# SPDX-License-Identifier: Apache-2.0
"""Print the version of edgefm."""

from __future__ import annotations

import argparse

import edgefm
from edgefm.console.terminal import say

EXAMPLE = "edgefm --version"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `version`: none."""


def run(arguments: argparse.Namespace) -> None:
    """Print name and version."""
    say(f"edgefm {edgefm.__version__}")
