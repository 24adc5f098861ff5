# SPDX-License-Identifier: Apache-2.0
"""The page about a plan: its figures add up, its words are escaped, and it fits every screen."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from looks import COVERED, MISFITS, PALE

from edgefm.html.plan_page import plan_cell, plan_page
from edgefm.html.plan_parts import Crossing, Drawn, moved
from edgefm.html.what_if import SCRIPT, nearest

HOSTILE = "</title><script>alert('x')</script>\"&<img src=https://example.org/>\x00\x1b\ud800"
LONG = "MobileNetV2/expanded_conv_{}/project/batch_norm/FusedBatchNormV3;Other/weights"


def buffer(name: str, offset: int, size: int, first: int, last: int) -> dict[str, Any]:
    return {"name": name, "offset": offset, "bytes": size, "slots": 4, "first_stage": first,
            "last_stage": last}


def drawn(stages: int = 12) -> Drawn:
    """A plan in which every second stage writes a map that the next one reads, coded to a half."""
    held = [buffer(LONG.format(f"held_{i}"), 20_000, 9_000, i, min(i + 1, stages - 1))
            for i in range(stages)]
    rings = [buffer(LONG.format(f"{i}_{k}"), 4_000 * k, 4_000, i, i)
             for i in range(stages) for k in range(5)]
    plan = {
        "fast_bytes": 30_000, "external_bytes": 8_000, "external_read_bytes": stages // 2 * 1_000,
        "external_write_bytes": stages // 2 * 1_000, "weight_read_bytes": 500 * stages,
        "input_read_bytes": 10, "output_write_bytes": 3, "macs": 1_000_000,
        "stages": [{"first": LONG.format(i), "last": LONG.format(f"{i}_end"), "fast_bytes": 29_000,
                    "operators": ["a", "b"], "external_read_bytes": 1_000 * (i % 2),
                    "external_write_bytes": 1_000 * (1 - i % 2), "weight_read_bytes": 500,
                    "buffers": [b for b in (*held, *rings)
                                if b["first_stage"] <= i <= b["last_stage"]]}
                   for i in range(stages)],
        "maps": [{"name": LONG.format(f"m{i}"), "bytes": 1_000, "codec": "context", "rows": 5,
                  "row_bytes": 200} for i in range(0, stages, 2)]}
    crossings = tuple(Crossing((i,), (i + 1,), 500.0) for i in range(0, stages, 2))
    return Drawn("net", plan, crossings, "measured on 4 calibration files")


POINTS = [{"budget": 10_000 * n, "fast_bytes": 10_000 * n - 5, "external_bytes": 100,
           "map_bytes": 4_000 // n, "weight_read_bytes": 9_000 // n,
           "moved_bytes": 4_000 // n + 9_000 // n} for n in range(1, 7)]


def parsed(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page.replace(SCRIPT, "").partition("\n")[2])


def test_bytes_of_stages_are_raw_and_coded_and_sum_to_the_plan() -> None:
    plan = drawn()
    found = moved(plan)
    assert sum(one.raw for one in found) == (plan.plan["external_read_bytes"]
                                             + plan.plan["external_write_bytes"])
    assert [one.coded for one in found] == [500.0] * 12
    assert "Coded, the maps take 5.9 KiB: 50 % (measured on 4 calibration files)" in plan_page(plan)


def test_where_a_map_lives_and_why_is_said() -> None:
    plan = drawn(2)
    raw = {**plan.plan, "maps": [{**plan.plan["maps"][0], "codec": "raw", "why_raw": "no --codec"}]}
    page = plan_page(replace(plan, plan=raw))
    assert "crosses from stages 0 to 1; raw because no --codec was given" in page
    assert "fits there from stage 0 to 1: nothing moves" in page
    assert "coded in 50 % of raw" in plan_page(plan)


def test_no_two_names_of_a_table_are_equal() -> None:
    for table in parsed(plan_page(drawn(), POINTS)).iter("table"):
        first = ["".join(row[0].itertext()) for row in table.iter("tr")]
        assert len(set(first)) == len(first)


def test_the_plan_is_marked_among_what_other_memory_gives() -> None:
    page = plan_page(drawn(), POINTS)
    [marked] = [one for one in parsed(page).iter("li") if one.get("class") == "here"]
    assert "".join(marked.itertext()).endswith("you are here")
    assert [nearest(POINTS, size) for size in (1, 30_000, 1 << 30)] == [0, 2, 5]
    assert "33 % less than here." not in page and "25 % less than here." in page
    assert "Memory against bytes" not in plan_page(drawn())


def test_two_plans_stand_side_by_side() -> None:
    page = plan_page(drawn(12), other=drawn(4))
    rows = [["".join(cell.itertext()) for cell in row] for row in parsed(page).iter("tr")]
    assert ["maps read", "6,000", "2,000", "+4,000 (+200 %)"] in rows
    assert ["fast memory", "30,000", "30,000", "="] in rows


def test_predicted_instructions_are_drawn_where_the_plan_has_them() -> None:
    plan = drawn(2)
    assert "Instructions per stage" not in plan_page(plan)
    stages = [{**stage, "instructions": 2_500_000} for stage in plan.plan["stages"]]
    page = plan_page(replace(plan, plan={**plan.plan, "stages": stages}))
    assert "Instructions per stage, predicted" in page and "2.50 million" in page


def test_hostile_names_stay_text_on_the_page_and_in_a_notebook() -> None:
    def poison(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: poison(one) for key, one in value.items()}
        if isinstance(value, list):
            return [poison(one) for one in value]
        return HOSTILE if isinstance(value, str) else value

    bad = replace(drawn(2), name=HOSTILE, plan=poison(drawn(2).plan))
    for text in (plan_page(bad, POINTS, bad), f"\n{plan_cell(bad)}"):
        elements = [one.tag for one in parsed(text).iter()]
        assert elements.count("script") <= 1 and not {"img", "iframe", "link"} & set(elements)


def test_an_empty_plan_still_makes_a_page() -> None:
    nothing = {**drawn(2).plan, "stages": [], "maps": [], "fast_bytes": 0}
    assert "No map exists as a whole" in plan_page(Drawn("net", nothing, ()))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_it_fits_every_screen_and_is_readable(browser: Browser, tmp_path: Path, width: int,
                                              dark: bool) -> None:
    (tmp_path / "page.html").write_text(plan_page(drawn(30), POINTS, drawn(4)), encoding="utf-8")
    browser.open((tmp_path / "page.html").as_uri(), width, dark=dark)
    browser.wait_for("document.readyState == 'complete'")
    for opened in ("false", "true"):
        browser.value(f"document.querySelectorAll('details').forEach(d => d.open = {opened})")
        assert browser.value(MISFITS) == []
        assert browser.value(COVERED.replace("WHAT", ".plot b")) == []
        assert browser.value(PALE) == []


def test_the_slider_says_what_a_budget_gives_and_a_buffer_its_name(browser: Browser,
                                                                   tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(plan_page(drawn(), POINTS), encoding="utf-8")
    browser.open((tmp_path / "page.html").as_uri())
    browser.wait_for("!!document.querySelector('li.chosen.here')")
    browser.value("(() => { const s = document.getElementById('budget'); s.value = 3; "
                  "s.dispatchEvent(new Event('input')); })()")
    assert "39.1 KiB of fast memory: 1,000 B of maps" in browser.value(
        "document.getElementById('budget-said').textContent")
    assert browser.value("[...document.querySelectorAll('#budgets li')].findIndex("
                         "li => li.classList.contains('chosen'))") == 3
    browser.value("document.querySelector('.plot i').dispatchEvent("
                  "new PointerEvent('pointerover', {bubbles: true}))")
    assert "4,000 B at 0, stage 0" in browser.value(
        "document.querySelector('.pointed').textContent")
