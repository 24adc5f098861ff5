# SPDX-License-Identifier: Apache-2.0
"""The HTML report: whole, safe with any name, and alone."""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from looks import MISFITS, PALE

from edgefm.html.plan_report import plan_report, write_plan_report

HOSTILE = "</title><script>alert('x')</script>\"&<img src=https://example.org/\x00\x1b\ud800"


def stage(first: str, last: str, buffers: list[dict[str, Any]], **moved: int) -> dict[str, Any]:
    """One stage as `edgefm plan --json` gives it."""
    sizes = {"external_read_bytes": 0, "external_write_bytes": 0, "weight_read_bytes": 1_000}
    return {"name": last, "operators": [first, last], "first": first, "last": last,
            "fast_bytes": 4_096, "buffers": buffers, **sizes, **moved}


def make_run(name: str = "small") -> dict[str, Any]:
    """A run of two stages with one map held between them."""
    held = {"name": "pool", "offset": 0, "bytes": 1_024, "first_stage": 0, "last_stage": 1}
    ring = {"name": "conv1", "offset": 1_024, "bytes": 3_072, "first_stage": 0, "last_stage": 0}
    plan = {"fast_bytes": 4_096, "external_bytes": 2_048, "external_read_bytes": 2_048,
            "external_write_bytes": 1_024, "weight_read_bytes": 2_000, "macs": 1_500_000,
            "stages": [stage("input", "pool", [held, ring], external_write_bytes=1_024),
                       stage("conv2", "logits", [held], external_read_bytes=2_048)]}
    layers = {**plan, "external_read_bytes": 65_536, "external_write_bytes": 65_536}
    judged = {"n": 400, "top1": 90.0, "top5": 99.0, "reference_top1": 90.0, "float_top1": 91.25,
              "top1_agreement": 98.5, "kl": 0.00123, "bits_per_value": None,
              "images_per_second": 123.4}
    codecs = {"codecs": [{"codec": "raw", "bits_per_value": 8.0, "table_bytes": 0},
                         {"codec": "context", "bits_per_value": 3.917, "table_bytes": 2_048}],
              "maps": [{"name": "pool", "values": 1_024,
                        "bits_per_value": {"raw": 8.0, "context": 3.5}}]}
    return {"name": name, "plan": plan, "layer_by_layer": layers, "validate": judged,
            "codecs": codecs}


def texts(page: str) -> list[str]:
    """Every piece of visible text; also proves that the page is well-formed."""
    return ["".join(element.itertext()) for element in ElementTree.fromstring(page).iter()]


def buffers(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The rectangles of the picture of fast memory."""
    return [one for one in root.iter("i") if one.get("class") in ("map", "ring")]


def place(box: ElementTree.Element) -> list[float]:
    """Left edge, width, lower edge and height of a rectangle in percent."""
    return [float(one) for one in re.findall(r":([\d.]+)%", box.get("style", ""))]


def poison(value: Any) -> Any:
    """The same run with every string made hostile."""
    if isinstance(value, dict):
        return {key: poison(one) for key, one in value.items()}
    if isinstance(value, list):
        return [poison(one) for one in value]
    return HOSTILE if isinstance(value, str) else value


def test_page_shows_the_figures_of_a_run() -> None:
    page = plan_report([make_run()])
    shown = texts(page)
    for figure in ("90.00 % ± 1.50", "91.25 %", "98.50 %", "0.00123", "4.0 KiB", "3.0 KiB",
                   "128.0 KiB", "1.5 million", "123.4", "3.917 bits, tables 2.0 KiB"):
        assert figure in shown, figure
    (summary,) = re.findall(r"<p class=\"lead\">(.*?)</p>", page)
    assert "moves 3.0 KiB of feature maps through external memory" in summary
    assert "right class on 90.0 % of 400 images, the float network on 91.2 %" in summary


def test_stage_table_separates_rings_from_held_maps_and_sums_what_moves() -> None:
    table = ElementTree.fromstring(plan_report([make_run()])).findall(".//table")[2]
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    assert rows[1] == ["0 input", "pool", "2", "3,072", "1,024", "4,096", "0", "1,024", "1,000"]
    assert rows[2] == ["1 conv2", "logits", "2", "0", "1,024", "4,096", "2,048", "0", "1,000"]
    assert rows[3] == ["all stages", "", "4", "", "", "", "2,048", "1,024", "2,000"]


def test_memory_picture_places_each_buffer_once() -> None:
    root = ElementTree.fromstring(plan_report([make_run()]))
    held, ring = buffers(root)
    assert (place(held), place(ring)) == ([0, 100, 0, 25], [0, 50, 25, 75])
    assert held.get("title") == "pool: 1,024 B at 0, stages 0 to 1"


def test_hostile_names_stay_text() -> None:
    run = poison(make_run())
    run["codecs"]["maps"][0]["bits_per_value"] = {HOSTILE: 3.0}
    page = plan_report([run], title=HOSTILE)
    elements = {element.tag for element in ElementTree.fromstring(page).iter()}
    assert not elements & {"script", "img", "iframe", "link", "object"}
    assert "alert('x')" not in re.sub(r"&#x27;", "", page)
    assert page.encode()


def test_page_refers_to_nothing_outside() -> None:
    page = plan_report([make_run()])
    assert not re.search(r"https?:|//\w|\b(src|href|action)\s*=|url\(|@import", page)
    assert "default-src 'none'" in page.replace("&#x27;", "'")


@pytest.mark.parametrize("missing", ["layer_by_layer", "validate", "codecs"])
def test_parts_may_be_left_out(missing: str) -> None:
    run = make_run()
    del run[missing]
    page = plan_report([run, make_run("other")])
    assert "other" in texts(page) and "None" not in page and "nan" not in page


def test_numbers_that_were_not_measured_are_dashes() -> None:
    run = make_run()
    run["validate"] = dict.fromkeys(run["validate"]) | {"n": 3, "top1": 100.0}
    page = plan_report([run])
    assert page.count(">–<") >= 5 and "float network on" not in page


def test_many_stages_and_long_names_stay_inside_the_picture() -> None:
    run = make_run()
    one = run["plan"]["stages"][0]
    run["plan"]["stages"] = []
    for i in range(70):
        ring = {"name": "layer" * 30, "offset": 0, "bytes": 4_096, "first_stage": i,
                "last_stage": i}
        run["plan"]["stages"].append({**copy.deepcopy(one), "buffers": [ring]})
    root = ElementTree.fromstring(plan_report([run]))
    places = [place(box) for box in buffers(root)]
    assert len(places) == 70 and max(left + width for left, width, *_ in places) <= 100.01
    assert not any("layerlayer" in (label.text or "") for label in root.iter("b"))


def test_empty_plan_and_no_runs_still_make_a_page(tmp_path: Path) -> None:
    run = make_run()
    run["plan"] = {**run["plan"], "stages": [], "fast_bytes": 0}
    run["codecs"] = {"codecs": [], "maps": []}
    write_plan_report(tmp_path / "one.html", [run])
    write_plan_report(tmp_path / "none.html", [], title="nothing")
    for name in ("one.html", "none.html"):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert page.startswith("<!DOCTYPE html>\n<html lang=\"en\">") and texts(page)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_it_fits_every_screen_and_is_readable(browser: Browser, tmp_path: Path, width: int,
                                              dark: bool) -> None:
    write_plan_report(tmp_path / "page.html", [make_run(), make_run("other")])
    browser.open((tmp_path / "page.html").as_uri(), width, dark=dark)
    browser.wait_for("document.readyState == 'complete'")
    assert browser.value(MISFITS) == []
    assert browser.value(PALE) == []
