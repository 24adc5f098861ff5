# SPDX-License-Identifier: Apache-2.0
"""What the verbs print: one JSON object, aligned tables, sizes. Imports no NumPy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edgefm.console.names import distinct
from edgefm.console.terminal import plain, say

SCHEMA = 1
COUNTERS = ("external_read_bytes", "external_write_bytes", "weight_read_bytes",
            "input_read_bytes", "output_write_bytes")  # of every run that is printed as JSON


def print_json(fields: Mapping[str, Any]) -> None:
    """Print one object with its schema number, and nothing else."""
    say(json.dumps({"schema": SCHEMA, **fields}, default=_plain, allow_nan=False))


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as JSON types."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns: text to the left, numbers to the right."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    numeric = [all(isinstance(row[i], (int, float, type(None))) for row in rows)
               for i in range(len(header))]
    for line in (header, ["-" * width for width in widths], *texts):
        cells = [text.rjust(width) if right else text.ljust(width)
                 for text, width, right in zip(line, widths, numeric, strict=True)]
        say("  ".join(cells).rstrip())


def print_maps(maps: Sequence[Mapping[str, Any]]) -> None:
    """Print the traffic of each stored map, as `MapTraffic.to_json` gives it."""
    capped = any(one["capped_rows"] for one in maps)
    told = distinct(one["name"] for one in maps)
    print_table(("stored map", "codec", "raw", "written", "read", "bits/value", "rows stored raw",
                 *(("rows made coarser", "largest shift") if capped else ())),
                [(told[one["name"]], one["codec"] + ", pooled" * one["pooled"], one["raw_bytes"],
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
    return plain(value)  # as wide as it will be printed


