# SPDX-License-Identifier: Apache-2.0
"""A plan is one line in a terminal, tables in a notebook, and figures in a program."""

from pathlib import Path

import edgefm


def test_a_plan_is_short_in_a_terminal_and_a_table_in_a_notebook(model: Path) -> None:
    plan = edgefm.plan(model, fast="4K")
    assert repr(plan).startswith("<PlanSummary net: ") and "fast memory" in repr(plan)
    page = plan._repr_html_()
    tables = page.split("<table")[1:]
    assert tables[-1].count("<tr>") == len(plan.stages) + 1 and "<script" not in page
    assert f"{plan.fast_bytes:,}" in tables[0] and page.startswith('<div class="edgefm"><style>')


def test_a_plan_becomes_a_page_alone_and_beside_another(model: Path) -> None:
    small, roomy = edgefm.plan(model, fast="4K"), edgefm.plan(model)
    assert "Against the other plan" not in small.to_html()
    page = small.to_html(roomy)
    assert "Against the other plan" in page and f"{roomy.fast_bytes:,}" in page


def test_figures_are_those_of_the_json(model: Path) -> None:
    plan = edgefm.plan(model, fast="4K")
    told = plan.to_json()
    for name in ("fast_bytes", "external_bytes", "external_read_bytes", "external_write_bytes",
                 "weight_read_bytes", "macs", "objective"):
        assert getattr(plan, name) == told[name]
    assert plan.name == "net" and list(plan.maps) == told["maps"]
