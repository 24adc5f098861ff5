# SPDX-License-Identifier: Apache-2.0
"""Meters by name, tested, and recorded in a thread; known charge per stage on every one of them."""

import time
from dataclasses import replace

import known_charge
import numpy as np
import pytest
from meters import BoardTransport, Lpm01aBoard, Ppk2Board, fake_vcgencmd, hwmon_folder, stages

from edgefm.errors import BadInput
from host_tools.power import hwmon, meters, otii
from host_tools.power.hwmon import Ina
from host_tools.power.lpm01a import Lpm01a
from host_tools.power.meter import MeterOptions
from host_tools.power.meters import MeterRecording, check_meter, parse
from host_tools.power.pmic import read_rails
from host_tools.power.ppk2 import Ppk2, read_calibration, split_words
from host_tools.recording import Recorder, Recording


def test_texts_name_meters():
    kind, options = parse("ppk2:/dev/ttyACM1,mode=source,volts=3.3")
    assert (kind, options.where) == ("ppk2", "/dev/ttyACM1")
    assert options.values == {"mode": "source", "volts": "3.3"}
    assert parse("otii:10.0.0.1:1905")[1].where == "10.0.0.1:1905"
    assert parse("auto")[0] == "auto"
    for wrong in ("", "ppk3", "ppk2,volts"):
        with pytest.raises(BadInput, match="expected"):
            parse(wrong)


def test_none_is_no_meter_and_auto_is_the_best_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(hwmon.ROOT, str(tmp_path))
    monkeypatch.setattr(otii, "ADDRESS", "127.0.0.1:1")
    assert meters.open_meter("none") is None
    assert meters.open_meter("auto") is None
    with pytest.raises(BadInput, match="none is plugged in"):
        meters.open_meter("ina")
    folder = hwmon_folder(tmp_path)
    assert [(f.kind, f.where) for f in meters.find_meters()] == [("ina", str(folder))]
    assert meters.open_meter("auto").name == "ina219@hwmon0"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake_vcgencmd(tmp_path)
    assert [f.kind for f in meters.find_meters()] == ["pi-pmic", "ina"]


def test_a_test_of_a_meter_says_what_is_wrong(tmp_path):
    board = Ppk2Board(lambda n: np.full(len(n), 0.01))
    silent = Ppk2(BoardTransport(board, lambda board, count: b""), MeterOptions())
    assert check_meter(silent, 0.05).problem == "no sample came"
    gone = Ppk2(BoardTransport(board, lambda b, n: b.words(n).tobytes(), reads=2), MeterOptions())
    assert "unplugged" in check_meter(gone, 5).problem
    folder = hwmon_folder(tmp_path)
    (folder / "power1_input").write_text("250000")
    tested = check_meter(Ina(folder, MeterOptions()), 0.05)
    assert (tested.problem, tested.watts, tested.rails) == ("", 0.25, ("rail 1",))


def test_a_meter_that_disappears_ends_its_channel_and_not_the_recording(tmp_path):
    board = Ppk2Board(lambda n: np.full(len(n), 0.01))
    complaints = []
    with Recorder(tmp_path) as recorder:
        device = recorder.events("device")
        transport = BoardTransport(board, lambda b, n: b.words(n).tobytes(), reads=3)
        meter = Ppk2(transport, MeterOptions())
        recording = MeterRecording(meter, recorder, complaints.append)
        recording.start()
        recording._thread.join(10)
        device.append(recorder.now(), b"still here")
        recording.stop()
    with Recording(tmp_path) as recording:
        assert recording.samples["ppk2"].count == 3000
        assert "unplugged" in recording.samples["ppk2"].ended
        assert recording.events["device"].count == 1
        assert recording.meta["state"] == "complete"
        assert recording.samples["ppk2"].description["clock_error"] > 0
    assert len(complaints) == 1 and "its channel ends here" in complaints[0]


@pytest.mark.parametrize("name", known_charge.SCENARIOS)
def test_known_charge_per_stage_is_measured_within_a_percent(tmp_path, name):
    measured, charge = known_charge.SCENARIOS[name](tmp_path / "r")
    assert len(measured) == 4
    assert measured == pytest.approx(charge, rel=0.01)


def test_samples_that_are_no_numbers_end_the_channel_and_not_the_recording(tmp_path):
    board, said = Ppk2Board(lambda n: np.full(len(n), 0.01)), []
    meter = Ppk2(BoardTransport(board, lambda b, n: b.words(n).tobytes()), MeterOptions())
    read = meter.read

    def spoilt(timeout):
        piece = read(timeout)
        return replace(piece, values=(piece.values[0] * np.nan, piece.values[1]))

    meter.read = spoilt
    with Recorder(tmp_path) as recorder:
        recording = MeterRecording(meter, recorder, said.append)
        recording.start()
        recording._thread.join(10)
        recording.stop()
    with Recording(tmp_path) as recording:
        assert "not a number" in recording.samples["ppk2"].ended and "not a number" in said[0]
        assert recording.meta["state"] == "complete"


def test_random_bytes_are_no_samples_and_no_end(monkeypatch):
    monkeypatch.setattr("host_tools.power.meter.BATCH_SECONDS", 0)
    random = np.random.default_rng(11)
    board = Lpm01a(BoardTransport(Lpm01aBoard(lambda n: n), None), MeterOptions())
    for _ in range(100):
        data = random.bytes(random.integers(1, 600))
        split_words(data, None)
        split_words(data, int(random.integers(64)))
        read_calibration(data.decode("latin-1"))
        read_rails(data.decode("latin-1"))
        board._transport._pending = data
        board.read(0.0)


def test_recording_needs_no_more_than_the_meter_gives(tmp_path):
    load, _, _ = stages(known_charge.SECONDS, known_charge.AMPERES, 100_000)
    with Recorder(tmp_path) as recorder:
        meter = Ppk2(BoardTransport(Ppk2Board(load), lambda b, n: b.words(n).tobytes()),
                     MeterOptions(values={"mode": "source", "volts": "3.3"}))
        recording = MeterRecording(meter, recorder)
        recording.start()
        until = time.monotonic() + 10
        while recording.channel.count < 5000:
            assert time.monotonic() < until
            time.sleep(0.01)
        recording.stop()
    with Recording(tmp_path) as got:
        channel = got.samples["ppk2"]
        assert channel.count == recording.channel.count and channel.ended is None
        part = channel.read()
        expected = load(part.index)
        assert np.abs(part.column("amperes") - expected).max() < 2e-4
        assert part.column("watts") == pytest.approx(part.column("amperes") * 3.3)
