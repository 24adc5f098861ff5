# SPDX-License-Identifier: Apache-2.0
"""The page says what the recordings hold, escapes every name, and loads nothing."""

import re
from xml.etree import ElementTree

import pytest
from recorded import CROSSED, PLAN, STORED, UNKNOWN_EVENT, record_run

from host_tools.outputs.report.page import chapter, page
from host_tools.outputs.report.script import SCRIPT
from host_tools.recording import Recorder, Recording

HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>\x00"\''


def page_of(*folders, **options):
    chapters = []
    for folder in folders:
        with Recording(folder) as recording:
            chapters.append(chapter(recording, **options))
    return page(chapters, "Title & more")


def parsed(text):
    """The page as a tree, its own script taken out (it is not XML)."""
    assert text.count(SCRIPT) == 1
    return ElementTree.fromstring(text.replace(SCRIPT, "").partition("\n")[2])


def words(tree):
    return " ".join("".join(tree.itertext()).split())


def test_two_recordings_stand_side_by_side(tmp_path):
    record_run(tmp_path / "one")
    record_run(tmp_path / "two", amperes=(0.01, 0.002, 0.015))
    tree = parsed(page_of(tmp_path / "one", tmp_path / "two"))
    said = words(tree)
    assert "one: an inference takes 80 ms (mean of 3 runs), 58.6 KiB of fast memory" in said
    assert len(tree.findall(".//section")) == 2
    assert said.count("Power, measured with ppk2") == 2
    assert "by markers, off by at most 0.05 ms" in said
    names = {cell.text for cell in tree.iter("td")}
    assert {"conv <1>", "dw & 2", "head", "whole run", "sim <b>"} <= names


def test_columns_have_velas_names(tmp_path):
    record_run(tmp_path / "r")
    heads = [(head.text or "").replace("\u200b", "") for head in
             parsed(page_of(tmp_path / "r")).iter("th")]
    for name in ("inference_time", "dram_feature_map_read_bytes_raw",
                 "dram_feature_map_read_bytes_coded", "dram_feature_map_write_bytes_coded",
                 "off_chip_flash_weight_read_bytes", "sram_memory_used"):
        assert name in heads


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("where", ["board", "name", "stage", "command", "rail", "log", "codec"])
def test_hostile_names_stay_text(tmp_path, where, counted):
    def name(place):
        return HOSTILE if place == where else "plain"

    plan = {**PLAN, "stages": [{"name": name("stage")}] * 3,
            "maps": [{"name": name("name"), "codec": name("codec"), "rows": 3, "row_bytes": 9}]}
    record_run(tmp_path / "r", rails=(name("rail"),), maps=CROSSED[:counted], meta={
        "run": {"command": name("command")},
        "device": {"board": name("board"), "unit": "us", "ticks_per_second": 1_000_000},
        "model": {"name": name("name"), "plan": plan, "codecs": [name("codec")]}},
        extra=[(0.05, b"\x04" + HOSTILE.encode())] if where == "log" else ())
    text = page_of(tmp_path / "r", tmp_path / "r")
    tree = parsed(text)
    assert len(tree.findall(".//script")) == 1
    assert counted is ("Bits per value of each stored map" in text)
    assert not tree.findall(".//img")
    assert "<script>alert" not in text


def test_the_page_loads_nothing_and_its_policy_says_so(tmp_path):
    record_run(tmp_path / "r")
    text = page_of(tmp_path / "r")
    assert "default-src &#x27;none&#x27;" in text
    assert not re.findall(r"(?:src|href)=", text)
    assert "http" not in text.replace("http-equiv", "")


def test_coded_maps_show_what_coding_saved(tmp_path):
    plan = {**PLAN, "external_read_bytes": 6000, "external_write_bytes": 3000}
    record_run(tmp_path / "r", meta={"model": {"name": "net", "plan": plan}})
    assert "instead of 8.8 KiB: coding saves 50 %" in words(parsed(page_of(tmp_path / "r")))


WITH_MAPS = {"model": {"name": "net", "plan": {**PLAN, "maps": STORED}}}


def cells(tree, name):
    """The line of a table that begins with `name`."""
    return next(["".join(cell.itertext()) for cell in line] for line in tree.iter("tr")
                if len(line) and line[0].text == name)


def test_every_stored_map_has_its_bits_per_value(tmp_path):
    record_run(tmp_path / "r", meta=WITH_MAPS, maps=CROSSED)
    tree = parsed(page_of(tmp_path / "r"))
    assert cells(tree, "map <a>") == ["map <a>", "context", "10", "800", "400", "800", "4.00", "2",
                                      "0", "0"]
    assert cells(tree, "pooled c")[1:] == ["zvc, page pool", "4", "200", "75", "75", "3.00", "0",
                                           "3", "2"]
    assert cells(tree, "all maps")[3:7] == ["1,320", "795", "1,195", "4.63"]
    bars = next(one for one in tree.iter("ul")
                if one.get("aria-label") == "Bits per value of each stored map")
    assert words(bars) == "map <a>4.00 bitsmap & b8.00 bitspooled c3.00 bits"


def test_maps_of_several_recordings_stand_side_by_side(tmp_path):
    record_run(tmp_path / "one", meta=WITH_MAPS, maps=CROSSED)
    record_run(tmp_path / "two", maps=CROSSED, meta={"model": {"plan": {**PLAN, "maps": [
        {**STORED[0], "row_bytes": 160}, {**STORED[1], "name": "new"}, STORED[2]]}}})
    record_run(tmp_path / "old", meta=WITH_MAPS)
    tree = parsed(page_of(tmp_path / "one", tmp_path / "two", tmp_path / "old"))
    assert cells(tree, "map <a>") == ["map <a>", "4.00", "2.00", "–"]
    assert cells(tree, "map & b") == ["map & b", "8.00", "–", "–"]
    assert cells(tree, "new") == ["new", "–", "8.00", "–"]


def test_a_recording_without_figures_of_maps_says_so(tmp_path):
    record_run(tmp_path / "r", meta=WITH_MAPS)
    tree = parsed(page_of(tmp_path / "r"))
    assert cells(tree, "map <a>") == ["map <a>", "context", "10", "800"]
    said = words(tree)
    assert "this recording was made before they were counted" in said
    assert "Bits per value of the coded maps that each stage reads and writes" in said


def test_accuracy_has_a_confidence_interval(tmp_path):
    record_run(tmp_path / "r")
    judged = {"n": 650, "top1": 80.0, "reference_top1": 80.0, "kl": 0.01}
    said = words(parsed(page_of(tmp_path / "r", validation=judged)))
    assert "top-1 80.00 % (76.75 to 82.89)" in said


@pytest.mark.parametrize(("judged", "shown"), [
    ({"n": 50, "top1": 100.0, "top1_error": 0.0, "views": 1}, "top-1 100.00 % (92.86 to 100.00)"),
    ({"n": 50, "top1": 80.0, "top1_error": 2.0, "views": 4}, "top-1 80.00 % (76.08 to 83.92)"),
    ({"task": "detect", "n": 9, "map50": 40.0, "map50_error": 5.0},
     "mAP at 0.5 40.00 % (30.20 to 49.80)"),
    ({"task": "segment", "n": 1, "miou": 70.0, "miou_error": None}, "mIoU 70.00 %"),
    ({"task": ["x"], "n": 9, "top1": "many"}, "–")])
def test_every_task_has_its_accuracy_and_interval(tmp_path, judged, shown):
    record_run(tmp_path / "r")
    assert cells(parsed(page_of(tmp_path / "r", validation=judged)), "this package")[1] == shown


def test_the_difference_from_the_reference_is_paired(tmp_path):
    record_run(tmp_path / "r", meta={"model": {"plan_sha256": "p", "model_sha256": "m"}})
    judged = {"n": 50, "top1": 80.0, "reference_top1": 82.0, "difference": -2.0,
              "difference_error": 1.0, "plan_sha256": "p"}
    tree = parsed(page_of(tmp_path / "r", validation=judged))
    assert cells(tree, "difference, paired")[1] == "-2.00 points (-3.96 to -0.04)"
    assert cells(tree, "pictures")[1] == "50"
    other = parsed(page_of(tmp_path / "r", validation={**judged, "plan_sha256": "q"}))
    assert cells(other, "pictures")[1] == "50, by another plan of this network"


def test_without_a_validation_nothing_is_said_of_accuracy(tmp_path):
    record_run(tmp_path / "r")
    assert "Accuracy" not in words(parsed(page_of(tmp_path / "r")))


@pytest.mark.parametrize("options", [{"lost": 0.3}, {"markers": False, "round_trip": None}],
                         ids=str)
def test_losses_and_poor_alignment_are_said(tmp_path, options):
    record_run(tmp_path / "r", **options)
    said = words(parsed(page_of(tmp_path / "r")))
    assert ("lost" in said) if "lost" in options else "no round trip was measured" in said


def test_a_recording_of_next_to_nothing_gives_a_page_that_says_so(tmp_path):
    with Recorder(tmp_path / "a", {"device": "hostile", "model": [1]}) as recorder:
        recorder.events("device").append(0, UNKNOWN_EVENT)
    assert "no run was recorded whole" in words(parsed(page_of(tmp_path / "a")))
