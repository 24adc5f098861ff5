# SPDX-License-Identifier: Apache-2.0
"""Fast memory over time: stages from left to right, addresses upwards, a rectangle per buffer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgefm.console.names import distinct
from edgefm.html.bars import key
from edgefm.html.markup import Markup, breakable, join, number, size, tag
from edgefm.html.tables import folded, table

HEIGHT = 352          # pixels of the plot, as in style.py
LETTER_WIDTH = 7.4    # of 12 px sans-serif, on average, in a wide face
LEAST_HEIGHT = 15     # of a buffer that is named
NUMBER_WIDTH = 24     # of a stage's number
WIDTHS = (250, 500, 800)  # of plots at which style.py shows more labels
TICKS = 6

Buffer = Mapping[str, Any]
Stages = Sequence[Mapping[str, Any]]


def memory(stages: Stages, fast_bytes: int) -> Markup:
    """The picture, the meaning of its colors, and the same as a table."""
    found = _buffers(stages)
    told = distinct(str(buffer["name"]) for buffer in found)
    return join(key(("ring", "rows of one stage"), ("map", "whole map, held for later stages")),
                _picture(found, told, len(stages), max(1, fast_bytes)),
                tag("p", "Point at a buffer to read its name and size.", class_="note pointed"),
                _table(found, told))


def _buffers(stages: Stages) -> list[Buffer]:
    """Each buffer once, by stage and address."""
    found = {(b["first_stage"], b["offset"], b["name"]): b
             for stage in stages for b in stage.get("buffers", ())}
    return [buffer for _, buffer in sorted(found.items())]


def _picture(buffers: Sequence[Buffer], told: Mapping[str, str], stages: int, fast_bytes: int
             ) -> Markup:
    drawn = [*_lines(fast_bytes),
             *(_buffer(one, told, stages, fast_bytes) for one in buffers),
             *map(_label, _labels(buffers, told, stages, fast_bytes))]
    return tag("div", tag("div", *_addresses(fast_bytes), class_="ys", aria_hidden="true"),
               tag("div", *drawn, class_="plot", role="img",
                   aria_label="Buffers in fast memory over the stages; the table has the same"),
               tag("div", *_numbers(stages), class_="xs", aria_hidden="true"),
               tag("span", "stage", class_="xname", aria_hidden="true"), class_="arena")


def _step(fast_bytes: int) -> int:
    """The smallest power of two of which TICKS fill the memory."""
    step = 1
    while step * TICKS < fast_bytes:
        step *= 2
    return step


def _lines(fast_bytes: int) -> Iterable[Markup]:
    for address in range(0, fast_bytes, _step(fast_bytes)):
        yield tag("u", style=f"bottom:{_percent(address, fast_bytes)}")
    yield tag("u", style="bottom:100%", class_="edge")


def _addresses(fast_bytes: int) -> Iterable[Markup]:
    step = _step(fast_bytes)
    for address in range(0, fast_bytes, step):
        if fast_bytes - address > step / 2:
            yield tag("span", size(address) if address else "0",
                      style=f"bottom:{_percent(address, fast_bytes)}")
    yield tag("span", size(fast_bytes), style="bottom:100%")


def _numbers(stages: int) -> Iterable[Markup]:
    """Stage numbers; a narrow plot shows every second, fourth, ..."""
    everies = [_every(stages, width) for width in WIDTHS]
    for stage in range(stages):
        shown = [width for width, every in zip(WIDTHS, everies, strict=True) if stage % every == 0]
        if shown:
            yield tag("span", stage, class_=_from(shown[0]),
                      style=f"left:{_percent(stage + 0.5, stages)}")


def _every(stages: int, width: int) -> int:
    every = 1
    while stages * NUMBER_WIDTH > every * width:
        every *= 2
    return every


def _from(width: int) -> str | None:
    """The class of what is shown from a plot's width on."""
    return None if width == WIDTHS[0] else f"from{width}"


def _buffer(buffer: Buffer, told: Mapping[str, str], stages: int, fast_bytes: int) -> Markup:
    first, last = buffer["first_stage"], buffer["last_stage"]
    return tag("i", class_="ring" if first == last else "map", title=_hint(buffer, told),
               style=f"left:{_percent(first, stages)};width:{_percent(last - first + 1, stages)};"
                     f"bottom:{_percent(buffer['offset'], fast_bytes)};"
                     f"height:{_percent(buffer['bytes'], fast_bytes)}")


def _hint(buffer: Buffer, told: Mapping[str, str]) -> str:
    return (f"{told[str(buffer['name'])]}: {number(buffer['bytes'])} B at "
            f"{number(buffer['offset'])}, {_stay(buffer)}")


def _stay(buffer: Buffer) -> str:
    first, last = buffer["first_stage"], buffer["last_stage"]
    return f"stage {first}" if first == last else f"stages {first} to {last}"


@dataclass(frozen=True, slots=True)
class _Label:
    """A buffer's name on the picture, from a width of the plot (pixels) on: its left edge as a
    share of that width, its middle in pixels from below."""

    name: str
    left: float
    middle: float
    width: int

    @property
    def letters(self) -> float:
        return LETTER_WIDTH * len(self.name) + 8

    def hides(self, other: _Label) -> bool:
        """True when both would be in the same place on some plot that shows both."""
        width = max(self.width, other.width)
        first, second = sorted((self, other), key=lambda one: one.left)
        return (abs(self.middle - other.middle) < LEAST_HEIGHT
                and first.left * width + first.letters > second.left * width)


def _labels(buffers: Sequence[Buffer], told: Mapping[str, str], stages: int, fast_bytes: int
            ) -> list[_Label]:
    """Names of buffers with room for them, largest first, each where it hides no other."""
    taken: list[_Label] = []
    for buffer in sorted(buffers, key=lambda one: -int(one["bytes"])):
        fitting = (label for label in _places(buffer, told, stages, fast_bytes)
                   if not any(label.hides(other) for other in taken))
        taken += [label for label in [next(fitting, None)] if label]
    return taken


def _places(buffer: Buffer, told: Mapping[str, str], stages: int, fast_bytes: int
            ) -> Iterator[_Label]:
    """Where a buffer's name may be: in its middle, at its upper and at its lower edge."""
    name, first = told[str(buffer["name"])], int(buffer["first_stage"])
    share = (buffer["last_stage"] - first + 1) / max(stages, 1)
    scale = HEIGHT / fast_bytes
    low, high = buffer["offset"] * scale, (buffer["offset"] + buffer["bytes"]) * scale
    wide = [width for width in WIDTHS if width * share >= LETTER_WIDTH * len(name) + 8]
    if wide and high - low >= LEAST_HEIGHT:
        edge = LEAST_HEIGHT / 2
        for middle in ((low + high) / 2, high - edge, low + edge):
            yield _Label(name, first / max(stages, 1), middle, wide[0])


def _label(label: _Label) -> Markup:
    return tag("b", label.name, class_=_from(label.width),
               style=f"left:{100 * label.left:.3f}%;bottom:{label.middle:.1f}px")


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / max(whole, 1):.3f}%"


def _table(buffers: Sequence[Buffer], told: Mapping[str, str]) -> Markup:
    rows = [(breakable(told[str(b["name"])]), "row ring" if b["first_stage"] == b["last_stage"]
             else "whole map", _stay(b).partition(" ")[2], int(b["offset"]), int(b["bytes"]))
            for b in buffers]
    return folded(f"Buffers as a table ({len(rows)})", table(
        ("buffer", "holds", "stages", "address", "bytes"), rows))
