# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/FORMAT.md as data: the document is what the code is compared with."""

from __future__ import annotations

import re
from pathlib import Path

FORMAT = Path(__file__).resolve().parents[2] / "docs" / "FORMAT.md"
Row = dict[str, str]

_BYTES = {"u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "f32": 4}
_CODES = {"u8": "B", "u16": "H", "u32": "I", "i32": "i", "f32": "f"}


def chapter(heading: str) -> str:
    """The text under a heading (with its #s), up to the next one of the same or a higher level."""
    text = FORMAT.read_text(encoding="utf-8")
    level = len(heading) - len(heading.lstrip("#"))
    start = re.search(rf"^{re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"FORMAT.md has no heading {heading!r}"
    rest = text[start.end():]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[:end.start()] if end else rest


def tables(heading: str) -> list[list[Row]]:
    """Every table of a chapter: rows by column title."""
    found: list[list[Row]] = []
    rows: list[Row] = []
    titles: list[str] = []
    text = re.sub(r"^```\n.*?^```$", "", chapter(heading), flags=re.MULTILINE | re.DOTALL)
    for line in [*text.splitlines(), ""]:
        if not line.startswith("|"):
            if titles:
                found.append(rows)
            rows, titles = [], []
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        if not titles:
            titles = cells
        elif not set(line) <= set("|-: "):
            rows.append(dict(zip(titles, cells, strict=True)))
    return found


def table(heading: str) -> list[Row]:
    """The first table of a chapter."""
    return tables(heading)[0]


def layout(heading: str) -> tuple[str, dict[str, int]]:
    """A byte table as a struct format, and its fields' offsets. Rows must follow without gaps."""
    code, offsets, at = "<", {}, 0
    for row in table(heading):
        kind, many = re.findall(r"^(\w+?)(?:\[(\d+)\])?$", row["Type"])[0]
        count = int(many or 1)
        assert int(row["Offset"]) == at, f"{heading}: {row['Field']} is not at {at}"
        assert int(row["Size"]) == _BYTES[kind] * count, f"{heading}: size of {row['Field']}"
        offsets[row["Field"]] = at
        at += int(row["Size"])
        skipped = many and row["Field"] in ("reserved", "unused")
        code += (f"{count}x" if skipped else f"{count}s" if many and kind == "u8"
                 else f"{many or ''}{_CODES[kind]}")
    return code, offsets
