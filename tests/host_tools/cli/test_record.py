# SPDX-License-Identifier: Apache-2.0
"""record, export and meters as a user types them, with firmware that runs on this machine."""

import json

import numpy as np
import pytest
from meters import Ppk2Board, hwmon_folder, serve

from host_tools.measurement.runs import read_runs
from host_tools.power import hwmon
from host_tools.recording import Recording


@pytest.fixture
def kit():
    """A power profiler on a port."""
    board = Ppk2Board(lambda n: np.full(len(n), 0.01), lambda n: np.zeros_like(n))
    name, unplug = serve(board, lambda b, n: b.words(n).tobytes(), 100_000)
    yield name
    unplug()


def test_a_run_is_recorded_with_its_power_and_exported(edgefm, line, package, photos, kit,
                                                       tmp_path):
    out = tmp_path / "run1"
    said = edgefm("connect", line, "+", "cp", package, ":net.efm", "+", "record", "-o", out,
                  "--meter", f"ppk2:{kit},mode=source,volts=3.3", "--", "run", ":net.efm",
                  photos / "0.png", "--repeat", "5")
    assert "5 runs" in said and "(0 lost on the line)" in said
    assert "aligned by link, off by at most" in said and "whole run" in said
    with Recording(out) as recording:
        runs = list(read_runs(recording.events["device"]))
        assert len(runs) == 5 and all(run.stages and run.end.status == 0 for run in runs)
        assert recording.samples["ppk2"].count > 10_000
        assert recording.samples["ppk2"].ended is None
        assert recording.meta["device"]["board"] == "sim"
        assert recording.meta["model"]["name"] == "small"
        assert recording.meta["run"]["command"].startswith("run :net.efm")
        assert recording.problems == []
    assert "ui.perfetto.dev" in edgefm("export", out, "--chrome-trace")
    trace = json.loads((tmp_path / "run1.trace.json").read_text())
    assert {"X", "C", "M"} <= {event["ph"] for event in trace["traceEvents"]}
    assert "energy.csv" in edgefm("export", out, "--csv", "-o", tmp_path / "tables", "--to", "0.1")
    assert (tmp_path / "tables" / "stages.csv").read_text().count("\n") > 5


def test_without_a_meter_energy_is_modeled_and_says_so(edgefm, line, package, photos, tmp_path):
    said = edgefm("connect", line, "+", "cp", package, ":net.efm", "+", "record", "-o",
                  tmp_path / "r.zip", "--meter", "none", "--", "run", ":net.efm",
                  photos / "0.png")
    assert "modeled: bytes and operations times published costs" in said
    assert "measured" in said and "1 runs" in said
    with Recording(tmp_path / "r.zip") as recording:
        assert len(list(read_runs(recording.events["device"]))) == 1


def test_a_profile_is_recorded_too_and_json_stays_one_object(edgefm, line, package, photos,
                                                            tmp_path):
    said = edgefm("connect", line, "+", "cp", package, ":net.efm", "+", "record", "-o",
                  tmp_path / "r", "--meter", "none", "--", "profile", ":net.efm",
                  photos / "0.png", "--json")
    assert json.loads(said.splitlines()[-1])["schema"] == 1


@pytest.mark.parametrize("words", [
    (), ("--", "zoo"), ("--", "run", "net.efm", "0.png")])
def test_what_cannot_be_recorded_is_refused(edgefm_error, tmp_path, words):
    assert "record: " in edgefm_error("record", "-o", tmp_path / "r", *words)
    assert not (tmp_path / "r").exists()


def test_meters_are_listed_and_tested(edgefm, edgefm_json, edgefm_error, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(hwmon.ROOT, str(tmp_path))
    assert "no power meter is plugged in" in edgefm("meters")
    folder = hwmon_folder(tmp_path, "ina226")
    (folder / "power1_input").write_text("1500000")
    listed = edgefm("meters", "--seconds", "0.1")
    assert f"ina:{folder}" in listed and "1.5" in listed and "good" in listed
    fields = edgefm_json("meters", "--seconds", "0.1")
    assert fields["meters"][0]["watts"] == 1.5 and fields["meters"][0]["problem"] == ""


def test_a_named_meter_that_fails_is_an_error(capfd):
    from host_tools.cli import main

    assert main(["meters", "ppk2:/dev/edgefm-no-such-port"]) == 2
    printed, complaint = capfd.readouterr()
    assert "cannot be opened" in printed and complaint.count("\n") == 1
    assert main(["meters", "wattson"]) == 2
    assert "expected auto, none, or one of" in capfd.readouterr()[1]
