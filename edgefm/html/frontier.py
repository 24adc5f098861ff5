# SPDX-License-Identifier: Apache-2.0
"""The picture of a frontier: for each size of fast memory, the bytes that move per inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgefm.html.markup import Markup, number, size, tag
from edgefm.html.pictures import LEFT, WIDTH, picture, ticks

HEIGHT, TOP, BOTTOM = 410, 66, 58
LOOKS = """
svg .maps { fill: var(--map); } svg .weights { fill: var(--bar-soft); }
"""


def drawing(network: str, points: Sequence[Mapping[str, int]]) -> Markup:
    """A column per point of `plan --frontier --json`: weights below, maps on top, by memory."""
    most = max(p["moved_bytes"] for p in points) or 1
    wide = (WIDTH - LEFT) / len(points)

    def y(count: float) -> float:
        return round(HEIGHT - BOTTOM - count / most * (HEIGHT - TOP - BOTTOM), 1)

    drawn = [*_key(network), *_axis(most, y(0) - y(1 << 20), y(0))]
    for i, point in enumerate(points):
        left, middle = LEFT + wide * (i + 0.12), round(LEFT + wide * (i + 0.5), 1)
        hint = (f"{size(point['budget'])} of fast memory: {number(point['map_bytes'])} B of maps, "
                f"{number(point['weight_read_bytes'])} B of weights{_counted(point)}")
        weights, all_of_it = y(point["weight_read_bytes"]), y(point["moved_bytes"])
        parts = (("weights", weights, y(0)), ("maps", all_of_it, weights))
        drawn += [tag("rect", tag("title", hint), x=round(left, 1), y=top,
                      width=round(wide * 0.76, 1), height=round(bottom - top, 1), class_=name)
                  for name, top, bottom in parts if bottom > top]
        drawn += [tag("text", f"{point['moved_bytes'] / 1e6:.1f}", x=middle, y=all_of_it - 5,
                      text_anchor="middle"),
                  tag("text", _kib(point["budget"]), x=middle, y=HEIGHT - BOTTOM + 17,
                      text_anchor="middle", class_="soft")]
        if point.get("here"):
            drawn.append(tag("text", "you are here", x=middle, y=all_of_it - 19,
                             text_anchor="middle"))
    drawn.append(tag("text", "fast memory, KiB", x=(LEFT + WIDTH) / 2, y=HEIGHT - 12,
                     text_anchor="middle", class_="soft"))
    return picture(f"Bytes that {network} moves per inference, by fast memory", HEIGHT, drawn)


def _counted(point: Mapping[str, int]) -> str:
    """Instructions, where they are predicted."""
    if "instructions" not in point:
        return ""
    return f", {point['instructions'] / 1e6:.1f} million instructions"


def _key(network: str) -> list[Markup]:
    """What is drawn, and what the colors mean."""
    return [tag("text", f"{network}: MB moved per inference", x=LEFT, y=18),
            tag("rect", x=LEFT, y=28, width=11, height=11, class_="maps"),
            tag("text", "maps through external memory", x=LEFT + 17, y=38, class_="soft"),
            tag("rect", x=LEFT + 220, y=28, width=11, height=11, class_="weights"),
            tag("text", "weights read", x=LEFT + 237, y=38, class_="soft")]


def _axis(most: int, per_mib: float, bottom: float) -> list[Markup]:
    """A line at each round number of MB."""
    drawn = []
    for value in ticks(0, most / 1e6):
        at = round(bottom - value * 1e6 / (1 << 20) * per_mib, 1)
        drawn += [tag("line", x1=LEFT, x2=WIDTH, y1=at, y2=at, class_="grid"),
                  tag("text", f"{value:g}", x=LEFT - 8, y=at + 4, text_anchor="end",
                      class_="soft")]
    return drawn


def _kib(budget: int) -> str:
    return f"{budget / 1024:.0f}" if budget >= 10240 else f"{budget / 1024:.1f}"
