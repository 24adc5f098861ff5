# SPDX-License-Identifier: Apache-2.0
"""One self-contained page about a plan, and the same pictures for a notebook.

The page loads nothing. Its script names the buffer that is pointed at and moves the slider; without
it every figure is there too, in tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgefm.html.arena import memory
from edgefm.html.document import document
from edgefm.html.markup import Markup, join, tag
from edgefm.html.plan_parts import (
    Drawn,
    compared,
    homes,
    lead,
    stage_table,
    totals,
    traffic,
    work,
)
from edgefm.html.style import NOTEBOOK
from edgefm.html.tables import folded
from edgefm.html.what_if import LOOKS, SCRIPT, Point, what_if


def plan_page(drawn: Drawn, points: Sequence[Point] = (), other: Drawn | None = None) -> str:
    """The page as text. `points` are those of `plan --frontier --json`, `other` is a plan to
    compare with."""
    title = f"Plan of {drawn.name}"
    return document(title, tag("h1", title), lead(drawn),
                    _chapter("Against the other plan", compared(drawn, other)) if other else
                    totals(drawn),
                    _pictures(drawn, "h2"),
                    _chapter("Memory against bytes", what_if(
                        points, int(drawn.plan["fast_bytes"]))) if points else None,
                    looks=LOOKS, script=SCRIPT)


def plan_cell(drawn: Drawn) -> Markup:
    """The pictures for a notebook: without a script, with styles that touch nothing else."""
    return tag("div", tag("style", Markup(NOTEBOOK)), lead(drawn), totals(drawn),
               _pictures(drawn, "h3"), class_="edgefm")


def _pictures(drawn: Drawn, level: str) -> Markup:
    plan = drawn.plan
    return join(
        tag(level, "Fast memory over time"), tag("div", memory(plan["stages"],
                                                               int(plan["fast_bytes"]))),
        tag(level, "Where maps live, and why"), homes(drawn),
        tag(level, "Bytes per stage"), traffic(drawn),
        folded(f"Stages as a table ({len(plan['stages'])})", stage_table(drawn)), work(plan))


def _chapter(title: str, body: Markup) -> Markup:
    return join(tag("h2", title), body)
