# SPDX-License-Identifier: Apache-2.0
"""The terminal's table."""

import io

import pytest
from recorded import CROSSED, PLAN, STORED, record_run

from host_tools.outputs.monitor.follow import Follower
from host_tools.outputs.monitor.table import Drawer, lines
from host_tools.recording import Recorder, Recording


@pytest.fixture
def state(tmp_path):
    record_run(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        return Follower(recording).look()


def test_every_stage_has_a_line_and_the_run_the_last(state):
    shown = lines(state)
    assert shown[0].startswith("sim <b>: net, 3 runs, fast memory 58.6 KiB of 64.0 KiB, VDD ")
    assert [line.split()[0] for line in shown[2:]] == ["conv", "dw", "head", "whole"]
    assert "20 ms" in shown[2]


WITH_MAPS = {"model": {"name": "net", "plan": {**PLAN, "maps": STORED}}}


def test_stored_maps_have_a_line_each(tmp_path):
    record_run(tmp_path / "r", maps=CROSSED, meta=WITH_MAPS)
    with Recording(tmp_path / "r") as recording:
        state = Follower(recording).look()
    shown = lines(state)
    at = next(i for i, line in enumerate(shown) if line.startswith("stored map"))
    assert [line.rsplit(maxsplit=1)[1] for line in shown[at + 1:]] == ["4.00", "8.00", "3.00"]
    assert shown[at + 1].startswith("map <a>") and "800" in shown[at + 1]
    state["last"]["maps"] = [{**one, "name": f"m{i}", "read_bytes": i}
                             for i, one in enumerate(state["last"]["maps"] * 5)]
    shown = lines(state)
    assert "(7 maps that move less not shown)" in shown and len(shown) < 20


@pytest.mark.parametrize("height", [2, 5, 12, 23, 60])
def test_the_table_is_no_higher_than_the_terminal(tmp_path, height):
    record_run(tmp_path / "r", maps=CROSSED, meta=WITH_MAPS)
    with Recording(tmp_path / "r") as recording:
        state = Follower(recording).look()
    state["last"]["stages"] *= 10
    state["last"]["maps"] *= 10
    state["problems"] = ["a", "b", "c", "d"]
    shown = lines(state, 100, height)
    assert len(shown) <= height
    if height >= 12:
        assert any(line.startswith("whole run") for line in shown) and shown[-1] == "! d"
        assert any(line.startswith("map <a>") for line in shown)


def test_maps_that_are_not_counted_are_said(tmp_path):
    record_run(tmp_path / "r", meta=WITH_MAPS)
    with Recording(tmp_path / "r") as recording:
        assert "before they were counted" in lines(Follower(recording).look())[-1]


def test_many_stages_are_cut_to_the_slowest(state):
    stage = state["last"]["stages"][0]
    state["last"]["stages"] = [{**stage, "name": f"s{i}", "ticks": i} for i in range(40)]
    shown = lines(state)
    assert "(28 quicker stages not shown)" in shown
    assert any(line.startswith("s39 ") for line in shown)
    assert not any(line.startswith("s27 ") for line in shown)


def test_no_line_is_wider_than_the_terminal_and_none_moves_the_cursor(state):
    state["network"] = "\x1b[2Jevil\n" * 40
    assert all(len(line) <= 60 and line.isprintable() for line in lines(state, 60))


def test_before_the_first_run_it_waits(tmp_path):
    with Recorder(tmp_path / "r") as recorder, Recording(recorder.folder) as recording:
        assert lines(Follower(recording).look())[1] == "waiting for the first whole run"


def test_where_there_is_no_terminal_only_news_is_printed(state):
    out = io.StringIO()
    drawer = Drawer(out)
    drawer.draw(state, 80)
    drawer.draw(state, 80)
    assert out.getvalue().count("\n") == 1
