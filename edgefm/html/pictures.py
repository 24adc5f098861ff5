# SPDX-License-Identifier: Apache-2.0
"""What pictures as SVG share: their size, ticks, clipped names, and a file of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgefm.html.markup import Markup, tag
from edgefm.html.style import SVG_STYLE

WIDTH = 960
LETTER_WIDTH = 7.2  # of 12 px sans-serif, on average, in a wide face
LEFT = 74


def clip(name: str, width: float) -> str:
    """A name that fits into `width` pixels; its end, which tells layers apart, is what stays."""
    room = max(2, int(width / LETTER_WIDTH))
    return name if len(name) <= room else "…" + name[1 - room:]


def picture(description: str, height: int, drawn: Sequence[Markup]) -> Markup:
    """An SVG of the common width that says in words what it shows."""
    svg = tag("svg", tag("title", description), *drawn, viewBox=f"0 0 {WIDTH} {height}",
              width=WIDTH, height=height, role="img", class_="picture")
    return tag("div", svg, class_="wide")


def svg_file(drawn: Markup, looks: str = "") -> str:
    """A picture of this module as a file of its own; `looks` are more styles."""
    start, end = drawn.index("<svg"), drawn.rindex("</svg>") + len("</svg>")
    bare = drawn[start:end].replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    style = tag("style", Markup(SVG_STYLE + looks + "svg { background: var(--paper); }"))
    at = bare.index(">") + 1
    return f'<?xml version="1.0" encoding="utf-8"?>\n{bare[:at]}{style}{bare[at:]}\n'


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two numbers, about `about` of them."""
    span = max(high - low, 1e-12) / about
    power = 10.0 ** int(f"{span:e}".split("e")[1])
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= span * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * k for k in range(first, last + 1)]
