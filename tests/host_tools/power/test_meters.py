# SPDX-License-Identifier: Apache-2.0
"""Meters by name, tested, and recorded in a thread; known charge per stage on every one of them."""

import time
from itertools import pairwise

import numpy as np
import pytest
from meters import (
    BoardTransport,
    JoulescopeDriver,
    Lpm01aBoard,
    OtiiServer,
    Ppk2Board,
    fake_vcgencmd,
    hwmon_folder,
    stages,
)

from edgefm.errors import BadInput
from host_tools.power import hwmon, meters, otii
from host_tools.power.hwmon import Ina
from host_tools.power.joulescope import Joulescope
from host_tools.power.lpm01a import Lpm01a
from host_tools.power.meter import Options
from host_tools.power.meters import MeterRecording, check_meter, parse
from host_tools.power.pmic import PiPmic
from host_tools.power.ppk2 import Ppk2
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
    silent = Ppk2(BoardTransport(board, lambda board, count: b""), Options())
    assert check_meter(silent, 0.05).problem == "no sample came"
    gone = Ppk2(BoardTransport(board, lambda b, n: b.words(n).tobytes(), reads=2), Options())
    assert "unplugged" in check_meter(gone, 5).problem
    folder = hwmon_folder(tmp_path)
    (folder / "power1_input").write_text("250000")
    tested = check_meter(Ina(folder, Options()), 0.05)
    assert (tested.problem, tested.watts, tested.rails) == ("", 0.25, ("rail 1",))


def test_a_meter_that_disappears_ends_its_channel_and_not_the_recording(tmp_path):
    board = Ppk2Board(lambda n: np.full(len(n), 0.01))
    complaints = []
    with Recorder(tmp_path) as recorder:
        device = recorder.events("device")
        meter = Ppk2(BoardTransport(board, lambda b, n: b.words(n).tobytes(), reads=3), Options())
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


SECONDS = [0.13, 0.31, 0.07, 0.29]
AMPERES = [12e-3, 3e-3, 40e-3, 0.5e-3]


def charge_by_stage(pieces, edges):
    """Amperes times the time to the next sample, by stage; samples before the first edge do not
    count."""
    times = np.concatenate([piece.seconds for piece in pieces])
    current = np.concatenate([piece.values[0] for piece in pieces])
    steps = np.append(np.diff(times), np.diff(times).mean())
    return [float((current * steps)[(times >= a - 1e-9) & (times < b - 1e-9)].sum())
            for a, b in pairwise(edges)]


def within_a_percent(got, charge):
    assert got == pytest.approx(charge, rel=0.01)


def edges_from(start):
    return start + np.concatenate([[0], np.cumsum(SECONDS)])


def by_number(pieces, rate):
    """Pieces whose times are those of their sample numbers, so that a test depends on no clock."""
    index, result = 0, []
    for piece in pieces:
        here = np.arange(piece.count)
        for at, lost in piece.gaps:
            here[at:] += lost
        result.append(type(piece)(piece.values, times=(
            (index + here) * (1e9 / rate)).round().astype(np.int64)))
        index += piece.count + piece.lost
    return result


def test_known_charge_per_stage_on_a_ppk2():
    load, pins, charge = stages(SECONDS, AMPERES, 100_000)
    meter = Ppk2(BoardTransport(Ppk2Board(load, pins), lambda b, n: b.words(n).tobytes(),
                                samples=8000), Options())
    meter.start()
    pieces = by_number([meter.read(0.1) for _ in range(10)], 100_000)
    within_a_percent(charge_by_stage(pieces, edges_from(0)), charge)


def test_known_charge_per_stage_on_an_lpm01a():
    load, _, charge = stages(SECONDS, [a / 5 for a in AMPERES], 5000)
    meter = Lpm01a(BoardTransport(Lpm01aBoard(load), lambda b, n: b"".join(b.lines(n))),
                   Options(values={"rate": "5000"}))
    meter.start()
    pieces = by_number([meter.read(0.1) for _ in range(4)], 5000)
    within_a_percent(charge_by_stage(pieces, edges_from(0)), charge)


def test_known_charge_per_stage_on_a_joulescope():
    load, _, charge = stages(SECONDS, AMPERES, 100_000)
    driver = JoulescopeDriver()
    meter = Joulescope(driver, driver.path, Options())
    meter.start()
    for at in range(0, 80_000, 8000):
        driver.send("s/i", at, load(np.arange(at, at + 8000)).astype(np.float32))
        driver.send("s/v", at, np.full(8000, 3.3, np.float32))
        driver.send("s/gpi/0", at, np.zeros(1000, np.uint8))
    pieces = by_number([meter.read(0.1)], 100_000)
    within_a_percent(charge_by_stage(pieces, edges_from(0)), charge)


def test_known_charge_per_stage_on_an_otii():
    load, _, charge = stages(SECONDS, AMPERES, 4000)
    now = [0.0]
    server = OtiiServer(load, clock=lambda: now[0])
    meter = otii.open_meter(Options(server.address))
    meter.start()
    pieces = []
    for now[0] in np.arange(1, 18) * 0.05:
        pieces += [piece for piece in [meter.read(0.01)] if piece]
    meter.close()
    server.close()
    within_a_percent(charge_by_stage(by_number(pieces, 4000), edges_from(0)), charge)


class Simulated:
    """A clock that only polls move, and the load at that time."""

    def __init__(self, seconds=20.0):
        self.now = 10**9
        self.load, _, charge = stages([s * seconds for s in SECONDS], AMPERES, 1000)
        self.charge = charge
        self.edges = 1.0 + np.concatenate([[0], np.cumsum(SECONDS)]) * seconds

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)

    def amperes(self):
        return float(self.load(np.array([(self.now - 10**9) // 10**6]))[0])

    def pieces(self, meter):
        meter._clock, meter._sleep = self.clock, self.sleep
        meter.start()
        got = []
        while self.now < (self.edges[-1] + 0.1) * 1e9:
            got.append(meter.read(0.05))
        return got


def test_known_charge_per_stage_on_a_chip_behind_hwmon(tmp_path):
    folder = hwmon_folder(tmp_path)
    time = Simulated(seconds=10.0)
    meter = Ina(folder, Options(values={"polls": "200"}))
    poll = meter.poll

    shown = [""]

    def measured():
        text = str(round(time.amperes() * 1e3))
        if text != shown[0]:
            shown[0] = text
            (folder / "curr1_input").write_text(text)
        return poll()

    meter.poll = measured
    pieces = [type(p)((p.values[1],), times=p.times) for p in time.pieces(meter)]
    charge = [round(a * 1e3) * 1e-3 * (b - c) for a, b, c in
              zip(AMPERES, time.edges[1:], time.edges, strict=False)]  # the kernel's unit is 1 mA
    within_a_percent(charge_by_stage(pieces, time.edges), charge)


def test_known_charge_per_stage_on_a_pi(tmp_path):
    program = fake_vcgencmd(tmp_path)
    time = Simulated(seconds=10.0)
    meter = PiPmic(Options(str(program), {"polls": "50"}))
    meter._ask = lambda: (f"DDR_VDD2_A current(3)={time.amperes():.8f}A\n"
                          "DDR_VDD2_V volt(11)=1.10842500V\n")
    meter._rails = ("DDR_VDD2",)
    meter.columns = meter.columns[:3]
    pieces = [type(p)((p.values[1],), times=p.times) for p in time.pieces(meter)]
    within_a_percent(charge_by_stage(pieces, time.edges), time.charge)


def test_recording_needs_no_more_than_the_meter_gives(tmp_path):
    load, _, _ = stages(SECONDS, AMPERES, 100_000)
    with Recorder(tmp_path) as recorder:
        meter = Ppk2(BoardTransport(Ppk2Board(load), lambda b, n: b.words(n).tobytes()),
                     Options(values={"mode": "source", "volts": "3.3"}))
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
