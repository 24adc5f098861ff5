# SPDX-License-Identifier: Apache-2.0
"""Tables for notebooks: what `_repr_html_` gives for an object of this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgefm.html.markup import Markup, join, tag

MOST_ROWS = 200  # of a table; more make a page slow


def fields_table(title: str, fields: Mapping[str, object]) -> Markup:
    """A title and a table of names and values, one pair a row."""
    rows = [tag("tr", tag("th", name, style="text-align:left"), tag("td", str(value)))
            for name, value in fields.items()]
    return join(tag("strong", title), tag("table", *rows))


def rows_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """A table with a header; of more than `MOST_ROWS` rows the first ones, and how many follow."""
    shown = [tag("tr", *(tag("td", str(value)) for value in row)) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        shown.append(tag("tr", tag("td", f"and {len(rows) - MOST_ROWS:,} more")))
    return tag("table", tag("tr", *(tag("th", name) for name in header)), *shown)
