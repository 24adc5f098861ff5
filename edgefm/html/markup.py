# SPDX-License-Identifier: Apache-2.0
"""HTML as nested calls: text is escaped unless it already is markup."""

from __future__ import annotations

import html
import re

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PARTS = re.compile("([/_]+)")
_VOID = frozenset(("meta", "input"))


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | None


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element; `class_` gives `class`, an underscore in a name a hyphen, None leaves it out."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"'
                      for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Children side by side; None is nothing."""
    return Markup("".join(text(child) for child in children if child is not None))


def text(child: str | int) -> Markup:
    """Escaped text; characters that no document may hold become U+FFFD."""
    if isinstance(child, Markup):
        return child
    return Markup(html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(child))))


def breakable(name: str) -> str:
    """A name that may be broken between its parts, and better nowhere else."""
    return _PARTS.sub("\\1\u200b", name)


def size(count: float | None) -> str:
    """Bytes for a person: 812 B, 14.2 KiB, 3.1 MiB."""
    if count is None:
        return "–"
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return f"{count:,.0f} B"


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """A number with thousands separators, a dash for None."""
    return "–" if value is None else f"{value:,.{digits}f}{unit}"
