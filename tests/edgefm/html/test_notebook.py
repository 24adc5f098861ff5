# SPDX-License-Identifier: Apache-2.0
"""Tables for notebooks are escaped and end."""

from edgefm.html.notebook import MOST_ROWS, fields_table, rows_table


def test_text_is_escaped() -> None:
    assert fields_table("<a>", {"<b>": "<c>"}).count("&lt;") == 3
    assert rows_table(["<a>"], [["<b>"]]).count("&lt;") == 2


def test_long_tables_say_how_many_rows_follow() -> None:
    page = rows_table(["n"], [[i] for i in range(MOST_ROWS + 5)])
    assert "and 5 more" in page and page.count("<tr>") == MOST_ROWS + 2
