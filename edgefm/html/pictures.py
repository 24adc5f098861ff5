# SPDX-License-Identifier: Apache-2.0
"""The report's pictures as inline SVG: bars, and fast memory over the stages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgefm.html.markup import Markup, number, short, size, tag
from edgefm.html.style import STYLE

WIDTH = 960
LABEL_WIDTH, WIDEST_LABEL, CAPTION_WIDTH = 150, 300, 150
ROW_HEIGHT = 26
LETTER_WIDTH = 7.2  # of 12 px sans-serif, on average, in a wide face
MEMORY_HEIGHT = 420
LEAST_HEIGHT, LEAST_WIDTH = 13, 72  # of a buffer that is named
LEFT, TOP, BOTTOM = 74, 12, 40
TICKS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its length in the picture's unit, what stands at its end."""

    name: str
    value: float
    caption: str
    soft: bool = False


def bars(rows: Sequence[Bar], description: str) -> Markup:
    """Horizontal bars from zero; the longest fills the width."""
    longest = max((row.value for row in rows), default=0) or 1
    letters = max((len(row.name) for row in rows), default=0)
    label = round(min(WIDEST_LABEL, max(LABEL_WIDTH, LETTER_WIDTH * letters + 10)))
    room = WIDTH - label - CAPTION_WIDTH
    drawn = []
    for i, row in enumerate(rows):
        middle, length = ROW_HEIGHT * i + 17, room * row.value / longest
        drawn += [
            tag("text", clip(row.name, label - 10), x=label - 10, y=middle, text_anchor="end"),
            tag("rect", x=label, y=ROW_HEIGHT * i + 4, width=max(1, round(length, 1)),
                height=ROW_HEIGHT - 8, class_="bar soft" if row.soft else "bar"),
            tag("text", row.caption, x=round(label + length + 8, 1), y=middle, class_="soft")]
    return picture(description, ROW_HEIGHT * len(rows), drawn)


def memory(stages: Sequence[Mapping[str, Any]], fast_bytes: int) -> Markup:
    """Fast memory: stages from left to right, addresses upwards, one rectangle per buffer."""
    buffers = {(b["first_stage"], b["offset"], b["name"]): b
               for stage in stages for b in stage.get("buffers", ())}
    column = (WIDTH - LEFT - 2) / max(1, len(stages))
    scale = (MEMORY_HEIGHT - TOP - BOTTOM) / max(1, fast_bytes)
    drawn = [*_address_axis(fast_bytes, scale), *_stage_axis(len(stages), column)]
    ordered = [buffer for _, buffer in sorted(buffers.items())]
    drawn += [_buffer(buffer, column, scale) for buffer in ordered]
    drawn += _buffer_names(ordered, column, scale)
    return picture("Buffers in fast memory over the stages", MEMORY_HEIGHT, drawn)


def memory_key() -> Markup:
    """What the colors of memory() mean."""
    return tag("p", tag("span", class_="key ring"), "rows of one stage",
               tag("span", class_="key map"), "held from stage to stage", class_="note")


def _address_axis(fast_bytes: int, scale: float) -> list[Markup]:
    """Lines and sizes at round addresses, and the dashed upper edge of the arena."""
    step = _round_step(fast_bytes / TICKS)
    drawn = []
    for address in range(0, fast_bytes + 1, step):
        y = _height(address, scale)
        drawn.append(tag("line", x1=LEFT, x2=WIDTH, y1=y, y2=y, class_="grid"))
        if fast_bytes - address > step / 3:
            drawn.append(tag("text", size(address) if address else "0", x=LEFT - 8, y=y + 4,
                             text_anchor="end", class_="soft"))
    top = _height(fast_bytes, scale)
    return [*drawn, tag("line", x1=LEFT, x2=WIDTH, y1=top, y2=top, class_="edge"),
            tag("text", size(fast_bytes), x=LEFT - 8, y=top + 4, text_anchor="end")]


def _round_step(least: float) -> int:
    """The smallest power of two that is at least `least`."""
    step = 1
    while step < least:
        step *= 2
    return step


def _stage_axis(count: int, column: float) -> list[Markup]:
    """Stage numbers under the columns, as many as there is room for."""
    every = max(1, round(30 / column))
    bottom = MEMORY_HEIGHT - BOTTOM
    numbers = [tag("text", i, x=round(LEFT + column * (i + 0.5), 1), y=bottom + 17,
                   text_anchor="middle", class_="soft") for i in range(0, count, every)]
    return [*numbers, tag("text", "stage", x=(LEFT + WIDTH) / 2, y=bottom + 34,
                          text_anchor="middle", class_="soft")]


def _buffer(buffer: Mapping[str, Any], column: float, scale: float) -> Markup:
    """One buffer; hovering tells its name, size and place."""
    first, last = buffer["first_stage"], buffer["last_stage"]
    stays = f"stage {first}" if first == last else f"stages {first} to {last}"
    hint = f"{buffer['name']}: {number(buffer['bytes'])} B at {number(buffer['offset'])}, {stays}"
    return tag("rect", tag("title", hint), x=round(LEFT + column * first + 1, 1),
               y=_height(buffer["offset"] + buffer["bytes"], scale),
               width=max(0.5, round(column * (last - first + 1) - 2, 1)),
               height=max(0.5, round(buffer["bytes"] * scale, 1)),
               class_="ring" if first == last else "map")


def _buffer_names(buffers: Sequence[Mapping[str, Any]], column: float, scale: float
                  ) -> list[Markup]:
    """The end of each buffer's name, in its first stage, where there is room for it."""
    taken: list[tuple[int, float]] = []
    drawn = []
    for buffer in sorted(buffers, key=lambda b: -int(b["bytes"])):
        stage = buffer["first_stage"]
        width = column * (buffer["last_stage"] - stage + 1)
        middle = _height(buffer["offset"] + buffer["bytes"] / 2, scale)
        covered = any(stage == s and abs(middle - y) < LEAST_HEIGHT for s, y in taken)
        if covered or buffer["bytes"] * scale < LEAST_HEIGHT or width < LEAST_WIDTH:
            continue
        taken.append((stage, middle))
        drawn.append(tag("text", clip(short(str(buffer["name"])), width - 10),
                         x=round(LEFT + column * stage + 5, 1), y=round(middle + 4, 1),
                         pointer_events="none"))
    return drawn


def _height(address: float, scale: float) -> float:
    """The picture's y of an address."""
    return round(MEMORY_HEIGHT - BOTTOM - address * scale, 1)


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
    """A picture of this module as a file of its own; `looks` are styles besides the report's."""
    start, end = drawn.index("<svg"), drawn.rindex("</svg>") + len("</svg>")
    bare = drawn[start:end].replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    style = tag("style", Markup(STYLE + looks + "svg { background: var(--paper); }"))
    at = bare.index(">") + 1
    return f'<?xml version="1.0" encoding="utf-8"?>\n{bare[:at]}{style}{bare[at:]}\n'


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two numbers, about `about` of them."""
    span = max(high - low, 1e-12) / about
    power = 10.0 ** int(f"{span:e}".split("e")[1])
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= span * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * k for k in range(first, last + 1)]
