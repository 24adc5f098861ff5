# SPDX-License-Identifier: Apache-2.0
"""What the verbs print: one JSON object, aligned tables, sizes, a progress bar on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from edgefm.console.terminal import plain, say
from edgefm.errors import BadInput
from edgefm.files.write import check_file, writing
from edgefm.network.graph import Array
from edgefm.network.names import short

if TYPE_CHECKING:
    from PIL import Image

SCHEMA = 1
COUNTERS = ("external_read_bytes", "external_write_bytes", "weight_read_bytes",
            "input_read_bytes", "output_write_bytes")  # of every run that is told as JSON


def print_json(fields: Mapping[str, Any]) -> None:
    """Print one object with its schema number, and nothing else."""
    say(json.dumps({"schema": SCHEMA, **fields}, default=_plain, allow_nan=False))


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as JSON knows them."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return str(value)


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns aligned: text to the left, numbers to the right."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    numeric = [all(isinstance(row[i], (int, float, type(None))) for row in rows)
               for i in range(len(header))]
    for line in (header, ["-" * width for width in widths], *texts):
        cells = [text.rjust(width) if right else text.ljust(width)
                 for text, width, right in zip(line, widths, numeric, strict=True)]
        say("  ".join(cells).rstrip())


def print_maps(maps: Sequence[Mapping[str, Any]]) -> None:
    """Print what crossed for each stored map, as `MapTraffic.to_json` has it."""
    capped = any(one["capped_rows"] for one in maps)
    print_table(("stored map", "codec", "raw", "written", "read", "bits/value", "rows stored raw",
                 *(("rows made coarser", "largest shift") if capped else ())),
                [(short(one["name"]), one["codec"] + ", pooled" * one["pooled"], one["raw_bytes"],
                  round(one["write_bytes"]), round(one["read_bytes"]), one["bits_per_value"],
                  round(one["raw_rows"]),
                  *((round(one["capped_rows"]), one["largest_shift"]) if capped else ()))
                 for one in maps])


def print_fields(fields: Mapping[str, object]) -> None:
    """Print name and value pairs in two columns."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        say(f"{name.ljust(width)}  {_cell(value)}")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return plain(value)  # as wide as it will be


@contextmanager
def progress_bar(what: str, total: int | None = None, unit: str = "it") -> Iterator[Any]:
    """A bar on stderr while work lasts, on a terminal only; `.update(n)` moves it."""
    with tqdm(desc=plain(what, sys.stderr), total=total, unit=unit, file=sys.stderr, leave=False,
              disable=not sys.stderr.isatty()) as bar:
        yield bar


def save_array(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write one array as .npy, or all of them by name as .npz."""
    with writing(path) as file:
        if path.suffix == ".npz":
            named: dict[str, Any] = {}
            for name, array in arrays.items():
                named[_member(name, named)] = array
            np.savez(file, **named)
        else:
            np.save(file, next(iter(arrays.values())))


def _member(name: str, taken: Mapping[str, object]) -> str:
    """A tensor's name as one in an .npz: no path, no word of savez(), no other tensor's."""
    found = "".join(c if c.isprintable() and c not in "/\\:" else "_" for c in name) or "_"
    while found in taken or found in ("file", "allow_pickle"):
        found += "_"
    return found


PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}


def check_picture(path: Path, inputs: Sequence[Path] = ()) -> None:
    """Check the name of a picture to write, as `check_file` does. Raises BadInput."""
    if path.suffix.lower() not in PICTURES:
        raise BadInput(f"{path}: no name for a picture; expected one that ends in "
                       f"{', '.join(PICTURES)}")
    check_file(path, inputs)


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture in the format that its name says."""
    with writing(path) as file:
        picture.save(file, PICTURES[path.suffix.lower()])
