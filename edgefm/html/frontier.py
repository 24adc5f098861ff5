# SPDX-License-Identifier: Apache-2.0
"""The picture of a frontier: for each size of fast memory, the bytes that move per inference and,
where the target's instructions are known, the instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edgefm.html.markup import Markup, number, size, tag
from edgefm.html.pictures import LEFT, WIDTH, picture, ticks

TOP, BOTTOM = 66, 58  # pixels above the first panel and below the last one
BYTES_TALL, COUNTS_TALL, BETWEEN = 286, 150, 80
LOOKS = """
svg .maps { fill: var(--map); } svg .weights { fill: var(--bar-soft); }
svg .counts { fill: var(--bar); } svg .peer { fill: var(--bar-line); }
"""
Point = Mapping[str, int]


class Peer(NamedTuple):
    """What another runtime takes for the same network, on the same processor."""

    name: str
    memory: int  # bytes
    instructions: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart with columns; `most` is the value at its top."""

    top: int
    tall: int
    most: float
    columns: int

    def y(self, value: float) -> float:
        """Where a value is."""
        return round(self.top + self.tall - value / self.most * self.tall, 1)

    def middle(self, at: int) -> float:
        """Where a column is."""
        return round(LEFT + (WIDTH - LEFT) / self.columns * (at + 0.5), 1)

    def column(self, at: int, low: float, high: float, look: str, hint: str) -> list[Markup]:
        """A rectangle from one value to another; nothing between equal ones."""
        wide = (WIDTH - LEFT) / self.columns
        y, tall = self.y(high), round(self.y(low) - self.y(high), 1)
        return [tag("rect", tag("title", hint), x=round(LEFT + wide * (at + 0.12), 1), y=y,
                    width=round(wide * 0.76, 1), height=tall, class_=look)] if tall > 0 else []

    def label(self, at: int, value: float, text: str) -> Markup:
        """A text above a column."""
        return tag("text", text, x=self.middle(at), y=self.y(value) - 5, text_anchor="middle")

    def axis(self, unit: float) -> list[Markup]:
        """A line at each round number of `unit`."""
        drawn = []
        for value in ticks(0, self.most / unit, max(2, self.tall // 40)):
            at = self.y(value * unit)
            drawn += [tag("line", x1=LEFT, x2=WIDTH, y1=at, y2=at, class_="grid"),
                      tag("text", f"{value:g}", x=LEFT - 8, y=at + 4, text_anchor="end",
                          class_="soft")]
        return drawn


def drawing(network: str, points: Sequence[Point], peers: Sequence[Peer] = ()) -> Markup:
    """A column per point of `plan --frontier --json`: weights below, maps on top, by memory; below
    them instructions, where all points have them, with a column per peer beside."""
    counted = all("instructions" in point for point in points)
    columns = len(points) + len(peers) * counted
    moved = Panel(TOP, BYTES_TALL, max(p["moved_bytes"] for p in points) or 1, columns)
    drawn = [*_key(18, f"{network}: MB moved per inference",
                   [("maps", "maps through external memory"), ("weights", "weights read")]),
             *moved.axis(1e6), *_bytes(moved, points)]
    bottom, memory = TOP + BYTES_TALL, [point["budget"] for point in points]
    if counted:
        taken = [point["instructions"] for point in points] + [one.instructions for one in peers]
        top = bottom + BETWEEN
        counts = Panel(top, COUNTS_TALL, max(taken) or 1, columns)
        drawn += [*_key(top - 50, "million instructions per inference",
                        [("counts", "edgefm, predicted"),
                         *(("peer", one.name) for one in peers)]),
                  *counts.axis(1e6), *_instructions(counts, points, peers)]
        bottom, memory = top + COUNTS_TALL, memory + [one.memory for one in peers]
    drawn += [tag("text", _kib(kept), x=moved.middle(at), y=bottom + 17, text_anchor="middle",
                  class_="soft") for at, kept in enumerate(memory)]
    drawn.append(tag("text", "fast memory, KiB", x=(LEFT + WIDTH) / 2, y=bottom + 46,
                     text_anchor="middle", class_="soft"))
    return picture(f"Bytes that {network} moves per inference, by fast memory", bottom + BOTTOM,
                   drawn)


def _bytes(panel: Panel, points: Sequence[Point]) -> list[Markup]:
    """Columns of bytes, each with its sum."""
    drawn = []
    for at, point in enumerate(points):
        weights, both = point["weight_read_bytes"], point["moved_bytes"]
        hint = (f"{size(point['budget'])} of fast memory: {number(point['map_bytes'])} B of maps, "
                f"{number(weights)} B of weights{_counted(point)}")
        drawn += [*panel.column(at, 0, weights, "weights", hint),
                  *panel.column(at, weights, both, "maps", hint),
                  panel.label(at, both, f"{both / 1e6:.1f}")]
        if point.get("here"):
            drawn.append(tag("text", "you are here", x=panel.middle(at), y=panel.y(both) - 19,
                             text_anchor="middle"))
    return drawn


def _instructions(panel: Panel, points: Sequence[Point], peers: Sequence[Peer]) -> list[Markup]:
    """Columns of instructions, ours and then the peers'."""
    taken = [(point["budget"], point["instructions"], "counts", "") for point in points]
    taken += [(one.memory, one.instructions, "peer", f"{one.name}, ") for one in peers]
    drawn = []
    for at, (memory, instructions, look, name) in enumerate(taken):
        hint = f"{name}{size(memory)} of fast memory: {number(instructions)} instructions"
        drawn += [*panel.column(at, 0, instructions, look, hint),
                  panel.label(at, instructions, _millions(instructions))]
    return drawn


def _counted(point: Point) -> str:
    """Instructions, where they are predicted."""
    if "instructions" not in point:
        return ""
    return f", {point['instructions'] / 1e6:.1f} million instructions"


def _key(y: int, title: str, meaning: Sequence[tuple[str, str]]) -> list[Markup]:
    """What a panel shows, and what its colors mean."""
    drawn, x = [tag("text", title, x=LEFT, y=y)], LEFT
    for look, words in meaning:
        drawn += [tag("rect", x=x, y=y + 10, width=11, height=11, class_=look),
                  tag("text", words, x=x + 17, y=y + 20, class_="soft")]
        x += 52 + 6 * len(words)
    return drawn


def _millions(count: int) -> str:
    return f"{count / 1e6:.{0 if count >= 1e8 else 1}f}"


def _kib(budget: int) -> str:
    return f"{budget / 1024:.0f}" if budget >= 10240 else f"{budget / 1024:.1f}"
