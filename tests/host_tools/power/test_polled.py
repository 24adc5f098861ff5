# SPDX-License-Identifier: Apache-2.0
"""Chips behind hwmon and the Pi's PMIC: values, labels, missed polls, chips that go away."""

import numpy as np
import pytest
from meters import PMIC, fake_vcgencmd, hwmon_folder

from edgefm.errors import LinkError, LinkLost
from host_tools.power import hwmon, pmic
from host_tools.power.meter import MeterOptions
from host_tools.power.polled import PolledMeter
from host_tools.recording.chunks import Column


class Time:
    """A clock that moves when the code sleeps."""

    def __init__(self):
        self.now = 10**9

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)


class Counter(PolledMeter):
    """Answers with the time in s, after `takes[i]` seconds; None where `fails[i]`."""

    def __init__(self, polls, takes=(), fails=()):
        self.time = Time()
        self.takes, self.fails, self.polls = takes, fails, 0
        super().__init__("counter", [Column("x", "watts", 1e-6)], polls, {}, self.time.clock,
                         self.time.sleep)

    def poll(self):
        number, self.polls = self.polls, self.polls + 1
        self.time.sleep(self.takes[number] if number < len(self.takes) else 0)
        return None if number in self.fails else [self.time.now / 1e9]


def test_polls_are_evenly_spread():
    meter = Counter(100)
    meter.start()
    piece = meter.read(1.0)
    np.testing.assert_array_equal(np.diff(piece.times), 10_000_000)
    assert meter.lost == 0 and piece.values[0] == pytest.approx(piece.seconds)


def test_a_slow_answer_costs_the_polls_that_were_due():
    meter = Counter(100, takes=[0, 0, 0.035])
    meter.start()
    piece = meter.read(0.2)
    assert piece.gaps == ((3, 2),) and meter.lost == 2
    assert piece.seconds[2] - piece.seconds[1] == pytest.approx(0.01 + 0.0175)


def test_an_answer_that_is_none_is_a_lost_sample():
    meter = Counter(100, fails=[1, 3])
    meter.start()
    piece = meter.read(0.2)
    assert piece.gaps == ((1, 1), (2, 1)) and meter.lost == 2


def test_no_answer_for_long_is_a_meter_that_is_gone():
    meter = Counter(10, fails=range(100))
    meter.start()
    with pytest.raises(LinkLost, match="no whole answer for 2 s"):
        for _ in range(40):
            meter.read(0.1)


def test_a_chip_is_read_in_its_units(tmp_path, monkeypatch):
    folder = hwmon_folder(tmp_path, "ina226", interval=4)
    hwmon_folder(tmp_path, "cpu_thermal", 1)
    (folder / "in1_label").write_text("VDD_MEM\n")
    for name, value in (("in1", 3301), ("curr1", -12), ("power1", 39_612)):
        (folder / f"{name}_input").write_text(f"{value}\n")
    monkeypatch.setenv(hwmon.ROOT, str(tmp_path))
    assert hwmon.find() == [str(folder)]
    meter = hwmon.open_meter(MeterOptions(hwmon.find()[0]))
    meter.start()
    piece = meter.read(0.02)
    assert [(c.rail, c.quantity) for c in meter.columns] == [
        ("VDD_MEM", "volts"), ("VDD_MEM", "amperes"), ("VDD_MEM", "watts")]
    assert [values[0] for values in piece.values] == pytest.approx([3.301, -0.012, 0.039612])
    assert meter.source["polls_per_second"] == 250.0 and meter.name == "ina226@hwmon0"


def test_a_chip_of_three_rails_that_does_not_multiply(tmp_path):
    folder = hwmon_folder(tmp_path, "ina3221", rails=3, power=False)
    meter = hwmon.open_meter(MeterOptions(str(folder)))
    assert len(meter.columns) == 9 and len(meter.poll()) == 6
    assert meter.columns[5].product == (3, 4)


def test_a_chip_that_is_unbound_is_gone(tmp_path):
    folder = hwmon_folder(tmp_path)
    meter = hwmon.open_meter(MeterOptions(str(folder)))
    meter.start()
    (folder / "curr1_input").unlink()
    with pytest.raises(LinkLost, match="curr1_input is gone"):
        meter.read(0.01)


def test_half_a_number_is_a_lost_sample(tmp_path):
    folder = hwmon_folder(tmp_path)
    meter = hwmon.open_meter(MeterOptions(str(folder)))
    (folder / "in1_input").write_text("")
    assert meter.poll() is None


def test_a_folder_without_rails_is_refused(tmp_path):
    with pytest.raises(LinkError, match="expected the hwmon folder"):
        hwmon.open_meter(MeterOptions(str(tmp_path)))


def test_the_pis_rails_are_read(tmp_path, monkeypatch):
    fake_vcgencmd(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert pmic.find() == [str(tmp_path / "vcgencmd")]
    meter = pmic.open_meter(MeterOptions())
    assert [c.rail for c in meter.columns if c.quantity == "watts"] == [
        "3V7_WL_SW", "3V3_SYS", "DDR_VDD2", "DDR_VDDQ", "VDD_CORE"]
    assert meter.source["external_memory_rails"] == ["DDR_VDD2", "DDR_VDDQ"]
    row = meter.poll()
    assert row[4] * row[5] == pytest.approx(1.108425 * 0.09368928)
    (tmp_path / "answer").write_text(PMIC.replace("VDD_CORE_V", "VDD_COR"))
    assert meter.poll() is None
    (tmp_path / "answer").unlink()
    meter.start()
    with pytest.raises(LinkLost, match="no whole answer"):
        for _ in range(60):
            meter._answered -= 200_000_000
            meter.read(0.02)


def test_another_pi_has_no_rails(tmp_path, monkeypatch):
    fake_vcgencmd(tmp_path, "Command not registered\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert pmic.find() == []
    with pytest.raises(LinkError, match="only a Raspberry Pi 5"):
        pmic.open_meter(MeterOptions())
    monkeypatch.setenv("PATH", "/nonexistent")
    assert pmic.find() == []
    with pytest.raises(LinkError, match="no such program"):
        pmic.open_meter(MeterOptions())


def test_rails_in_other_words_are_the_same():
    text = "VDD_A  current(1) = 1.5e-3A\nVDD_V volt(2)=850mV\nX_A current(3)=1.2.3A\nX_V volt(3)=1V"
    assert pmic.read_rails(text) == {"VDD": (0.85, 1.5e-3)}
