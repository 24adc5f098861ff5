# SPDX-License-Identifier: Apache-2.0
"""Meters by name: what is plugged in, opening one, testing it, recording it in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from edgefm.errors import BadInput, EdgefmError, LinkLost
from host_tools.power import hwmon, joulescope, lpm01a, otii, pmic, ppk2
from host_tools.power.meter import Meter, MeterOptions, Piece
from host_tools.recording.recorder import Recorder
from host_tools.recording.writer import SampleWriter

DRIVERS: tuple[ModuleType, ...] = (ppk2, joulescope, lpm01a, otii, pmic, hwmon)
KINDS = tuple(str(driver.KIND) for driver in DRIVERS)
TEST_SECONDS = 0.5
SILENCE_SECONDS = 3.0   # a started meter that says nothing for so long is gone
READ_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class FoundMeter:
    """A meter that could be opened."""

    kind: str
    where: str


@dataclass(frozen=True, slots=True)
class Tested:
    """What a meter did in a short test; `problem` is empty when all was well."""

    name: str
    rails: tuple[str, ...]
    samples: int
    lost: int
    seconds: float
    watts: float | None
    problem: str


def find_meters() -> list[FoundMeter]:
    """Every meter that is plugged in, best first."""
    return [FoundMeter(str(driver.KIND), where) for driver in DRIVERS for where in driver.find()]


def parse(text: str) -> tuple[str, MeterOptions]:
    """`KIND`, `KIND:WHERE`, `KIND:WHERE,key=value,…`, `KIND,key=value`. Raises BadInput."""
    first, *rest = text.split(",")
    kind, _, where = first.partition(":")
    if kind not in (*KINDS, "auto", "none"):
        raise BadInput(f"meter {kind!r}: expected auto, none, or one of {', '.join(KINDS)}")
    values = {}
    for item in rest:
        key, equals, value = item.partition("=")
        if not equals:
            raise BadInput(f"meter option {item!r}: expected key=value")
        values[key] = value
    return kind, MeterOptions(where, values)


def open_meter(text: str) -> Meter | None:
    """The meter that a text names; None for `none`, and for `auto` when nothing is plugged in.

    Raises BadInput, LinkError, MissingTool.
    """
    kind, options = parse(text)
    if kind == "none":
        return None
    if kind == "auto":
        found = next(iter(find_meters()), None)
        if found is None:
            return None
        kind, options = found.kind, MeterOptions(found.where, options.values)
    driver = DRIVERS[KINDS.index(kind)]
    if not options.where and kind in (ppk2.KIND, lpm01a.KIND, hwmon.KIND):
        places = driver.find()
        if not places:
            raise BadInput(f"meter {kind}: none is plugged in; {kind}:PLACE selects one")
        options = MeterOptions(places[0], options.values)
    meter: Meter = driver.open_meter(options)
    return meter


def check_meter(meter: Meter, seconds: float = TEST_SECONDS) -> Tested:
    """Measure for a moment: do samples come, at the rate that it says, without loss?"""
    pieces: list[Piece] = []
    problem = ""
    began = time.monotonic()
    try:
        meter.start()
        while time.monotonic() - began < seconds:
            if piece := meter.read(READ_SECONDS):
                pieces.append(piece)
        meter.stop()
    except EdgefmError as error:
        problem = str(error)
    took = time.monotonic() - began
    samples, lost = sum(piece.count for piece in pieces), sum(piece.lost for piece in pieces)
    if not problem and not samples:
        problem = "no sample came"
    elif not problem and meter.rate and not 0.5 < (samples + lost) / took / meter.rate < 1.5:
        problem = f"{samples / took:,.0f} samples/s came, expected {meter.rate:,.0f}"
    rails = tuple(dict.fromkeys(c.rail for c in meter.columns if c.quantity != "digital"))
    return Tested(meter.name, rails, samples, lost, took, _mean_watts(meter, pieces), problem)


def _mean_watts(meter: Meter, pieces: list[Piece]) -> float | None:
    """Sum over rails of their mean power, None when the meter knows none."""
    stored = [i for i, column in enumerate(meter.columns) if column.product is None]
    full = [piece for piece in pieces if piece.count]
    total, known = 0.0, False
    for column in meter.columns:
        if column.quantity != "watts" or not full:
            continue
        parts = [stored.index(i) for i in column.product or (meter.columns.index(column),)]
        values = [np.prod([piece.values[i] for i in parts], axis=0) for piece in full]
        total, known = total + float(np.concatenate(values).mean()), True
    return total if known else None


class MeterRecording:
    """A meter that is read in a thread and written into a recording, until stop().

    A meter that disappears ends its channel, with the reason, and not the recording.
    """

    def __init__(self, meter: Meter, recorder: Recorder,
                 complain: Callable[[str], None] = lambda text: None) -> None:
        self.meter, self._recorder, self._complain = meter, recorder, complain
        self.channel: SampleWriter = recorder.samples(meter.name, meter.columns, meter.rate,
                                                      meter.source)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"meter {meter.name}")

    def start(self) -> None:
        """Begin to measure. Raises what the meter raises."""
        self.meter.start()
        self._thread.start()

    def stop(self) -> None:
        """End measuring; what came last is written."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._read_until_told()
            self.meter.stop()
        except (EdgefmError, ValueError, OSError) as error:  # it, its samples, or our disk
            self._complain(f"{self.meter.name}: {error}; its channel ends here")
            with suppress(OSError):
                self.channel.finish(str(error), self._recorder.now())
        finally:
            with suppress(OSError, EdgefmError):
                self.channel.describe({"clock_error": self.meter.clock_error()},
                                      self._recorder.now())
                self.meter.close()

    def _read_until_told(self) -> None:
        quiet = 0.0  # seconds of waiting: a host that was stopped has not waited
        while not self._stop.is_set():
            began = time.monotonic()
            piece = self.meter.read(READ_SECONDS)
            if piece is None:
                quiet += min(time.monotonic() - began, 2 * READ_SECONDS)
                if quiet > SILENCE_SECONDS:
                    raise LinkLost(f"no sample for {SILENCE_SECONDS:g} s")
                continue
            quiet = 0.0
            write_piece(self.channel, piece, self._recorder.origin)


def write_piece(channel: SampleWriter, piece: Piece, origin: int) -> None:
    """Append what a meter read; `origin` is time.monotonic_ns() when the recording began."""
    if piece.times is not None:
        channel.append_timed(piece.values, piece.times - origin, piece.gaps)
    else:
        channel.append(piece.values, piece.start - origin, piece.end - origin, piece.gaps)
