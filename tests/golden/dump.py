# SPDX-License-Identifier: Apache-2.0
"""Writes the dump of the worked example into docs/FORMAT.md: `python -m tests.golden.dump`.

The text around it names figures of the example and is looked over by hand.
"""

from __future__ import annotations

import re

from edgefm.package.records import HEADER, SECTION_ENTRY, Section
from tests.golden.edit import start, table
from tests.golden.make import GOLDEN
from tests.support.document import FORMAT

WIDTH = 96  # characters of META in a line


def dump(package: bytes) -> str:
    """Sections but META, 16 bytes a line; the first line of each names it."""
    sections = table(package)
    parts = [(0, HEADER.size, "header"),
             (HEADER.size, SECTION_ENTRY.size * len(sections), "section table")]
    parts += sorted((start(package, number), len(data), Section(number).name.lower())
                    for number, (_, data) in sections.items() if number != Section.META and data)
    return "\n".join(line for at, size, name in parts for line in _lines(package, at, size, name))


def _lines(package: bytes, at: int, size: int, name: str) -> list[str]:
    lines = [f"{here:04x}  {package[here:min(here + 16, at + size)].hex(' '):<47}"
             for here in range(at, at + size, 16)]
    return [f"{lines[0]}  {name}", *(line.rstrip() for line in lines[1:])]


def description(package: bytes) -> str:
    """META, broken into lines."""
    text = table(package)[Section.META][1].decode()
    return "\n".join(text[at:at + WIDTH] for at in range(0, len(text), WIDTH))


def main() -> None:
    """Replace both blocks and the file's size."""
    package = (GOLDEN / "good" / "example.efm").read_bytes()
    before, heading, after = FORMAT.read_text(encoding="utf-8").partition("## A worked example")
    after = re.sub(r"example\.efm`, \d+ bytes", f"example.efm`, {len(package)} bytes", after)
    after = re.sub(r"From [0-9a-f]{4} to the end",
                   f"From {start(package, Section.META):04x} to the end", after)
    blocks = iter([dump(package), description(package)])
    after = re.sub(r"```\n.*?\n```", lambda _: f"```\n{next(blocks)}\n```", after, flags=re.DOTALL)
    FORMAT.write_text(before + heading + after, encoding="utf-8")


if __name__ == "__main__":
    main()
