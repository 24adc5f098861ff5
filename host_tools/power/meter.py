# SPDX-License-Identifier: Apache-2.0
"""What every power meter can do, and the clock that gives its samples times."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgefm.errors import BadInput
from host_tools.link.transport import Transport
from host_tools.recording.chunks import Column

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Gaps = tuple[tuple[int, int], ...]

BATCH_SECONDS = 0.01
ANSWER_POLL = 0.1       # s
BATCH_BYTES = 4000
CREEP = 500e-6          # how far a meter's crystal and ours may differ
STALL_NS = 5_000_000    # samples that stay this late have lost others in front of them
WINDOW_NS = 1_000_000_000
_UNITS = MappingProxyType({"u": -6, "m": -3, "": 0, "k": 3, "K": 3, "M": 6})  # powers of ten
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)([umkKM]?)", re.ASCII)
TRANSPORT_NS = 1_000_000  # a USB frame: how long a sample waited in the meter is unknown


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples that came together: one array [n] per stored column of the meter, in its unit.

    Evenly taken ones have `start` and `end`, the times of the first and last; others `times` [n].
    All are ns of time.monotonic_ns(). `gaps` are (position, lost): samples missing before the one
    at that position, position n: behind all.
    """

    values: tuple[Floats, ...]
    start: int = 0
    end: int = 0
    times: Ints | None = None
    gaps: Gaps = ()

    @property
    def count(self) -> int:
        """Samples in it."""
        return len(self.values[0])

    @property
    def lost(self) -> int:
        """Samples missing in it."""
        return sum(lost for _, lost in self.gaps)

    @property
    def seconds(self) -> Floats:
        """Times [n] in s; evenly spread between the first and the last, lost samples counted."""
        if self.times is not None:
            return self.times / 1e9
        index = np.arange(self.count)
        for at, lost in self.gaps:
            index[at:] += lost if at else 0
        last = index[-1] if self.count > 1 else 1
        times: Floats = (self.start + (self.end - self.start) * index / last) / 1e9
        return times


@dataclass(frozen=True, slots=True)
class MeterOptions:
    """How a meter is opened: `--meter KIND:WHERE,key=value,…`."""

    where: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def number(self, key: str, default: float | None = None) -> float | None:
        """A number above 0, also with a unit's letter: 100k, 3300m. Raises BadInput."""
        if key not in self.values:
            return default
        number = read_number(self.values[key]) or 0.0
        if not 0 < number < float("inf"):
            raise BadInput(f"meter option {key}={self.values[key]!r}: expected a number above 0 "
                           "(3.3, 3300m, 100k)")
        return number

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        """One of some words, the first by default. Raises BadInput."""
        value = self.values.get(key, among[0])
        if value not in among:
            raise BadInput(f"meter option {key}={value!r}: expected {' or '.join(among)}")
        return value

    def allow(self, *keys: str) -> None:
        """Raises BadInput for a key that the meter does not know."""
        for key in self.values:
            if key not in keys:
                raise BadInput(f"meter option {key!r} is not known; expected "
                               f"{', '.join(keys) or 'none'}")


def read_number(text: str) -> float | None:
    """A number as people and instruments write it, with u, m, k or M behind it or nothing."""
    match = _NUMBER.fullmatch(text.strip())
    return float(f"{Decimal(match[1]).scaleb(_UNITS[match[2]])}") if match else None


class Meter(ABC):
    """A source of timestamped samples; use as: start(), read() again and again, stop(), close().

    `columns` says what a sample holds, `rate` how many come per second (None: each has its own
    time), `lost` how many the meter or the line dropped as far as it can tell, `source` what is
    known of the instrument. Raises LinkError and its children when the instrument is gone.
    """

    name: str
    columns: tuple[Column, ...]
    rate: float | None
    source: dict[str, object]
    lost: int = 0

    @abstractmethod
    def start(self) -> None:
        """Begin to measure."""

    @abstractmethod
    def read(self, timeout: float) -> Piece | None:
        """What was measured since the last call; None when nothing comes within `timeout` s."""

    @abstractmethod
    def stop(self) -> None:
        """End measuring."""

    @abstractmethod
    def close(self) -> None:
        """Give the instrument back; a second time does nothing."""

    def clock_error(self) -> float:
        """Seconds by which times may be off, as far as this side can tell."""
        return 0.0


class Answer:
    """What an instrument says until it has answered: pieces of bytes, until nothing comes for
    `seconds` of waiting, or `most` bytes came. A host that was stopped has not waited."""

    def __init__(self, transport: Transport, seconds: float, most: int) -> None:
        self.heard = 0
        self._transport, self._seconds, self._most = transport, seconds, most

    def __iter__(self) -> Iterator[bytes]:
        quiet = 0.0
        while quiet < self._seconds and self.heard < self._most:
            began = time.monotonic()
            data = self._transport.read(ANSWER_POLL)
            self.heard += len(data)
            quiet += 0.0 if data else min(time.monotonic() - began, ANSWER_POLL)
            yield data


def gather(transport: Transport, timeout: float) -> tuple[bytes, int]:
    """What comes within about 10 ms of the first byte, and time.monotonic_ns() after the last.

    Reading byte by byte as they come would take a whole core; b"" after `timeout` s of silence.
    """
    data, now = transport.read(timeout), time.monotonic_ns()
    if 0 < len(data) < BATCH_BYTES:
        time.sleep(BATCH_SECONDS)
        while more := transport.read(0.0):
            data, now = data + more, time.monotonic_ns()
    return data, now


class SampleClock:
    """Times (ns) of evenly taken samples from when they arrived.

    A sample cannot arrive before it was taken, so the earliest arrivals tell the offset between
    sample count and clock; the two may drift apart by CREEP. Samples that stay late for a whole
    window have lost an unknown number in front of them: their times jump.
    """

    def __init__(self, rate: float) -> None:
        self._period = 1e9 / rate
        self._offset: float | None = None
        self._seen = 0
        self._window: list[tuple[int, float]] = []
        self._minima: list[float] = []

    def observe(self, index: int, now: int) -> None:
        """Sample number `index` has just come."""
        measured = now - index * self._period
        if self._offset is None:
            self._offset, self._seen = measured, now
        late, elapsed = measured - self._offset, now - self._seen
        self._offset += late if late < 0 else min(late, CREEP * elapsed)
        self._seen = now
        self._window.append((now, measured))
        if now - self._window[0][0] >= WINDOW_NS:
            least = min(value for _, value in self._window)
            if least - self._offset > STALL_NS:
                self._offset = least
            self._minima = [*self._minima[-59:], least - self._offset]
            self._window.clear()

    def time(self, index: int) -> int:
        """When sample number `index` was taken."""
        assert self._offset is not None, "observe() comes first"
        return round(self._offset + index * self._period)

    def error(self) -> float:
        """Seconds: how much the earliest arrival varies from window to window, and a USB frame."""
        spread = max(self._minima) - min(self._minima) if self._minima else 0.0
        return (spread + TRANSPORT_NS) / 1e9
