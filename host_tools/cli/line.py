# SPDX-License-Identifier: Apache-2.0
"""One line of `edgefm`: its verbs, parsed and run one after the other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO, cast

from edgefm.console.terminal import say
from host_tools.cli import (
    codecs,
    compare,
    compile,
    connect,
    cp,
    deploy,
    devs,
    df,
    diff,
    export,
    info,
    inspect,
    ls,
    meters,
    monitor,
    plan,
    profile,
    record,
    report,
    reset,
    rm,
    run,
    sha256,
    sweep,
    validate,
    zoo,
)
from host_tools.cli.arguments import check_outputs
from host_tools.cli.board import Board

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

VERBS = (compile, plan, inspect, run, diff, validate, sweep, codecs, zoo,
         devs, connect, deploy, cp, ls, rm, df, sha256, info, reset, profile,
         record, monitor, report, compare, export, meters)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        for line in message.splitlines():
            say(line, to=cast("TextIO | None", file) or sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    result = _Parser(prog="edgefm", description=(
        "Run quantized convolutional networks where fast memory is small. Verbs may be chained "
        "with +. Device verbs use the only board that is there, or the one that `connect` names."))
    verbs = result.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    for verb in VERBS:
        name = verb.__name__.rpartition(".")[2]
        summary = str(verb.__doc__).splitlines()[0]
        one = verbs.add_parser(name, help=summary, description=summary,
                               formatter_class=argparse.RawDescriptionHelpFormatter)
        verb.add_arguments(one)
        one.set_defaults(run=verb.run)
    return result


def run_line(argv: Sequence[str] | None = None) -> None:
    """Run the commands of one line, one after the other. Raises what they raise."""
    with Board() as board:
        for command in _commands(sys.argv[1:] if argv is None else list(argv)):
            arguments = parser().parse_args(command)
            arguments.board = board
            check_outputs(arguments)
            arguments.run(arguments)


def _commands(words: list[str]) -> list[list[str]]:
    """The commands of a line: parted by `+`, and behind `connect PORT`."""
    found: list[list[str]] = [[]]
    for word in words:
        named = len(found[-1]) == 2 and found[-1][0] == "connect"
        if word == "+" or named:
            found.append([])
        if word != "+":
            found[-1].append(word)
    return found
