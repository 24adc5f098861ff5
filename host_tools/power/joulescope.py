# SPDX-License-Identifier: Apache-2.0
"""Joulescope JS110 and JS220, through the maker's package pyjoulescope_driver (optional).

The package hands out each signal in messages of its own: `sample_id` counts the instrument's own
samples, `decimate_factor` of which make one that we get. Samples that are missing leave a step in
the count, samples that the instrument could not take are NaN; both are lost samples here.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from edgefm.errors import BadInput, BadMessage, LinkError, LinkLost, MissingTool
from host_tools.power.meter import Floats, Meter, MeterOptions, Piece, SampleClock
from host_tools.recording.chunks import Column

KIND = "joulescope"
PACKAGE = "pyjoulescope_driver"
RATE = 100_000.0
MOST_RATE = 1_000_000.0
SIGNALS = {"s/i": "amperes", "s/v": "volts", "s/gpi/0": "digital"}
MOST_WAITING = 4096     # messages; a reader that is slower than that loses samples and says so


class Driver(Protocol):
    """What we use of pyjoulescope_driver.Driver."""

    def device_paths(self) -> list[str]:
        """Instruments that are plugged in."""

    def open(self, path: str, mode: str) -> object:
        """Take one."""

    def close(self, path: str) -> object:
        """Give it back."""

    def publish(self, topic: str, value: object) -> object:
        """Set something."""

    def subscribe(self, topic: str, flags: list[str], function: Callable[[str, Any], None]
                  ) -> object:
        """Have a function called with what comes."""

    def unsubscribe(self, topic: str, function: Callable[[str, Any], None]) -> object:
        """No more."""


class _Signal:
    """Samples of one signal from `first` on; NaN where one is missing."""

    def __init__(self) -> None:
        self.first = -1
        self.values: Floats = np.zeros(0)

    @property
    def end(self) -> int:
        return self.first + len(self.values)

    def add(self, index: int, values: Floats) -> None:
        """Append what came; what we have already is dropped."""
        if self.first < 0:
            self.first = index
        missing = index - self.end
        if missing < 0:
            values, missing = values[-missing:], 0
        if missing > 60 * MOST_RATE:
            raise LinkLost(f"{KIND}: its sample count jumped by {missing}: it restarted")
        self.values = np.concatenate([self.values, np.full(missing, np.nan), values])

    def take(self, end: int) -> Floats:
        """Remove and return everything below `end`."""
        count = max(0, min(end - self.first, len(self.values)))
        taken, self.values = self.values[:count], self.values[count:]
        self.first += count
        return taken


class Joulescope(Meter):
    """One instrument: `rate=100000` samples per second."""

    def __init__(self, driver: Driver, path: str, options: MeterOptions) -> None:
        options.allow("rate")
        self.rate = options.number("rate", RATE) or RATE
        if self.rate > MOST_RATE:
            raise BadInput(f"joulescope: rate={self.rate:g}; expected at most {MOST_RATE:g}")
        self.name, self._driver, self._path = KIND, driver, path
        self.columns = (Column("VDD", "amperes", 1e-9), Column("VDD", "volts", 1e-6),
                        Column("inputs", "digital"), Column("VDD", "watts", product=(0, 1)))
        self.source = {"kind": KIND, "path": path}
        self._queue: queue.Queue[tuple[str, Mapping[str, Any], int]] = queue.Queue(MOST_WAITING)
        self._signals = {topic: _Signal() for topic in SIGNALS}
        self._clock = SampleClock(self.rate)
        self._index = 0
        self._next: int | None = None
        self._open = True
        _call(path, lambda: driver.open(path, "defaults"))

    def start(self) -> None:
        """Measure everything in automatic ranges."""
        def begin() -> None:
            self._publish("s/i/range/mode" if "js220" in self._path else "s/i/range/select", "auto")
            self._publish("h/fs", int(self.rate or RATE))
            for topic in SIGNALS:
                self._driver.subscribe(f"{self._path}/{topic}/!data", ["pub"], self._arrived)
                self._publish(f"{topic}/ctrl", 1)
        _call(self._path, begin)

    def read(self, timeout: float) -> Piece | None:
        """What every signal has by now."""
        try:
            messages = [self._queue.get(timeout=timeout)]
        except queue.Empty:
            if self._path not in _call(self._path, self._driver.device_paths):
                raise LinkLost(f"{self._path}: unplugged") from None
            return None
        while not self._queue.empty():
            messages.append(self._queue.get())
        try:
            for topic, message, _ in messages:
                self._take(topic, message)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadMessage(f"{self._path}: an invalid message: {type(error).__name__} "
                             f"{error}") from None
        return self._piece(messages[-1][2])

    def _take(self, topic: str, message: Mapping[str, Any]) -> None:
        signal = self._signals[topic]
        data = np.asarray(message["data"])
        if SIGNALS[topic] == "digital":
            data = np.unpackbits(data.astype(np.uint8), bitorder="little")
        index = int(message["sample_id"]) // max(1, int(message["decimate_factor"]))
        signal.add(index, data.astype(np.float64))

    def _piece(self, now: int) -> Piece | None:
        if any(signal.first < 0 for signal in self._signals.values()):
            return None
        start = max(signal.first for signal in self._signals.values())
        end = min(signal.end for signal in self._signals.values())
        if end <= start:
            return None
        for signal in self._signals.values():
            signal.take(start)
        begin = start if self._next is None else self._next
        table = np.array([signal.take(end) for signal in self._signals.values()])
        self._next = end
        good = np.isfinite(table).all(axis=0)
        index = self._index + (start - begin) + np.flatnonzero(good)
        steps = np.diff(index, prepend=self._index - 1, append=self._index + end - begin) - 1
        gaps = tuple((int(at), int(steps[at])) for at in np.flatnonzero(steps))
        self._index += end - begin
        self._clock.observe(self._index - 1, now)
        piece = Piece(tuple(row[good] for row in table),
                      self._clock.time(int(index[0])) if len(index) else 0,
                      self._clock.time(int(index[-1])) if len(index) else 0, gaps=gaps)
        self.lost += piece.lost
        return piece

    def stop(self) -> None:
        """End measuring."""
        def end() -> None:
            for topic in SIGNALS:
                self._publish(f"{topic}/ctrl", 0)
                self._driver.unsubscribe(f"{self._path}/{topic}/!data", self._arrived)
        _call(self._path, end)

    def close(self) -> None:
        """Give the instrument back."""
        if self._open:
            self._open = False
            _call(self._path, lambda: self._driver.close(self._path))

    def clock_error(self) -> float:
        """Seconds by which times may be off."""
        return self._clock.error()

    def _publish(self, topic: str, value: object) -> None:
        self._driver.publish(f"{self._path}/{topic}", value)

    def _arrived(self, topic: str, message: Mapping[str, Any]) -> None:
        """Called by the package's own thread; what does not fit any more leaves a step behind."""
        name = topic.removeprefix(f"{self._path}/").removesuffix("/!data")
        with suppress(queue.Full):
            self._queue.put_nowait((name, message, time.monotonic_ns()))


def find() -> list[str]:
    """Instruments that are plugged in; none without the package."""
    try:
        with _package().Driver() as driver:
            return [str(path) for path in driver.device_paths()]
    except (MissingTool, RuntimeError, OSError):
        return []


def open_meter(options: MeterOptions) -> Meter:
    """Open the instrument `where`, else the first. Raises MissingTool, LinkError."""
    driver = _package().Driver()
    paths = [str(path) for path in _call(KIND, driver.device_paths)]
    wanted = [path for path in paths if options.where in path]
    if not wanted:
        raise LinkError(f"joulescope {options.where}: not found; there are {paths or 'none'}")
    return Joulescope(driver, wanted[0], options)


def _package() -> ModuleType:
    try:
        import pyjoulescope_driver
    except ImportError:
        raise MissingTool(f"a Joulescope needs the package {PACKAGE}: pip install {PACKAGE}"
                          ) from None
    module: ModuleType = pyjoulescope_driver
    return module


def _call(path: str, function: Callable[[], Any]) -> Any:
    """Run a function of the package; its own exceptions become LinkLost."""
    try:
        return function()
    except (RuntimeError, OSError, TimeoutError, ValueError, KeyError) as error:
        raise LinkLost(f"{path}: {' '.join(str(error).split()) or type(error).__name__}") from None
