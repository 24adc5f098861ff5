# SPDX-License-Identifier: Apache-2.0
"""Parses a verb's arguments and prints help; imports only the chosen verb's module."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

from edgefm.console.terminal import say
from host_tools.cli.verbs import FILE_VERBS, GROUPS, VERBS, did_you_mean, find, load

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class Parser(argparse.ArgumentParser):
    """A parser whose error is one line that also suggests the nearest option."""

    _words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does; keep the words for error()."""
        self._words = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """End with one line and status 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}{''.join(self._hints())} "
                     f"(see {self.prog} --help)\n")

    def _hints(self) -> Iterator[str]:
        known = list(_options(self))
        for word in self._words:
            flag = word.partition("=")[0]
            if word == "--":
                return
            if flag.startswith("--") and not any(one.startswith(flag) for one in known):
                yield did_you_mean(flag, known)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        for line in message.splitlines():
            say(line, to=cast("TextIO | None", file) or sys.stderr)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The long options of a parser and of the parsers below it."""
    for action in parser._actions:
        yield from (flag for flag in action.option_strings if flag.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _options(one)


def fill(parser: argparse.ArgumentParser, name: str) -> None:
    """Add a verb's arguments to a parser."""
    verb = load(name)
    verb.add_arguments(parser)
    parser.add_argument("--quiet", action="store_true",
                        help="show no progress (default: a bar, on a terminal)")
    parser.description = VERBS[name]
    parser.epilog = f"example:\n  {verb.EXAMPLE}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(run=verb.run)


def verb_parser(name: str) -> Parser:
    """The parser of one verb."""
    parser = Parser(prog=f"edgefm {name}")
    fill(parser, name)
    return parser


def parse(words: Sequence[str]) -> argparse.Namespace:
    """One command's arguments; `run` is its function. Raises BadInput, or ends with a line."""
    name, rest = find(words)
    return verb_parser(name).parse_args(rest)


def help_text() -> str:
    """What edgefm does and all its verbs."""
    lines = ["usage: edgefm VERB … [+ VERB …]", "",
             "Run quantized convolutional networks where fast memory is small.", ""]
    for title, verbs in GROUPS.items():
        lines += [f"{title}:", *(f"  {name:<11} {text}" for name, text in verbs.items()), ""]
    lines += [
        "edgefm VERB --help explains a verb. + chains verbs. A name that begins with : is a file",
        "on the device. Device verbs use the board that `connect PORT` selects, or else the",
        "environment variable EDGEFM_BOARD, or else the only board that is found.", "",
        f"As in mpremote: fs {'|'.join(FILE_VERBS)}, sha256sum, soft-reset.",
        "", "example:", "  edgefm plan net.tflite --fast 96K"]
    return "\n".join(lines)
