# SPDX-License-Identifier: Apache-2.0
"""Label files: which class every picture shows, and what the classes are called."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgefm.errors import BadInput
from edgefm.files.read import read_lines

T = TypeVar("T")

_MOST_DIGITS = 9
_SYNSET = re.compile(r"n\d{8}\s+")


@dataclass(frozen=True, slots=True)
class LabeledFile:
    """A file and the class (0-based, background not counted) that it shows."""

    path: Path
    label: int


def read_labels(path: Path, folder: Path) -> tuple[LabeledFile, ...]:
    """Read a label file: header `file,label`, one file of `folder` per line, in its order.

    Raises BadInput, naming the line, for another header, a label that is not a number from 0 up,
    and a file that is not there.
    """
    rows = enumerate(csv.reader(read_lines(path), skipinitialspace=True), 1)
    try:
        return tuple(_labeled(path, folder, rows))
    except csv.Error as error:
        raise BadInput(f"{path}: not a CSV file ({error})") from None


def _labeled(path: Path, folder: Path, rows: Iterator[tuple[int, list[str]]]
              ) -> Iterator[LabeledFile]:
    header = next(rows, (1, []))[1]
    if [name.strip() for name in header] != ["file", "label"]:
        raise BadInput(f"{path}: line 1: expected the header file,label, "
                       f"got {','.join(header)[:60]!r}")
    for number, row in rows:
        if not row:
            continue
        label = class_number(row[1].strip()) if len(row) == 2 else None
        if label is None:
            raise BadInput(f"{path}: line {number}: expected a file and a class number, "
                           f"got {','.join(row)[:60]!r}")
        if not os.path.isfile(folder / row[0]):
            raise BadInput(f"{path}: line {number}: no file {row[0][:200]!r} in {folder}")
        yield LabeledFile(folder / row[0], label)


def class_number(text: str) -> int | None:
    """A class as a number from 0 up; None for any other text, and beyond nine digits."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def read_names(path: Path) -> tuple[str, ...]:
    """Read class names, one per line; an empty line ends the list, WordNet ids are dropped."""
    names = []
    for line in read_lines(path):
        if not line.strip():
            break
        names.append(_SYNSET.sub("", line.strip(), count=1))
    if not names:
        raise BadInput(f"{path}: got no name in line 1, expected one class name per line")
    return tuple(names)


def names_for(names: tuple[str, ...], classes: int) -> tuple[str, ...]:
    """Fit names to a network's class count, where only the background class can be in question.

    Raises BadInput when another number of names is missing or too many.
    """
    background = names[0].lower() == "background" if names else False
    if len(names) == classes:
        return names
    if background and len(names) == classes + 1:
        return names[1:]
    if not background and len(names) + 1 == classes:
        return ("background", *names)
    raise BadInput(f"labels: {len(names)} names for {classes} classes; expected one per line, and "
                   "an empty line at the end only")


def spread(items: tuple[T, ...], limit: int | None) -> tuple[T, ...]:
    """At most `limit` items, evenly spread, so that sorted classes stay mixed."""
    if limit is None or limit >= len(items):
        return items
    return tuple(items[index * len(items) // limit] for index in range(limit))
