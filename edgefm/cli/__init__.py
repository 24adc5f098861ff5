# SPDX-License-Identifier: Apache-2.0
"""The `edgefm` command: one file per verb; each parses arguments, calls a function, prints."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from edgefm.cli import codecs, compile, diff, inspect, plan, run, validate, zoo
from edgefm.errors import EdgefmError

VERBS = (compile, plan, inspect, run, diff, validate, codecs, zoo)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    result = _Parser(prog="edgefm", description="Run quantised convolutional networks where fast "
                                                "memory is small.")
    verbs = result.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    for verb in VERBS:
        name = verb.__name__.rpartition(".")[2]
        summary = str(verb.__doc__).splitlines()[0]
        one = verbs.add_parser(name, help=summary, description=summary,
                               formatter_class=argparse.RawDescriptionHelpFormatter)
        verb.add_arguments(one)
        one.set_defaults(run=verb.run)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 after one line of error, 130 when interrupted."""
    try:
        arguments = parser().parse_args(argv)
        arguments.run(arguments)
        sys.stdout.flush()
    except EdgefmError as error:
        return _complain(str(error))
    except BrokenPipeError:  # `edgefm plan … | head`: nobody reads on, nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        return 130
    return 0


def _complain(message: str) -> int:
    print("edgefm:", " ".join(message.split()), file=sys.stderr)
    return 2
