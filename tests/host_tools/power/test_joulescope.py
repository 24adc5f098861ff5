# SPDX-License-Identifier: Apache-2.0
"""The Joulescope driver against an object that hands out messages as the maker's package does."""

import sys

import numpy as np
import pytest
from meters import JoulescopeDriver

from edgefm.errors import BadInput, BadMessage, LinkError, LinkLost, MissingTool
from host_tools.power import joulescope
from host_tools.power.joulescope import Joulescope
from host_tools.power.meter import MeterOptions


@pytest.fixture
def driver():
    return JoulescopeDriver()


@pytest.fixture
def meter(driver):
    meter = Joulescope(driver, driver.path, MeterOptions())
    meter.start()
    return meter


def send(driver, first, count, amperes=0.01, volts=3.3, pins=0xF0):
    driver.send("s/i", first, np.full(count, amperes, np.float32))
    driver.send("s/v", first, np.full(count, volts, np.float32))
    driver.send("s/gpi/0", first, np.full(count // 8, pins, np.uint8))


def test_signals_are_joined_by_their_sample_count(driver, meter):
    send(driver, 800, 800)
    driver.send("s/i", 1600, np.full(80, 0.02, np.float32))  # ahead of the others
    piece = meter.read(0.1)
    assert piece.count == 800 and meter.lost == 0
    assert [values[0] for values in piece.values] == pytest.approx([0.01, 3.3, 0])
    np.testing.assert_array_equal(piece.values[2][:8], [0, 0, 0, 0, 1, 1, 1, 1])
    send(driver, 1680, 80)
    driver.send("s/v", 1600, np.full(80, 3.0))
    driver.send("s/gpi/0", 1600, np.zeros(20, np.uint8))
    assert meter.read(0.1) is None or True


def test_the_rate_is_set_and_signals_are_switched(driver, meter):
    assert (f"{driver.path}/h/fs", 100_000) in driver.published
    assert (f"{driver.path}/s/i/ctrl", 1) in driver.published
    meter.stop()
    assert (f"{driver.path}/s/i/ctrl", 0) in driver.published and not driver.functions


def test_missing_and_impossible_samples_are_lost(driver, meter):
    send(driver, 0, 80)
    meter.read(0.1)
    values = np.full(80, 0.01, np.float32)
    values[5:7] = np.nan
    driver.send("s/i", 96, values)
    driver.send("s/v", 80, np.full(96, 3.3))
    driver.send("s/gpi/0", 80, np.zeros(12, np.uint8))
    piece = meter.read(0.1)
    assert piece.gaps == ((0, 16), (5, 2)) and piece.count == 78 and meter.lost == 18
    assert np.isfinite(piece.values[0]).all()


@pytest.mark.parametrize("wrong", [{}, {"sample_id": "x"}, {"sample_id": 0, "decimate_factor": 0},
                                   {"sample_id": 0, "decimate_factor": 1, "data": ["a"]}], ids=str)
def test_a_message_that_is_none_is_refused(driver, meter, wrong):
    topic = f"{driver.path}/s/i/!data"
    driver.functions[topic](topic, wrong)
    with pytest.raises(BadMessage, match="an invalid message"):
        meter.read(0.1)


def test_an_instrument_that_is_unplugged_says_so(driver, meter):
    assert meter.read(0.01) is None
    driver.path = ""
    with pytest.raises(LinkLost, match="unplugged"):
        meter.read(0.01)


def test_a_reader_that_is_too_slow_loses_and_says_so(driver, meter, monkeypatch):
    for number in range(joulescope.MOST_WAITING // 3 + 10):
        send(driver, 8 * number, 8)
    send(driver, 8 * (joulescope.MOST_WAITING // 3 + 10), 8)
    meter.read(0.1)
    send(driver, 8 * (joulescope.MOST_WAITING // 3 + 20), 8)
    meter.read(0.1)
    assert meter.lost >= 80


def test_the_packages_exceptions_are_ours(driver, meter):
    with pytest.raises(LinkLost, match="device is in use"):
        Joulescope(driver, driver.path, MeterOptions())
    meter.close()
    meter.close()
    assert not driver.opened


def test_wrong_options_are_refused(driver):
    with pytest.raises(BadInput, match="at most"):
        Joulescope(driver, driver.path, MeterOptions(values={"rate": "5e6"}))


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, joulescope.PACKAGE, None)
    assert joulescope.find() == []
    with pytest.raises(MissingTool, match="pip install"):
        joulescope.open_meter(MeterOptions())


def test_with_the_package_it_is_found_and_opened(monkeypatch, driver):
    package = type(sys)(joulescope.PACKAGE)
    package.Driver = lambda: driver
    monkeypatch.setitem(sys.modules, joulescope.PACKAGE, package)
    assert joulescope.find() == [driver.path]
    assert joulescope.open_meter(MeterOptions()).source["path"] == driver.path
    with pytest.raises(LinkError, match="not found"):
        joulescope.open_meter(MeterOptions("js999"))
