# SPDX-License-Identifier: Apache-2.0
"""Tables of a page: words to the left, numbers to the right, and a narrow screen folds the rows."""

from __future__ import annotations

from collections.abc import Sequence

from edgefm.html.markup import Child, Markup, number, tag

Cell = Child | float


def table(header: Sequence[str], rows: Sequence[tuple[Cell, ...]], sums: Sequence[Cell] = (),
          marked: int | None = None) -> Markup:
    """A table; `sums` is its last row, `marked` the index of the row to point out. On a narrow
    screen every row becomes a block in which each cell has its column's name before it."""
    numeric = [any(isinstance(row[at], int | float) for row in rows) for at in range(len(header))]
    heads = [tag("th", name, scope="col", class_="n" if right else None)
             for name, right in zip(header, numeric, strict=True)]
    lines = [_line(header, row, numeric, "here" if at == marked else None)
             for at, row in enumerate(rows)]
    if sums:
        lines.append(_line(header, sums, numeric, "sum"))
    return tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *lines), class_="folding")


def folded(summary: str, body: Markup) -> Markup:
    """A part that opens with a click."""
    return tag("details", tag("summary", summary), body)


def _line(header: Sequence[str], row: Sequence[Cell], numeric: Sequence[bool],
          kind: str | None) -> Markup:
    return tag("tr", *(tag("td", _shown(cell), data_column=name, class_="n" if right else None)
                       for name, cell, right in zip(header, row, numeric, strict=True)),
               class_=kind)


def _shown(cell: Cell) -> Child:
    return number(cell, 2 * isinstance(cell, float)) if isinstance(cell, int | float) else cell
