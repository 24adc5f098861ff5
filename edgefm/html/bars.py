# SPDX-License-Identifier: Apache-2.0
"""Horizontal bars that keep their letters' size on any screen: names, stacked parts, captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgefm.html.markup import Markup, breakable, join, tag


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: what it shows (a class of style.py), how much, what hovering tells."""

    kind: str
    value: float
    hint: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its parts from the left, what stands at its end, whether it is marked."""

    name: str
    parts: tuple[Part, ...]
    caption: str
    here: bool = False


def plain(name: str, value: float, caption: str, soft: bool = False) -> Bar:
    """A bar of one part; `soft` ones are what others are compared with."""
    return Bar(name, (Part("other" if soft else "plain", value, f"{name}: {caption}"),), caption)


def bars(rows: Sequence[Bar], description: str) -> Markup:
    """Bars from zero; the longest fills the width."""
    longest = max((sum(part.value for part in row.parts) for row in rows), default=0) or 1
    return tag("ul", *(_row(row, longest) for row in rows), class_="bars", aria_label=description)


def key(*kinds: tuple[str, str]) -> Markup:
    """The meaning of each kind's color."""
    return tag("p", join(*(tag("span", tag("i", class_=f"swatch {kind}"), words)
                           for kind, words in kinds)), class_="key")


def _row(row: Bar, longest: float) -> Markup:
    parts = [tag("i", class_=part.kind, title=part.hint,
                 style=f"width:{100 * part.value / longest:.2f}%")
             for part in row.parts if part.value > 0]
    return tag("li", tag("span", breakable(row.name), class_="what"),
               tag("span", *parts, class_="track"), tag("span", row.caption, class_="said"),
               class_="here" if row.here else None)
