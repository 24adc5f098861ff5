# SPDX-License-Identifier: Apache-2.0
"""The verbs `report` and `compare` on recordings whose every figure is known."""

import json

import pytest
from recorded import BITS, CROSSED, PLAN, STORED, record_run


@pytest.fixture
def recordings(tmp_path):
    record_run(tmp_path / "one", meta={"model": {"name": "net", "model_sha256": "m"}})
    record_run(tmp_path / "two", amperes=(0.01, 0.0025, 0.015))
    return tmp_path / "one", tmp_path / "two"


def test_report_writes_one_page_about_all(edgefm, recordings, tmp_path):
    judged = tmp_path / "v.json"
    judged.write_text(json.dumps({"n": 50, "top1": 90.0, "model_sha256": "m"}))
    page = tmp_path / "r.html"
    said = edgefm("report", *recordings, "-o", page, "--validation", judged, "--title", "A & B")
    assert said.strip() == f"{page}: 2 recordings"
    text = page.read_text(encoding="utf-8")
    assert "<title>A &amp; B</title>" in text
    assert "90.00 %" in text


def test_a_validation_of_another_network_is_left_out(edgefm, recordings, tmp_path):
    judged = tmp_path / "v.json"
    judged.write_text(json.dumps({"n": 50, "top1": 90.0, "model_sha256": "other"}))
    edgefm("report", recordings[0], "-o", tmp_path / "r.html", "--validation", judged)
    assert "90.00 %" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_compare_prints_differences_with_their_errors(edgefm, edgefm_json, recordings):
    said = edgefm("compare", *recordings)
    energy = next(line for line in said.splitlines() if line.startswith("energy, VDD (measured)"))
    assert "±" in energy
    assert not energy.rstrip().endswith("=")
    found = edgefm_json("compare", *recordings, "--json")
    line = next(one for one in found["lines"] if one["name"].startswith("energy"))
    assert line["percent"] == pytest.approx(-50, abs=1)
    assert line["clear"]


def test_compare_has_a_line_for_every_stored_map(edgefm, edgefm_json, tmp_path):
    meta = {"model": {"name": "net", "plan": {**PLAN, "maps": STORED}}}
    record_run(tmp_path / "one", meta=meta, maps=CROSSED)
    record_run(tmp_path / "old", meta=meta)
    said = edgefm("compare", tmp_path / "one", tmp_path / "old")
    assert next(line for line in said.splitlines() if line.startswith("map <a>")).split()[2:4] \
        == ["4.00", "bits"]
    assert "old: No figures map by map: this recording was made before they were counted." in said
    found = edgefm_json("compare", tmp_path / "one", tmp_path / "one")
    assert [line["first"]["value"] for line in found["maps"]] == list(BITS)


@pytest.mark.parametrize("words", [
    ("report", "nothing", "-o", "r.html"), ("compare", "nothing", "one"),
    ("report", "one", "-o", "no/such/folder/r.html"), ("report", "one", "-o", "r.html",
                                                      "--meter", "wind"),
    ("report", "one", "-o", "r.html", "--validation", "one/meta.json")])
def test_what_is_not_there_is_one_line(edgefm_error, recordings, words):
    folder = recordings[0].parent
    names = [str(folder / word) if word in ("nothing", "one", "r.html", "no/such/folder/r.html",
                                            "one/meta.json") else word for word in words]
    assert edgefm_error(*names)
