# SPDX-License-Identifier: Apache-2.0
"""The verb `monitor` as a user types it, with firmware that runs on this machine."""

from recorded import record_run

from host_tools.recording import Recording
from host_tools.runs import read_runs


def test_runs_are_shown_and_kept(edgefm, line, package, photos, tmp_path):
    out = tmp_path / "run"
    said = edgefm("connect", line, "+", "cp", package, ":net.efm", "+", "monitor", "--no-browser",
                  "--meter", "none", "-o", out, "--", "run", ":net.efm", photos / "0.png",
                  "--repeat", "4")
    assert "http://127.0.0.1:" in said
    assert "sim: small, 4 runs, fast memory" in said
    with Recording(out) as recording:
        runs = list(read_runs(recording.events["device"]))
        assert [run.end.status for run in runs] == [0] * 4
        assert recording.meta["state"] == "complete"


def test_a_recording_that_has_ended_is_shown_once(edgefm, tmp_path):
    record_run(tmp_path / "r")
    assert "sim <b>: net, 3 runs" in edgefm("monitor", "--no-browser", tmp_path / "r")


def test_what_cannot_be_watched_is_one_line(edgefm_error, tmp_path):
    assert "expected -- run or profile" in edgefm_error("monitor", "--no-browser", "--", "compile")
    assert "monitor" in edgefm_error("monitor", "--no-browser", tmp_path / "nothing")
