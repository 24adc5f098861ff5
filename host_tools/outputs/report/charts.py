# SPDX-License-Identifier: Apache-2.0
"""Pictures of measured power as inline SVG; nothing is drawn where nothing was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.html.markup import Markup, join, tag
from edgefm.html.pictures import WIDTH, clip, picture
from host_tools.recording.views import Envelope, Gap

HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 240, 74, 8, 22, 34
BUCKETS = WIDTH - LEFT - RIGHT
TICKS = 5
LEAST_BAND = 60  # px that a band must have for its name


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time (s) with a name."""

    start: float
    stop: float
    name: str


def power(drawn: Envelope, unit: str, description: str, bands: Sequence[Band] = (),
          gaps: Sequence[Gap] = ()) -> Markup:
    """Mean as a line, least to greatest as a shade, stages as bands, gaps hatched gray."""
    first, last = float(drawn.edges[0]), float(drawn.edges[-1])
    most = float(np.nanmax(drawn.high)) if np.isfinite(drawn.high).any() else 1.0
    top = _round_up(most or 1.0)
    wide = (WIDTH - LEFT - RIGHT) / max(last - first, 1e-12)
    tall = (HEIGHT - TOP - BOTTOM) / top

    def x(time: float) -> float:
        return round(LEFT + (min(max(time, first), last) - first) * wide, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - max(value, 0.0) * tall, 1)

    nexts = [band.start for band in bands[1:]] + [last]
    parts = [_band(band, i, x, following) for i, (band, following) in
             enumerate(zip(bands, nexts, strict=False))]
    parts += [tag("rect", tag("title", _gap_text(gap)), x=x(gap.start), y=TOP,
                  width=max(0.7, x(gap.end) - x(gap.start)), height=HEIGHT - TOP - BOTTOM,
                  class_="gap") for gap in gaps]
    parts += _axes(first, last, top, unit, x, y)
    middle = (drawn.edges[:-1] + drawn.edges[1:]) / 2
    for piece in _pieces(np.isfinite(drawn.mean)):
        at = [x(t) for t in middle[piece]]
        high = [f"{a},{y(v)}" for a, v in zip(at, drawn.high[piece], strict=True)]
        low = [f"{a},{y(v)}" for a, v in zip(at, drawn.low[piece], strict=True)]
        mean = [f"{a},{y(v)}" for a, v in zip(at, drawn.mean[piece], strict=True)]
        parts.append(tag("polygon", points=" ".join([*high, *low[::-1]]), class_="shade"))
        parts.append(tag("polyline", points=" ".join(mean), class_="mean"))
    return picture(description, HEIGHT, parts)


def _band(band: Band, number: int, x: object, following: float) -> Markup:
    """A stretch, and its name as far as the one that follows leaves room."""
    assert callable(x)
    left, right = x(band.start), x(band.stop)
    room = min(right, x(following)) - left
    name = clip(band.name, room - 4) if room >= LEAST_BAND else None
    return join(
        tag("rect", tag("title", f"{band.name}: {_seconds(band.stop - band.start)}"), x=left,
            y=TOP, width=max(0.3, round(right - left, 1)), height=HEIGHT - TOP - BOTTOM,
            class_=f"band band{number % 2}"),
        tag("text", name, x=left + 2, y=TOP - 7, class_="soft") if name else None)


def _axes(first: float, last: float, top: float, unit: str, x: object, y: object) -> list[Markup]:
    assert callable(x) and callable(y)
    scale, prefix = _prefix(top)
    drawn = []
    for i in range(TICKS + 1):
        value = top * i / TICKS
        drawn += [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(value), y2=y(value), class_="grid"),
                  tag("text", f"{value / scale:.3g} {prefix}{unit}", x=LEFT - 8, y=y(value) + 4,
                      text_anchor="end", class_="soft")]
    span = last - first
    for i in range(TICKS + 1):
        time = first + span * i / TICKS
        anchor = "start" if i == 0 else "end" if i == TICKS else "middle"
        drawn.append(tag("text", _seconds(time - first if span < 1 else time), x=x(time),
                         y=HEIGHT - BOTTOM + 18, text_anchor=anchor, class_="soft"))
    return drawn


def _pieces(there: np.ndarray) -> list[slice]:
    """Stretches of buckets in which something was measured."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _gap_text(gap: Gap) -> str:
    lost = "an unknown number of" if gap.lost < 0 else f"{gap.lost:,}"
    return f"{lost} samples {gap.why}, {_seconds(gap.end - gap.start)}"


def _seconds(value: float) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.3g} s"


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power_of_ten = 10.0 ** np.floor(np.log10(value))
    steps = (1.0, 2.0, 2.5, 5.0, 10.0)
    return float(next(s * power_of_ten for s in steps if s * power_of_ten >= value * 0.9999))


def _prefix(value: float) -> tuple[float, str]:
    return next(((s, p) for s, p in ((1.0, ""), (1e-3, "m"), (1e-6, "µ")) if value >= s),
                (1e-9, "n"))
