# SPDX-License-Identifier: Apache-2.0
"""Differences between two recordings, and whether they are any."""

import pytest
from recorded import CROSSED, PLAN, STORED, record_run

from host_tools.measurement.summary import summarize
from host_tools.outputs.compare import compare, compare_maps
from host_tools.recording import Recording


def lines_of(tmp_path, first, second, judged=(None, None)):
    found = []
    for name, options, mine in zip("ab", (first, second), judged, strict=True):
        record_run(tmp_path / name, **options)
        with Recording(tmp_path / name) as recording:
            found.append(summarize(recording, validation=mine))
    return {line.name: line for line in compare(*found)}


def test_half_the_current_is_less_energy_and_nothing_else(tmp_path):
    lines = lines_of(tmp_path, {}, {"amperes": (0.01, 0.0025, 0.015)})
    energy = lines["energy, VDD (measured)"]
    assert energy.percent == pytest.approx(-50, abs=1)
    assert energy.is_clear
    for name in ("time", "feature maps, external", "weights read"):
        assert lines[name].difference.value == 0
        assert not lines[name].is_clear


def test_a_longer_stage_is_more_time(tmp_path):
    lines = lines_of(tmp_path, {}, {"seconds": (0.02, 0.06, 0.01)})
    assert lines["time"].difference.value == pytest.approx(0.01, abs=1e-5)
    assert lines["time"].is_clear


def test_accuracies_closer_than_their_errors_are_not_told_apart(tmp_path):
    lines = lines_of(tmp_path, {}, {}, ({"n": 100, "top1": 80.0}, {"n": 100, "top1": 79.0}))
    top1 = lines["top-1"]
    assert top1.difference.value == pytest.approx(-1)
    assert top1.difference.error == pytest.approx((16 + 16.59) ** 0.5, abs=0.01)
    assert not top1.is_clear


def test_instructions_are_not_compared_with_seconds(tmp_path):
    device = {"device": {"board": "x", "unit": "instructions", "ticks_per_second": 0}}
    lines = lines_of(tmp_path, {}, {"meta": device})
    assert "time" not in lines


def test_maps_are_compared_by_name_where_both_have_them(tmp_path):
    found = []
    for name, maps in (("a", STORED), ("b", [{**STORED[0], "row_bytes": 160}, {**STORED[1],
                                              "name": "another"}, STORED[2]])):
        record_run(tmp_path / name, meta={"model": {"plan": {**PLAN, "maps": maps}}}, maps=CROSSED)
        with Recording(tmp_path / name) as recording:
            found.append(summarize(recording))
    lines = {line.name: line for line in compare_maps(*found)}
    assert list(lines) == ["map <a>", "map & b", "pooled c", "another"]
    assert (lines["map <a>"].first.value, lines["map <a>"].second.value) == (4, 2)
    assert lines["map <a>"].percent == -50 and lines["map <a>"].is_clear
    assert lines["pooled c"].difference.value == 0 and not lines["pooled c"].is_clear
    assert lines["map & b"].second is None and lines["another"].first is None
    record_run(tmp_path / "old")
    with Recording(tmp_path / "old") as recording:
        old = summarize(recording)
    assert compare_maps(old, old) == []


def test_a_measured_run_is_not_compared_with_a_modeled_one(tmp_path):
    record_run(tmp_path / "m")
    record_run(tmp_path / "n")
    (tmp_path / "n" / "0.samples").unlink()
    found = []
    for name in "mn":
        with Recording(tmp_path / name) as recording:
            found.append(summarize(recording))
    assert not [line for line in compare(*found) if line.name.startswith("energy")]
