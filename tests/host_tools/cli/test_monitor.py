# SPDX-License-Identifier: Apache-2.0
"""The verb `monitor` as a user types it, with firmware that runs on this machine."""

import argparse
from types import SimpleNamespace

import pytest
from recorded import record_run

from edgefm.errors import DeviceError, LinkLost
from host_tools.cli import monitor
from host_tools.measurement.runs import read_runs
from host_tools.recording import Recording


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


class FakeBoard:
    """A device that breaks off in its third run; counts how often it was closed."""

    def __init__(self, work, repeat, error=LinkLost):
        self.info = SimpleNamespace(info=SimpleNamespace(outputs=()))
        self.ran = self.closed = 0
        self.error, self.repeat, self.work = error, repeat, work

    def device(self):
        return self

    def sha256(self, name):
        return "0" * 64

    def watch(self, take):
        pass

    def close(self):
        self.closed += 1

    def run(self, *_, **__):
        self.ran += 1
        if self.ran == 3:
            raise self.error("gone", -1) if self.error is DeviceError else self.error("gone")
        if self.ran == 6:
            self.work[0].stop.set()


def watched(monkeypatch, repeat, error=LinkLost):
    """A monitor's work with a device that breaks off, done."""
    work = []
    board = FakeBoard(work, repeat, error)
    monkeypatch.setattr(monitor, "device_of", FakeBoard.device)
    monkeypatch.setattr(monitor, "device_stream", lambda *_: (board.info, b"", ""))
    monkeypatch.setattr(monitor, "AGAIN_SECONDS", 0.0)
    recorder = SimpleNamespace(describe_model=lambda *_: None, watch=lambda device: None)
    work.append(monitor._Work(argparse.Namespace(board=board), argparse.Namespace(repeat=repeat),
                              "net", recorder))
    work[0].go_on()
    return board, work[0]


def test_a_device_that_comes_back_is_taken_up_again(monkeypatch):
    board, work = watched(monkeypatch, 0)
    assert (board.ran, board.closed, work.error) == (6, 1, None)


def test_a_counted_job_ends_with_the_line(monkeypatch):
    board, work = watched(monkeypatch, 5)
    assert board.ran == 3
    assert isinstance(work.error, LinkLost)


@pytest.mark.parametrize("repeat", [0, 5])
def test_what_the_device_refuses_ends_the_job(monkeypatch, repeat):
    board, work = watched(monkeypatch, repeat, DeviceError)
    assert board.ran == 3
    assert isinstance(work.error, DeviceError)
