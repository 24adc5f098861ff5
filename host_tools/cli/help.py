# SPDX-License-Identifier: Apache-2.0
"""Show all verbs, or the arguments of one."""

from __future__ import annotations

import argparse

from edgefm.console.terminal import say
from host_tools.cli.parsing import help_text, verb_parser
from host_tools.cli.verbs import FILE_VERBS, VERBS, find

EXAMPLE = "edgefm help plan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `help`."""
    parser.add_argument("verb", nargs="?", metavar="VERB", help="default: all verbs")


def run(arguments: argparse.Namespace) -> None:
    """Print."""
    for line in _text(arguments.verb).splitlines():
        say(line)


def _text(verb: str | None) -> str:
    if verb is None:
        return help_text()
    if verb == "fs":
        return "fs: the verbs " + ", ".join(FILE_VERBS) + ", each as without `fs`"
    name, _ = find([verb])
    return verb_parser(name).format_help() if name in VERBS else help_text()
