# SPDX-License-Identifier: Apache-2.0
"""Arguments that several verbs share: sizes, counts, `--json` and output files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgefm.console.notation import read_size
from edgefm.errors import BadInput
from edgefm.files.write import check_file

Check = Callable[[Path, Sequence[Path]], object]


def size(text: str) -> int:
    """A size in bytes: 65536, 64K, 1.5M (units of 1,024)."""
    try:
        return read_size(text)
    except BadInput as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def count(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 up, got {text!r}")
    return int(text)


def times(text: str) -> int:
    """A whole number; 0 means without end."""
    return 0 if text == "0" else count(text)


def steps(text: str) -> int:
    """A whole number from 0 to 255."""
    if not text.isdecimal() or int(text) > 255:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 255, got {text!r}")
    return int(text)


def shape(text: str) -> tuple[int, ...]:
    """Sizes of 1 or more, separated by commas: 1,3,224,224."""
    sizes = text.split(",")
    if not all(one.isdecimal() and 0 < int(one) < 1 << 24 for one in sizes) or len(sizes) > 8:
        raise argparse.ArgumentTypeError("expected sizes from 1 up with commas between them, such "
                                         f"as 1,3,224,224, got {text!r}")
    return tuple(map(int, sizes))


def add_output(parser: argparse.ArgumentParser, *flags: str, check: Check = check_file,
               group: Any = None, **options: Any) -> None:
    """An argument that names an output file; `check` runs before the verb begins."""
    action = (group or parser).add_argument(*flags, type=Path, **options)
    parser.set_defaults(outputs={**(parser.get_default("outputs") or {}), action.dest: check})


def check_outputs(arguments: argparse.Namespace) -> None:
    """Check the output files of a command line; its other paths are inputs. Raises BadInput."""
    checks = getattr(arguments, "outputs", {})
    inputs = [path for name, value in vars(arguments).items() if name not in checks
              for path in _paths(value)]
    for name, check in checks.items():
        for path in _paths(getattr(arguments, name)):
            check(path, inputs)


def _paths(value: object) -> Iterator[Path]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Path):
            yield one
        elif isinstance(one, str) and Path(one).is_file():  # a file or a name
            yield Path(one)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object and nothing else (default: text)")
