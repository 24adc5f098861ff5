# SPDX-License-Identifier: Apache-2.0
"""A device's events and a meter's samples end up in one recording, whatever goes wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
from meters import BoardTransport, Ppk2Board
from recorded import CROSSED, PLAN, STORED, UNKNOWN_EVENT, device_events

from edgefm.errors import BadInput, LinkLost
from edgefm.package.read import StreamInfo
from edgefm.package.traffic import MapInfo
from host_tools.link.capability import Info
from host_tools.link.session import Event
from host_tools.measurement.about import recorded_maps
from host_tools.measurement.record import RunRecorder
from host_tools.measurement.runs import count_unknown, read_runs
from host_tools.power.meter import MeterOptions
from host_tools.power.ppk2 import Ppk2
from host_tools.recording import Recording

INFO = Info(b"\x01\x02\x03\x04\x05\x06\x07\x08", "board", 0, 1, 1, 65536, 1 << 20, 1 << 20, 1000,
            1, 0, 4, "us", True, 1_000_000, 100)


class Board:
    """A device that says what a test wants."""

    info, name, bytes_per_second, counts_maps = INFO, "test", 11520.0, True

    def __init__(self):
        self.tap, self.now = None, 0

    def watch(self, tap):
        self.tap = tap

    def round_trip(self):
        self.now += 1_000_000
        return self.now, self.now + 250_000

    def run(self, extra=()):
        for _, payload in device_events(2, [0.01, 0.02, 0.03], 0.01, maps=CROSSED)[0]:
            self.tap(Event(payload, 0))
        for payload, missed in extra:
            self.tap(Event(payload, missed))


def meter(**more):
    board = Ppk2Board(lambda n: np.full(len(n), 0.01))
    return Ppk2(BoardTransport(board, lambda b, n: b.words(n).tobytes(), **more),
                MeterOptions(values={"mode": "source", "volts": "3.3"}))


def test_everything_of_a_run_is_recorded(tmp_path):
    board = Board()
    with RunRecorder(tmp_path / "r", {"run": {"command": "run"}}, meter()) as recorder:
        recorder.watch(board)
        board.run()
        recorder.measure_link(board)
    with Recording(tmp_path / "r") as recording:
        assert [run.maps for run in read_runs(recording.events["device"])] == [CROSSED] * 2
        assert recording.events["clock"].count == 16
        assert recording.samples["ppk2"].count > 100
        device = recording.meta["device"]
        assert (device["board"], device["build"], device["known"]) == (
            "board", "0102030405060708", True)
        assert device["counts_maps"] is True
        assert device["bytes_per_second"] == 11520 and device["ticks_per_second"] == 1_000_000
        assert recording.meta["state"] == "complete" and recording.problems == []


def test_an_unknown_firmware_is_said_once_and_recorded_as_it_is(tmp_path):
    board, said = Board(), []
    with RunRecorder(tmp_path / "r", {}, None, said.append) as recorder:
        recorder.watch(board)
        board.run([(UNKNOWN_EVENT, 0), (b"", 2), (UNKNOWN_EVENT, 0)])
    assert len(said) == 1 and "does not know this firmware (build 0102030405060708)" in said[0]
    with Recording(tmp_path / "r") as recording:
        device = recording.events["device"]
        assert [e.payload for e in device.read()][-1] == UNKNOWN_EVENT
        assert count_unknown(device) == 3 and device.lost == 2
        assert recording.meta["device"]["known"] is False


def test_a_meter_that_goes_away_is_said_and_the_run_goes_on(tmp_path):
    board, said = Board(), []
    with RunRecorder(tmp_path / "r", {}, meter(reads=2), said.append) as recorder:
        recorder.watch(board)
        board.run()
    assert len(said) == 1 and "its channel ends here" in said[0]
    with Recording(tmp_path / "r") as recording:
        assert "unplugged" in recording.samples["ppk2"].ended
        assert recording.meta["state"] == "complete"


def test_a_run_that_fails_leaves_what_came_until_then(tmp_path):
    with pytest.raises(LinkLost), RunRecorder(tmp_path / "r", {}, meter()) as recorder:
        recorder.watch(Board())
        recorder.take(Event(b"\x04last words", 0))
        raise LinkLost("the device is gone")
    with Recording(tmp_path / "r") as recording:
        assert recording.meta["state"] == "stopped by LinkLost"
        assert recording.events["device"].count == 1


def test_a_zip_is_packed_at_the_end(tmp_path):
    with RunRecorder(tmp_path / "r.zip", {}) as recorder:
        recorder.watch(board := Board())
        board.run()
    assert [path.name for path in tmp_path.iterdir()] == ["r.zip"]
    with Recording(tmp_path / "r.zip") as recording:
        assert len(list(read_runs(recording.events["device"]))) == 2
    with pytest.raises(BadInput, match="exists already"):
        RunRecorder(tmp_path / "r.zip", {})


def test_a_plan_that_a_package_gives_is_kept(tmp_path):
    package = SimpleNamespace(
        name="net", model_sha256="a", plan_sha256="b",
        plan={**PLAN, "maps": STORED},
        streams=(None, StreamInfo("map & b", 5, 4, 4, "float32")))
    with RunRecorder(tmp_path / "r", {}) as recorder:
        recorder.describe_model(package, "c")
    with Recording(tmp_path / "r") as recording:
        model = recording.meta["model"]
        assert model["codecs"] == ["context", "raw", "zvc"]
        assert model["plan"]["macs"] == PLAN["macs"]
        assert model["package_sha256"] == "c"
        assert recorded_maps(recording.meta) == (
            MapInfo("map <a>", "context", 10, 80, 80), MapInfo("map & b", "raw", 5, 64, 16),
            MapInfo("pooled c", "zvc", 4, 50, 50, True))
