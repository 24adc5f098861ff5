# SPDX-License-Identifier: Apache-2.0
"""Loads of known charge per stage, measured with every emulated meter and recorded.

Each function records stages of known length and current into a folder and gives (measured, true)
charges of the stages in C. Times are those of sample numbers or of a clock that only polls move,
so that a loaded machine changes nothing.
"""

from __future__ import annotations

import numpy as np
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

from host_tools.measurement.energy import integrate
from host_tools.power import otii
from host_tools.power.hwmon import Ina
from host_tools.power.joulescope import Joulescope
from host_tools.power.lpm01a import Lpm01a
from host_tools.power.meter import MeterOptions, Piece
from host_tools.power.meters import write_piece
from host_tools.power.pmic import PiPmic
from host_tools.power.ppk2 import Ppk2
from host_tools.recording import Recorder, Recording

SECONDS = [0.13, 0.31, 0.07, 0.29]
AMPERES = [12e-3, 3e-3, 40e-3, 1e-3]
SLOW_AMPERES = [0.12, 0.03, 0.4, 0.05]  # of meters that are polled, whose stages are long


def by_number(pieces, rate):
    """The pieces with times of their sample numbers."""
    index = 0
    for piece in pieces:
        here = np.arange(piece.count)
        for at, lost in piece.gaps:
            here[at:] += lost
        times = np.rint((index + here) * 1e9 / rate).astype(np.int64)
        yield Piece(piece.values, times=times, gaps=piece.gaps)
        index += piece.count + piece.lost


def measured(folder, meter, pieces, edges):
    """Record what a meter gave, and integrate its first current between edges."""
    with Recorder(folder) as recorder:
        channel = recorder.samples(meter.name, meter.columns, None, meter.source)
        for piece in pieces:
            write_piece(channel, piece, 0)
    with Recording(folder) as recording:
        samples = recording.samples[meter.name]
        column = [c.quantity for c in samples.columns].index("amperes")
        return integrate(samples, column, edges[:-1], edges[1:]).value.tolist()


def edges_from(start, seconds=SECONDS):
    return start + np.concatenate([[0], np.cumsum(seconds)])


def ppk2(folder):
    load, pins, charge = stages(SECONDS, AMPERES, 100_000)
    meter = Ppk2(BoardTransport(Ppk2Board(load, pins), lambda b, n: b.words(n).tobytes(),
                                samples=8000), MeterOptions())
    meter.start()
    pieces = by_number([meter.read(0.1) for _ in range(10)], 100_000)
    return measured(folder, meter, pieces, edges_from(0)), charge


def lpm01a(folder):
    load, _, charge = stages(SECONDS, [a / 5 for a in AMPERES], 5000)
    meter = Lpm01a(BoardTransport(Lpm01aBoard(load), lambda b, n: b"".join(b.lines(n))),
                   MeterOptions(values={"rate": "5000"}))
    meter.start()
    pieces = by_number([meter.read(0.1) for _ in range(4)], 5000)
    return measured(folder, meter, pieces, edges_from(0)), charge


def lpm01a_words(folder):
    """At 100,000 samples per second; the driver knows the first second when the next begins."""
    load, _, charge = stages(SECONDS, AMPERES, 100_000)
    meter = Lpm01a(BoardTransport(Lpm01aBoard(load), lambda b, n: b"".join(b.words(n)),
                                  samples=8000), MeterOptions(values={"rate": "100000"}))
    meter.start()
    pieces = [piece for _ in range(30) if (piece := meter.read(0.1))]
    return measured(folder, meter, by_number(pieces, 100_000), edges_from(0)), charge


def joulescope(folder):
    load, _, charge = stages(SECONDS, AMPERES, 100_000)
    driver = JoulescopeDriver()
    meter = Joulescope(driver, driver.path, MeterOptions())
    meter.start()
    for at in range(0, 80_000, 8000):
        driver.send("s/i", at, load(np.arange(at, at + 8000)).astype(np.float32))
        driver.send("s/v", at, np.full(8000, 3.3, np.float32))
        driver.send("s/gpi/0", at, np.zeros(1000, np.uint8))
    return measured(folder, meter, by_number([meter.read(0.1)], 100_000), edges_from(0)), charge


def otii_arc(folder):
    load, _, charge = stages(SECONDS, AMPERES, 4000)
    now = [0.0]
    server = OtiiServer(load, clock=lambda: now[0])
    meter = otii.open_meter(MeterOptions(server.address))
    meter.start()
    pieces = []
    for now[0] in np.arange(1, 18) * 0.05:
        pieces += [piece for piece in [meter.read(0.01)] if piece]
    meter.close()
    server.close()
    return measured(folder, meter, by_number(pieces, 4000), edges_from(0)), charge


class Simulated:
    """A clock that only polls move, and the load at that time."""

    def __init__(self, scale):
        self.now = 10**9
        self.load, _, self.charge = stages([s * scale for s in SECONDS], SLOW_AMPERES, 1000)
        self.edges = edges_from(1.0, [s * scale for s in SECONDS])

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)

    def amperes(self):
        return float(self.load(np.array([(self.now - 10**9) // 10**6]))[0])

    def pieces(self, meter):
        meter._clock, meter._sleep = self.clock, self.sleep
        meter.start()
        while self.now < (self.edges[-1] + 0.1) * 1e9:
            yield meter.read(0.05)


def ina(folder):
    """Stages of 2 to 9 s, 200 polls per second."""
    chip = hwmon_folder(folder / "hwmon")
    time = Simulated(30.0)
    meter = Ina(chip, MeterOptions(values={"polls": "200"}))
    poll, shown = meter.poll, [""]

    def measure():
        text = str(round(time.amperes() * 1e3))
        if text != shown[0]:
            shown[0] = text
            (chip / "curr1_input").write_text(text)
        return poll()

    meter.poll = measure
    return measured(folder / "run", meter, time.pieces(meter), time.edges), time.charge


def pi_pmic(folder):
    """Stages of 4 to 19 s, 50 polls per second."""
    folder.mkdir(exist_ok=True)
    program = fake_vcgencmd(folder, "DDR_VDD2_A current(3)=0.1A\nDDR_VDD2_V volt(11)=1.1V\n")
    time = Simulated(60.0)
    meter = PiPmic(MeterOptions(str(program), {"polls": "50"}))
    meter._ask = lambda: (f"DDR_VDD2_A current(3)={time.amperes():.8f}A\n"
                          "DDR_VDD2_V volt(11)=1.10842500V\n")
    return measured(folder / "run", meter, time.pieces(meter), time.edges), time.charge


SCENARIOS = {"ppk2": ppk2, "joulescope": joulescope, "lpm01a": lpm01a,
             "lpm01a, words": lpm01a_words, "otii": otii_arc,
             "pi-pmic": pi_pmic, "ina": ina}
