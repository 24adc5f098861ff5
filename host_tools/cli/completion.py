# SPDX-License-Identifier: Apache-2.0
"""Print a script for a shell's tab completion of edgefm commands.

The script contains all verbs and options, so the tab key does not start Python.
"""

from __future__ import annotations

import argparse

from edgefm.console.terminal import say_bytes
from edgefm.errors import MissingTool
from host_tools.cli.parsing import fill
from host_tools.cli.verbs import VERBS

SHELLS = ("bash", "zsh", "fish")
EXAMPLE = "edgefm completion bash > ~/.local/share/bash-completion/completions/edgefm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `completion`."""
    parser.add_argument("shell", choices=SHELLS, help="the shell to print the script for")


def run(arguments: argparse.Namespace) -> None:
    """Print the script. Raises MissingTool where the package `shtab` is not installed."""
    try:
        import shtab
    except ImportError:
        raise MissingTool("completion: the Python package shtab is not installed; pip install "
                          "'edgefm[completion]'") from None
    say_bytes(shtab.complete(whole_parser(), arguments.shell).encode() + b"\n")


def whole_parser() -> argparse.ArgumentParser:
    """All verbs in one parser, which imports all of them."""
    parser = argparse.ArgumentParser(prog="edgefm")
    parser.add_argument("--version", action="store_true", help=VERBS["version"])
    verbs = parser.add_subparsers(metavar="VERB")
    for name, summary in VERBS.items():
        fill(verbs.add_parser(name, help=summary), name)
    return parser
