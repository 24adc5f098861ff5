# SPDX-License-Identifier: Apache-2.0
"""The drawings of docs/concepts, written to docs/pictures: `python -m tools.docsite.drawings`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from edgefm.html.markup import Markup, tag
from edgefm.html.pictures import WIDTH, picture, svg_file

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
LOOKS = """
svg text { font-size: 20px; } svg .box { fill: var(--tint); stroke: var(--soft); }
svg .ring { fill: var(--ring); stroke: var(--ring-line); }
svg .map { fill: var(--map); stroke: var(--map-line); }
svg .arrow { stroke: var(--ink); stroke-width: 2; fill: none; }
svg .head { fill: var(--ink); } svg .empty { fill: none; stroke: var(--line); }
"""


def box(x: float, y: float, width: float, height: float, kind: str, name: str = "") -> Markup:
    """A rectangle with a name in its middle."""
    words = tag("text", name, x=x + width / 2, y=y + height / 2 + 7, text_anchor="middle")
    return Markup(tag("rect", x=x, y=y, width=width, height=height, class_=kind)
                  + (words if name else ""))


def arrow(x: float, y: float, length: float, down: bool = False) -> Markup:
    """An arrow to the right, or down."""
    ends = (x, y + length) if down else (x + length, y)
    head = f"{ends[0] - 7},{ends[1] - 10} {ends[0] + 7},{ends[1] - 10}" if down else \
        f"{ends[0] - 10},{ends[1] - 7} {ends[0] - 10},{ends[1] + 7}"
    return Markup(tag("line", x1=x, y1=y, x2=ends[0], y2=ends[1], class_="arrow")
                  + tag("polygon", points=f"{ends[0]},{ends[1]} {head}", class_="head"))


def words(x: float, y: float, text: str, anchor: str = "middle", soft: bool = False) -> Markup:
    """A line of text."""
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_="soft" if soft else None)


def rows() -> Markup:
    """Three rows of the input are needed for one row of the output."""
    drawn = [box(90, 50 + 34 * y, 300, 30, "ring" if 2 <= y <= 4 else "empty",
                 f"row {y}") for y in range(7)]
    drawn += [box(590, 50 + 34 * y, 280, 30, "map" if y == 3 else "empty", f"row {y}")
              for y in range(7)]
    drawn += [words(240, 34, "input"), words(730, 34, "output"), arrow(400, 167, 180),
              words(490, 150, "3x3 convolution")]
    return picture("A convolution needs input rows 2 to 4 for output row 3", 300, drawn)


def stages() -> Markup:
    """Whole maps at the ends of a stage, rings between its operators."""
    drawn = [box(20, 60, 110, 190, "map", "map"), box(830, 60, 110, 190, "map", "map"),
             words(75, 280, "all rows"), words(885, 280, "all rows")]
    for at, name in enumerate(("CONV", "DW", "CONV", "ADD")):
        x = 165 + 172 * at
        drawn += [arrow(x - 32, 155, 30), box(x, 125, 82, 60, "box", name)]
        if at < 3:
            drawn += [arrow(x + 84, 155, 24)]
            drawn += [box(x + 110, 125 + 21 * k, 28, 19, "ring") for k in range(3)]
    drawn += [arrow(765, 155, 60), words(480, 40, "one stage"),
              words(480, 280, "rings: a few rows each", soft=True)]
    return picture("A stage of four operators with rings between them", 300, drawn)


def ring() -> Markup:
    """Rows 4, 5 and 6 in three slots."""
    drawn = [box(60 + 120 * y, 50, 110, 44, "ring" if 4 <= y <= 6 else "empty", f"row {y}")
             for y in range(7)]
    for slot, row in enumerate((6, 4, 5)):
        drawn += [box(250 + 160 * slot, 190, 150, 50, "ring", f"row {row}"),
                  words(325 + 160 * slot, 270, f"slot {slot}", soft=True)]
    drawn += [words(480, 32, "the map"), words(480, 160, "the ring: row y is in slot y mod 3")]
    return picture("A ring of three slots", 290, drawn)


def codecs() -> Markup:
    """Rows are coded on the way out and decoded on the way in."""
    drawn = [box(30, 60, 200, 60, "ring", "rows"), arrow(235, 90, 70),
             box(310, 60, 110, 60, "box", "code"), arrow(425, 90, 70),
             box(500, 40, 420, 220, "empty"), words(710, 30, "external memory"),
             *(box(520, 60 + 45 * k, length, 34, "map") for k, length in
               enumerate((240, 180, 290, 150))),
             box(310, 180, 110, 60, "box", "decode"), box(30, 180, 200, 60, "ring", "rows"),
             Markup(tag("line", x1=495, y1=210, x2=430, y2=210, class_="arrow")
                    + tag("polygon", points="423,210 433,203 433,217", class_="head")),
             Markup(tag("line", x1=305, y1=210, x2=245, y2=210, class_="arrow")
                    + tag("polygon", points="235,210 245,203 245,217", class_="head")),
             words(130, 30, "fast memory")]
    return picture("Codes of rows have different lengths", 280, drawn)


def plan() -> Markup:
    """Rings of one stage, and maps that later stages read."""
    drawn = [words(20, 150, "bytes", "start", True), words(520, 320, "stages, in time", soft=True)]
    for at in range(6):
        drawn += [box(100 + 140 * at, 190, 130, 90, "ring", "rings"),
                  words(165 + 140 * at, 300, str(at), soft=True)]
    drawn += [box(100, 40, 270, 140, "map", "map A"), box(380, 90, 410, 90, "map", "map B"),
              box(660, 20, 270, 60, "map", "map C")]
    return picture("Fast memory over the stages of a plan", 335, drawn)


DRAWINGS: Mapping[str, Markup] = {"rows": rows(), "stages": stages(), "ring": ring(),
                                  "codecs": codecs(), "plan": plan()}


def files() -> Iterator[tuple[Path, str]]:
    """Every file and what is in it."""
    for name, drawn in DRAWINGS.items():
        yield PICTURES / f"{name}.svg", svg_file(drawn, LOOKS)


if __name__ == "__main__":
    for path, text in files():
        path.write_text(text, encoding="utf-8")
    print(f"{len(DRAWINGS)} drawings of {WIDTH} pixels in {PICTURES}")
