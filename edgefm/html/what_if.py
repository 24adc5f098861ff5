# SPDX-License-Identifier: Apache-2.0
"""Memory against bytes: every budget that changes the result, this plan among them, a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgefm.html.bars import Bar, Part, bars, key
from edgefm.html.markup import Markup, join, number, size, tag
from edgefm.html.tables import folded, table

Point = Mapping[str, int]
HEADS = ("budget", "used", "external memory", "maps moved", "weights read", "both")
_FIELDS = ("budget", "fast_bytes", "external_bytes", "map_bytes", "weight_read_bytes",
           "moved_bytes")


def what_if(points: Sequence[Point], fast_bytes: int) -> Markup:
    """The frontier as bars with a slider; `fast_bytes` is the fast memory of the plan shown."""
    here = nearest(points, fast_bytes)
    rows = [Bar(_budget(point), _parts(point), _caption(point, at == here), at == here)
            for at, point in enumerate(points)]
    slider = tag("input", type="range", min=0, max=len(points) - 1, value=here, step=1,
                 id="budget", aria_describedby="budget-said")
    return join(
        tag("p", "What would another size of fast memory give? Every row is a plan, with maps "
            "stored raw; the marked one has the memory of the plan above.", class_="note"),
        tag("p", tag("label", "Fast memory ", for_="budget"), slider, class_="slider"),
        tag("p", said(points[here], points[here]), id="budget-said", class_="lead",
            role="status"),
        key(("maps", "feature maps, external memory"), ("weights", "weights read")),
        tag("div", bars(rows, "Bytes moved for each size of fast memory"), id="budgets"),
        tag("div", *(tag("span", said(point, points[here])) for point in points), id="budget-texts",
            hidden="hidden"),
        folded("The same as a table", table(HEADS, [tuple(point[name] for name in _FIELDS)
                                                    for point in points], marked=here)))


def nearest(points: Sequence[Point], fast_bytes: int) -> int:
    """The index of the last point whose plan fits into this much memory; the first if none does."""
    fitting = [at for at, point in enumerate(points) if point["fast_bytes"] <= fast_bytes]
    return max(fitting, default=0)


def said(point: Point, here: Point) -> str:
    """What a budget gives, against the plan's own."""
    words = (f"{_budget(point)} of fast memory: {size(point['map_bytes'])} of maps and "
             f"{size(point['weight_read_bytes'])} of weights move per inference")
    if point is here:
        return words + ". You are here."
    change = 100 * (point["moved_bytes"] / max(here["moved_bytes"], 1) - 1)
    return f"{words}, {number(abs(change))} % {'more' if change > 0 else 'less'} than here."


def _budget(point: Point) -> str:
    return size(point["budget"])


def _caption(point: Point, here: bool) -> str:
    return size(point["moved_bytes"]) + (" – you are here" if here else "")


def _parts(point: Point) -> tuple[Part, ...]:
    hint = f"{_budget(point)}: "
    return (Part("maps", point["map_bytes"], f"{hint}{number(point['map_bytes'])} B of maps"),
            Part("weights", point["weight_read_bytes"],
                 f"{hint}{number(point['weight_read_bytes'])} B of weights"))


LOOKS = """
.slider { display: flex; gap: .8rem; align-items: center; max-width: none; }
.slider label { flex: none; }
.slider input { flex: 1; min-width: 0; accent-color: var(--bar); height: 2rem; }
.bars li.chosen { box-shadow: inset 3px 0 0 var(--ink); }
"""
SCRIPT = """
for (const plot of document.querySelectorAll(".plot")) {
  const told = plot.closest(".arena").parentNode.querySelector(".pointed");
  plot.addEventListener("pointerover", event => {
    const buffer = event.target.closest("i");
    if (buffer && told) told.textContent = buffer.title;
  });
}
const slider = document.getElementById("budget");
if (slider) {
  const rows = document.querySelectorAll("#budgets li");
  const texts = document.querySelectorAll("#budget-texts span");
  const show = () => {
    rows.forEach((row, at) => row.classList.toggle("chosen", at === Number(slider.value)));
    const text = texts[slider.value].textContent;
    document.getElementById("budget-said").textContent = text;
    slider.setAttribute("aria-valuetext", text);
  };
  slider.addEventListener("input", show);
  show();
}
"""
