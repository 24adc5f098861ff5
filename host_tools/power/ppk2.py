# SPDX-License-Identifier: Apache-2.0
"""Nordic Power Profiler Kit II: 100,000 samples per second, 8 logic inputs, over USB serial.

Wire format (facts from Nordic's own desktop program): a sample is a u32, little-endian: bits 0-13
ADC, 14-16 range, 18-23 a counter, 24-31 logic inputs. Calibration is text that command 0x19 asks
for. A word has no mark of its beginning; the counter that steps by one is what shows it.

The counter has 6 bits: lost samples are counted exactly unless 64 or more are lost in one piece;
of such a piece the remainder by 64 is counted, and what follows it is late and shows as a gap.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import numpy as np
from serial.tools import list_ports

from edgefm.errors import BadInput, BadMessage, LinkTimeout
from host_tools.link.transport import Transport, open_transport
from host_tools.power.meter import (
    Answer,
    Floats,
    Ints,
    Meter,
    MeterOptions,
    Piece,
    SampleClock,
    gather,
)
from host_tools.recording.chunks import Column

KIND = "ppk2"
RATE = 100_000
USB_ID = (0x1915, 0xC00A)
START, STOP, DEVICE_POWER, REGULATOR, POWER_MODE, METADATA = 0x06, 0x07, 0x0C, 0x0D, 0x11, 0x19
AMPERE_MODE, SOURCE_MODE = 1, 2
ADC_VOLTS = 1.8 / 163840 * 4   # per step of the 14 bits, across the shunt
LEAST_VOLTS, MOST_VOLTS = 0.8, 5.0
RANGES = 5
RUN = 6              # words that must count on where the stream is found again
LOOK = 16            # words behind a break, half of which must count on if only words were lost
GARBAGE = 1 << 14    # bytes without a run of words: this is not a PPK2
ANSWER_SECONDS = 2.0
AMPERE_LSB = 1e-9
MOST_METADATA = 1 << 14
_NUMBER = re.compile(r"\b(R|GS|GI|O|S|I|UG)([0-4])\s*[:=]\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Factors [5] by range: shunt (ohm), gains, offset (ADC steps), offsets (A), user gain."""

    r: Floats
    gs: Floats
    gi: Floats
    o: Floats
    s: Floats
    i: Floats
    ug: Floats

    def amperes(self, words: Ints, volts: float) -> Floats:
        """Current of each word [n], at `volts` on the output."""
        which = np.minimum(words >> 14 & 7, RANGES - 1)
        plain = ((words & 0x3FFF) - self.o[which] / 4) * (ADC_VOLTS / self.r)[which]
        current: Floats = self.ug[which] * (plain * (self.gs[which] * plain + self.gi[which])
                                            + self.s[which] * volts + self.i[which])
        return current


def read_calibration(text: str) -> Calibration:
    """The metadata's factors; Nordic's defaults where one is missing, wrong, or an impossible 0."""
    values = {"R": [1031.64, 101.65, 10.15, 0.94, 0.043], "GS": [1.0] * 5, "GI": [1.0] * 5,
              "O": [0.0] * 5, "S": [0.0] * 5, "I": [0.0] * 5, "UG": [1.0] * 5}
    for name, which, number in _NUMBER.findall(text):
        try:
            value = float(number)
        except ValueError:
            continue
        if np.isfinite(value) and (value or name not in ("R", "GI", "UG")):
            values[name][int(which)] = value
    return Calibration(*(np.array(values[name]) for name in ("R", "GS", "GI", "O", "S", "I", "UG")))


def split_words(data: bytes, before: int | None) -> tuple[Ints, list[tuple[int, int]], int]:
    """Samples in bytes that may have lost some: words [n], (position, lost), bytes used up.

    `before` is the counter of the last good word. Where the count breaks, LOOK words behind tell
    whether words were lost or bytes; as long as there are fewer, they are left for the next call.
    """
    found: list[Ints] = []
    gaps: list[tuple[int, int]] = []
    at = count = 0
    if before is None:
        at = _next_run(data, 0) or 0
        if len(data) - at < 4 * RUN:
            return np.zeros(0, np.int64), [], max(0, len(data) - 4 * RUN)
        before = (int(data[at + 2]) >> 2) - 1 & 63
    while len(data) - at >= 4:
        words = np.frombuffer(data, "<u4", (len(data) - at) // 4, at).astype(np.int64)
        steps = np.diff(words >> 18 & 63, prepend=before) & 63
        broken = np.flatnonzero(steps != 1)
        good = int(broken[0]) if len(broken) else len(words)
        if good:
            found.append(words[:good])
            before, at, count = int(words[good - 1] >> 18 & 63), at + 4 * good, count + good
        skip = _skip(data, at, steps[good:good + LOOK + 1])
        if skip is None:
            break
        at += skip
        now = int(data[at + 2]) >> 2
        lost = (now - before - 1) & 63
        if lost:
            gaps.append((count, lost))
        before = now - 1 & 63
    return np.concatenate(found) if found else np.zeros(0, np.int64), gaps, at


def _skip(data: bytes, at: int, steps: Ints) -> int | None:
    """Bytes to leave out at a break, whose own step is the first; None: too few to tell."""
    if len(steps) <= LOOK:
        return None
    if (steps[1:] == 1).sum() < LOOK // 2:
        return _next_run(data, at)  # bytes were lost or came from nowhere
    ahead = np.cumsum(steps) & 63
    for words in range(1, LOOK // 4):  # damaged or spurious ones, and then the count goes on
        if steps[1] != 1 and steps[words + 1] == 1 and ahead[words] in (1, 1 + words):
            return 4 * words
    return 0  # only words were lost


def _next_run(data: bytes, at: int) -> int | None:
    """Bytes to skip until RUN words count on; None when there are none (yet)."""
    for skip in range(len(data) - at - 4 * RUN + 1):
        words = np.frombuffer(data, "<u4", RUN, at + skip)
        if ((np.diff(words >> 18 & 63) & 63) == 1).all():
            return skip
    return None


class Ppk2(Meter):
    """One kit. `mode=ampere` measures a supplied board (volts= says how many, else no watts);
    `mode=source,volts=3.3` supplies the board itself."""

    def __init__(self, transport: Transport, options: MeterOptions) -> None:
        options.allow("volts", "mode")
        self.name, self.rate = KIND, float(RATE)
        self._volts = options.number("volts")
        self._mode = options.choice("mode", ("ampere", "source"))
        if self._mode == "source" and not LEAST_VOLTS <= (self._volts or 0) <= MOST_VOLTS:
            transport.close()
            raise BadInput(f"ppk2: mode=source needs volts={LEAST_VOLTS} to {MOST_VOLTS}")
        self._transport = transport
        try:
            text = self._metadata()
        except BaseException:
            transport.close()
            raise
        self._calibration = read_calibration(text)
        self.columns = (Column("VDD", "amperes", AMPERE_LSB), *(
            (Column("VDD", "volts", 1e-3), Column("VDD", "watts", product=(0, 1)))
            if self._volts else ()), Column("inputs", "digital"))
        self.source = {"kind": KIND, "port": transport.name, "mode": self._mode,
                       "volts": self._volts, "calibrated": "Calibrated: 1" in text,
                       "calibration": " ".join(text.split())[:1000]}
        self._clock = SampleClock(RATE)
        self._rest = b""
        self._before: int | None = None
        self._index = self._garbage = 0

    def start(self) -> None:
        """Set the mode, power the board in source mode, and begin to stream."""
        if self._mode == "source" and self._volts:
            self._transport.write(bytes([POWER_MODE, SOURCE_MODE]))
            self._transport.write(bytes([REGULATOR]) + round(self._volts * 1e3).to_bytes(2, "big"))
            self._transport.write(bytes([DEVICE_POWER, 1]))
        else:
            self._transport.write(bytes([POWER_MODE, AMPERE_MODE]))
        self._drain(0.0)
        self._transport.write(bytes([START]))

    def read(self, timeout: float) -> Piece | None:
        """What came in about 10 ms, or None."""
        data, now = gather(self._transport, timeout)
        if not data:
            return None
        return self._decoded(data, now)

    def _decoded(self, data: bytes, now: int) -> Piece | None:
        data = self._rest + data
        words, gaps, used = split_words(data, self._before)
        self._rest = data[used:]
        self._garbage = 0 if len(words) else self._garbage + used
        if self._garbage + len(self._rest) > GARBAGE:
            raise BadMessage(f"{self._transport.name}: {self._garbage + len(self._rest)} bytes "
                             "that are not samples of a PPK2; is it another device, or another "
                             "speed?")
        if not len(words):
            return None
        lost = sum(n for _, n in gaps)
        first = self._index + sum(n for at, n in gaps if at == 0)
        self._index += len(words) + lost
        self.lost += lost
        self._before = int(words[-1] >> 18 & 63)
        self._clock.observe(self._index - 1, now)
        current = self._calibration.amperes(words, self._volts or 0.0)
        pins = (words >> 24).astype(np.float64)
        volts = (np.full(len(words), self._volts),) if self._volts else ()
        return Piece((current, *volts, pins), self._clock.time(first),
                     self._clock.time(self._index - 1), gaps=tuple(gaps))

    def stop(self) -> None:
        """Stop the stream; the board keeps its power."""
        self._transport.write(bytes([STOP]))

    def close(self) -> None:
        """Close the port."""
        self._transport.close()

    def clock_error(self) -> float:
        """Seconds by which times may be off."""
        return self._clock.error()

    def _metadata(self) -> str:
        self._transport.write(bytes([STOP]))  # a stream that another program left running
        self._drain(0.1)
        self._transport.write(bytes([METADATA]))
        data = b""
        for piece in Answer(self._transport, ANSWER_SECONDS, MOST_METADATA):
            data += piece
            if b"END" in data:
                break
        else:
            what = f"{len(data)} bytes without END" if data else "no bytes"
            raise LinkTimeout(f"{self._transport.name}: asked a PPK2 for its calibration, got "
                              f"{what}; is it another device, or another speed?")
        text = data.partition(b"END")[0].decode("ascii", "replace")
        if not _NUMBER.search(text):
            raise BadMessage(f"{self._transport.name}: the answer to a PPK2's metadata command "
                             "holds no calibration; is it another device, or another speed?")
        return text

    def _drain(self, seconds: float) -> None:
        until = time.monotonic() + ANSWER_SECONDS
        while self._transport.read(seconds) and time.monotonic() < until:
            pass


def find() -> list[str]:
    """Ports of kits that are plugged in. Each has two; the first is the one that measures."""
    kits: dict[str, str] = {}
    for port in sorted(list_ports.comports(), key=lambda p: str(p.device)):
        if (port.vid, port.pid) == USB_ID or port.product == "PPK2":
            kits.setdefault(port.serial_number or port.device, port.device)
    return list(kits.values())


def open_meter(options: MeterOptions) -> Meter:
    """Open the kit at `where`, else the first one found. Raises LinkError."""
    return Ppk2(open_transport(options.where), options)
