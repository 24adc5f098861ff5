# SPDX-License-Identifier: Apache-2.0
"""A curve as a Markdown table, a chart and a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgefm.evaluate.sweep import Curve, MeasuredPoint
from edgefm.html.document import document
from edgefm.html.markup import Markup, number, size, tag
from edgefm.html.pictures import picture, svg_file, ticks

WIDTH, HEIGHT = 960, 330
LEFT, RIGHT, TOP, BOTTOM = 74, 24, 34, 46
WORDS = {"top1": "top-1", "map50": "mAP@0.5", "miou": "mIoU"}
_MORE = """
svg .axis { stroke: var(--soft); } svg .curve { fill: none; stroke: var(--bar); stroke-width: 2; }
svg .error { stroke: var(--bar); } svg .point { fill: var(--bar); }
svg .lossless { fill: var(--map); stroke: var(--map-line); }
"""


def header(curve: Curve) -> tuple[str, ...]:
    """The table's columns."""
    figure = WORDS[curve.figure]
    return ("maps", "bytes", "of raw %", "bits per value", f"{figure} %", "difference, points",
            "changed %", "KL, nats", "points per nat")


def rows(curve: Curve) -> list[tuple[object, ...]]:
    """The table's rows, values as numbers where they are numbers alone."""
    raw = curve.points[0].bytes
    return [(p.point.name, p.bytes, 100 * p.bytes / raw if raw else None, p.result.bits_per_value,
             p.result[curve.figure], _pair(p.result["difference"], p.result["difference_error"],
                                           "+.2f"),
             p.result["changed"], _pair(p.result.kl, p.result.kl_error, ".5f"), _slope(p))
            for p in curve.points]


def markdown(curve: Curve) -> str:
    """The table as Markdown."""
    lines = [header(curve), tuple("---" if i in (0, 5, 7, 8) else "---:" for i in range(9)),
             *(tuple(_cell(value) for value in row) for row in rows(curve))]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _pair(value: float | None, error: float | None, form: str) -> str:
    if value is None:
        return "-"
    return f"{value:{form}}" if error is None else f"{value:{form}} ± {error:{form.lstrip('+')}}"


def _slope(one: MeasuredPoint) -> str:
    """Points lost per nat with the points' error; nothing where nothing was lost."""
    lost, error, kl = one.result["difference"], one.result["difference_error"], one.result.kl
    if not kl or lost is None:
        return "-"
    return _pair(-lost / kl, None if error is None else error / kl, ".0f")


def page(curve: Curve) -> str:
    """One self-contained HTML page."""
    titles = tag("tr", *(tag("th", name, class_=None if i == 0 else "n", scope="col")
                         for i, name in enumerate(header(curve))))
    lines = [tag("tr", *(tag("td", _cell(value), class_="name" if i == 0 else "n")
                         for i, value in enumerate(row))) for row in rows(curve)]
    result = curve.points[0].result
    seen = f", each in {result.views} views" if result.views > 1 else ""
    title = f"{curve.network}: rate and accuracy"
    note = tag("p", f"{result.n} files{seen}. Bytes of feature maps cross external memory per "
                    "inference, written and read. Differences are from the network with "
                    "uncompressed maps; bars are one standard error.", class_="note")
    table = tag("table", tag("thead", titles), tag("tbody", *lines))
    return document(title, tag("h1", title), note, drawing(curve),
                    tag("div", table, class_="wide"), looks=_MORE)


def svg(curve: Curve) -> str:
    """The chart as a separate file."""
    return svg_file(drawing(curve), _MORE)


@dataclass(frozen=True, slots=True)
class _Panel:
    """One diagram: what its y axis shows, and where it begins in the picture."""

    title: str
    top: int
    value: Callable[[MeasuredPoint], float | None]
    error: Callable[[MeasuredPoint], float | None]
    unit: str
    names: int  # pixels from a point down to its name, where the curve is not


def drawing(curve: Curve) -> Markup:
    """Points lost and KL over bytes, one above the other."""
    word = WORDS[curve.figure]
    panels = (_Panel(f"{word} minus that of uncompressed maps, points", 0,
                     lambda p: p.result["difference"],
                     lambda p: p.result["difference_error"], "+.2g", 17),
              _Panel("KL from the network with uncompressed maps, nats", HEIGHT,
                     lambda p: p.result.kl, lambda p: p.result.kl_error, ".3g", -8))
    shown = [p for p in curve.points if p.point.name != "raw" and p.bytes]
    most = max((p.bytes for p in curve.points), default=0) or 1
    drawn = [part for panel in panels for part in _panel(panel, shown, most)]
    return picture(f"Accuracy of {curve.network} over the bytes of its maps", 2 * HEIGHT, drawn)


def _panel(panel: _Panel, shown: Sequence[MeasuredPoint], most: int) -> list[Markup]:
    known = [(p, v, panel.error(p) or 0.0) for p in shown if (v := panel.value(p)) is not None]
    low = min([0.0, *(v - e for _, v, e in known)])
    high = max([0.0, *(v + e for _, v, e in known)])
    room = (high - low) * 0.06 or 1.0
    low, high = low - (room if low < 0 else 0), high + room

    def x(count: float) -> float:
        return round(LEFT + count / most * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        height = HEIGHT - TOP - BOTTOM
        return round(panel.top + TOP + (high - value) / (high - low) * height, 1)

    drawn = [tag("text", panel.title, x=LEFT, y=panel.top + 18),
             *_grid(panel, (low, high), most, x, y)]
    ordered = sorted(known, key=lambda one: one[0].bytes)
    line = " ".join(f"{x(p.bytes)},{y(v)}" for p, v, _ in ordered)
    drawn.append(tag("polyline", points=line, class_="curve"))
    for one, value, error in ordered:
        drawn += _mark(one, (x(one.bytes), y(value)), (y(value - error), y(value + error)),
                       panel.names)
    return drawn


def _grid(panel: _Panel, ends: tuple[float, float], most: int, x: Callable[[float], float],
          y: Callable[[float], float]) -> list[Markup]:
    """Round values with a line each, sizes below."""
    drawn = []
    for value in ticks(*ends):
        zero = abs(value) < 1e-12
        drawn.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(value), y2=y(value),
                         class_="axis" if zero else "grid"))
        drawn.append(tag("text", "0" if zero else f"{value:{panel.unit}}", x=LEFT - 8,
                         y=y(value) + 4, text_anchor="end", class_="soft"))
    bottom = panel.top + HEIGHT - BOTTOM
    unit = 1 << 20 if most >= 4 << 20 else 1 << 10 if most >= 4 << 10 else 1
    for value in ticks(0, most / unit):
        drawn.append(tag("text", size(value * unit) if value else "0", x=x(value * unit),
                         y=bottom + 18, text_anchor="middle", class_="soft"))
    drawn.append(tag("text", "bytes of maps per inference, uncompressed at the right edge",
                     x=(LEFT + WIDTH - RIGHT) / 2, y=bottom + 36, text_anchor="middle",
                     class_="soft"))
    return drawn


def _mark(one: MeasuredPoint, at: tuple[float, float], bar: tuple[float, float], names: int
          ) -> list[Markup]:
    """A point with its error; hovering tells all about it."""
    hint = (f"{one.point.name}: {number(one.bytes)} B, difference "
            f"{_pair(one.result['difference'], one.result['difference_error'], '+.2f')}, KL "
            f"{_pair(one.result.kl, one.result.kl_error, '.5f')}")
    lossless = one.point.kl_budget is None
    return [tag("line", x1=at[0], x2=at[0], y1=bar[0], y2=bar[1], class_="error"),
            tag("circle", tag("title", hint), cx=at[0], cy=at[1], r=5,
                class_="lossless" if lossless else "point"),
            tag("text", one.point.name.removesuffix(" nats"), x=at[0] + 8,
                y=round(at[1] + (-24 if lossless else names), 1))]
