# SPDX-License-Identifier: Apache-2.0
"""The live page and the report in a real browser: they draw, follow, and complain of nothing."""

import numpy as np
import pytest
from browser import Browser, find_browser
from recorded import CROSSED, PLAN, STORED, TICKS, device_events, record_run

from host_tools.outputs.monitor.follow import Follower
from host_tools.outputs.monitor.server import Server
from host_tools.outputs.report.page import chapter, write_page
from host_tools.recording import Column, Recorder, Recording

HOSTILE = "<img src=x onerror=alert(1)>"
POINTS = "Number(document.getElementById('power').dataset.points)"
RUNS = "document.querySelector('#figures .figure b').textContent"


@pytest.fixture(scope="module")
def browser(request):
    request.getfixturevalue("need")("chromium")
    program = find_browser()
    assert program
    with Browser(program) as found:
        yield found
        assert found.errors == []


class Device:
    """A recording that grows run by run."""

    def __init__(self, recorder):
        self.recorder = recorder
        self.meter = recorder.samples("ppk2", [Column("VDD", "watts", 1e-6)], 10_000)
        self.events = recorder.events("device")
        self.now = 0.0

    def run(self, number):
        found, _ = device_events(1, (0.02, 0.05, 0.01), 0.02, begin=self.now + 0.01, first=number,
                                 maps=CROSSED)
        for at, payload in found:
            self.events.append(round(at * 1e9), payload)
        self.meter.append([np.full(1000, 0.02)], round(self.now * 1e9),
                          round((self.now + 0.0999) * 1e9))
        self.now += 0.1
        self.recorder.flush()


@pytest.fixture
def live(tmp_path):
    plan = {**PLAN, "external_read_bytes": 6000, "stages": [{"name": HOSTILE}, *PLAN["stages"][1:]],
            "maps": [{**STORED[0], "name": HOSTILE, "codec": HOSTILE}, *STORED[1:]]}
    meta = {"device": {"board": HOSTILE, "unit": "us", "ticks_per_second": TICKS},
            "model": {"name": HOSTILE, "plan": plan}}
    with Recorder(tmp_path / "r", meta) as recorder, Recording(tmp_path / "r") as recording, \
            Server(Follower(recording)) as server:
        yield Device(recorder), server


def test_it_draws_follows_and_survives_a_reset(browser, live):
    device, server = live
    browser.open(server.url)
    browser.wait_for("document.getElementById('bytes').textContent.includes('no whole run yet')")
    device.run(1)
    browser.wait_for(f"{RUNS} === '1' && {POINTS} > 20")
    device.run(2)
    browser.wait_for(f"{RUNS} === '2'")
    device.run(1)  # the device restarted and counts from one
    browser.wait_for(f"{RUNS} === '3'")
    rows = browser.value("[...document.querySelectorAll('#stages tbody tr')].map(r => r.cells[0]"
                         ".textContent)")
    assert rows == [HOSTILE, "dw & 2", "head", "whole run"]
    assert browser.value("document.images.length") == 0
    maps = browser.value("[...document.querySelectorAll('#maps tbody tr')].map("
                         "r => [r.cells[0], r.cells[3], r.cells[1]].map(c => c.textContent))")
    assert maps == [[HOSTILE, HOSTILE, "4.00"], ["map & b", "raw", "8.00"],
                    ["pooled c", "zvc, page pool", "3.00"]]
    assert browser.value("[...document.querySelectorAll('#maps .fill')].map(f => f.style.width)"
                         ) == ["50%", "100%", "37.5%"]
    assert "maps read, raw" in browser.value("document.getElementById('bytes').textContent")


def test_pause_zoom_and_hover(browser, live):
    device, server = live
    for number in range(1, 6):
        device.run(number)
    browser.open(server.url)
    browser.wait_for(f"{POINTS} > 20 && Number(document.getElementById('power').dataset.bands) > 5")
    browser.value("document.getElementById('pause').click()")
    assert browser.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    bands = browser.value("Number(document.getElementById('power').dataset.bands)")
    for _ in range(3):
        browser.value("document.getElementById('in').click()")
    browser.wait_for(f"Number(document.getElementById('power').dataset.bands) < {bands}")
    browser.value("document.getElementById('power').dispatchEvent(new PointerEvent('pointermove', "
                  "{clientX: 600, bubbles: true}))")
    assert "VDD: 20.00 mW" in browser.value("document.getElementById('hover').textContent")


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_in_light_and_dark(browser, live, dark):
    device, server = live
    device.run(1)
    browser.open(server.url, 390, 800, dark)
    browser.wait_for(f"{POINTS} > 20")
    assert browser.value("document.documentElement.scrollWidth") <= 390
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(20, 24, 30)") is dark


def test_the_end_of_the_monitor_is_said(browser, tmp_path):
    record_run(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        with Server(Follower(recording)) as server:
            browser.open(server.url)
            browser.wait_for("document.getElementById('status').textContent.includes('ended')")
        browser.wait_for("document.getElementById('status').textContent.includes('monitor has')")
    browser.errors.clear()  # the browser notes the lost connection itself


def test_maps_that_are_not_counted_are_said(browser, tmp_path):
    record_run(tmp_path / "r", meta={"model": {"plan": {**PLAN, "maps": STORED}},
                                     "device": {"counts_maps": False}})
    with Recording(tmp_path / "r") as recording, Server(Follower(recording)) as server:
        browser.open(server.url)
        browser.wait_for("document.getElementById('no-maps').textContent.includes('protocol 1.2')")
        assert browser.value("document.getElementById('maps').hidden") is True


def test_the_report_opens_from_disk_and_sorts(browser, tmp_path):
    record_run(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        write_page(tmp_path / "r.html", [chapter(recording)], "A report")
    browser.open((tmp_path / "r.html").as_uri(), 390, 800)
    browser.wait_for("document.title === 'A report'")
    names = ("[...document.querySelectorAll('table.sortable tbody tr')]"
             ".map(r => r.cells[1].textContent)")
    assert browser.value(names) == ["conv <1>", "dw & 2", "head", "whole run"]
    browser.value("document.querySelectorAll('table.sortable thead th')[2].click()")
    assert browser.value(names) == ["head", "conv <1>", "dw & 2", "whole run"]
    browser.value("document.querySelectorAll('table.sortable thead th')[2].click()")
    assert browser.value(names) == ["dw & 2", "conv <1>", "head", "whole run"]
    assert browser.value("document.documentElement.scrollWidth") <= 390
