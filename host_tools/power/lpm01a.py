# SPDX-License-Identifier: Apache-2.0
"""ST X-NUCLEO-LPM01A ("PowerShield"): supplies a board and measures it, over USB serial.

Lines of text (ST UM2269): a command is answered `PowerShield > ack COMMAND`; while measuring, each
sample is a line such as `6409-07` = 6409e-07 A, and about once a second `TimeStamp: 003s 205ms,
buff 00%` says the board's own time. This driver uses the text format, up to 5,000 samples per
second, which the board can keep up for ever.

Lost lines are found by those time stamps: between two of them there must be their distance times
the rate. A line that came damaged is missing where it was; where whole lines went missing within
that second nobody knows: the gap is put right before the time stamp. Stamps are whole milliseconds:
the count is exact up to 500 samples per second, above it to within a millisecond's samples.
"""

from __future__ import annotations

import re
import time

import numpy as np
from serial.tools import list_ports

from edgefm.errors import BadInput, DeviceError, LinkTimeout
from host_tools.link.transport import Transport, open_transport
from host_tools.power.meter import Meter, Options, Piece, SampleClock, gather
from host_tools.recording.chunks import Column

KIND = "lpm01a"
BAUD = 3686400
USB_ID = (0x0483, 0x5740)
PRODUCT = "PowerShield"
RATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
LEAST_VOLTS, MOST_VOLTS = 1.8, 3.3
ANSWER_SECONDS = 3.0
MOST_LINE = 256
LSB = 1e-9
_SAMPLE = re.compile(rb"(\d{4})([+-])(\d\d)")
_STAMP = re.compile(rb"TimeStamp: (\d{1,9})s (\d{1,3})ms, buff (\d{1,3})%")
_OTHER = re.compile(rb"(PowerShield >.*|event .*|Acquisition .*|end|summary.*|)")


class Lpm01a(Meter):
    """One board: `volts=3.3` (1.8 to 3.3), `rate=1000`."""

    def __init__(self, transport: Transport, options: Options) -> None:
        self.name, self._transport = KIND, transport
        self._buffer = b""
        try:
            options.allow("volts", "rate")
            self._volts = options.number("volts", MOST_VOLTS) or MOST_VOLTS
            self.rate = options.number("rate", 1000.0) or 1000.0
            if not LEAST_VOLTS <= self._volts <= MOST_VOLTS or self.rate not in RATES:
                raise BadInput(f"lpm01a: met volts={self._volts:g}, rate={self.rate:g}; expected "
                               f"volts={LEAST_VOLTS} to {MOST_VOLTS}, and rate one of "
                               f"{', '.join(map(str, RATES))}")
            self._command("htc")
        except BaseException:
            transport.close()
            raise
        self.columns = (Column("VDD", "amperes", LSB), Column("VDD", "volts", 1e-3),
                        Column("VDD", "watts", product=(0, 1)))
        self.source = {"kind": KIND, "port": transport.name, "volts": self._volts}
        self._clock = SampleClock(self.rate)
        self._index = 0
        self._stamp: tuple[int, int] | None = None

    def start(self) -> None:
        """Set up, then measure until stop()."""
        for command in ("output current", "format ascii_dec", f"freq {int(self.rate or 0)}",
                        "acqmode dyn", "acqtime inf", "trigsrc sw", "trigdelay 0",
                        f"volt {round(self._volts * 1e3)}m", "start"):
            self._command(command)

    def read(self, timeout: float) -> Piece | None:
        """The samples of what came, or None."""
        data, now = gather(self._transport, timeout)
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).replace(b"\r", b"\n").split(b"\n")
        if len(self._buffer) > MOST_LINE:
            self._buffer = self._buffer[-MOST_LINE:]
        values: list[float] = []
        gaps: list[tuple[int, int]] = []
        first = self._index
        for line in lines:
            lost = self._line(line.strip(b"\x00 "), values)
            if lost:
                gaps.append((len(values), lost))
        return self._piece(first, values, gaps, now)

    def _piece(self, first: int, values: list[float], gaps: list[tuple[int, int]],
               now: int) -> Piece | None:
        lost = sum(n for _, n in gaps)
        self.lost += lost
        if not values and not lost:
            return None
        self._clock.observe(self._index - 1, now)
        behind = sum(n for at, n in gaps if at == len(values))
        ahead = sum(n for at, n in gaps if at == 0) if values else 0
        return Piece((np.array(values), np.full(len(values), self._volts)),
                     self._clock.time(first + ahead), self._clock.time(self._index - 1 - behind),
                     gaps=tuple(gaps))

    def _line(self, line: bytes, values: list[float]) -> int:
        """Take one line; the samples that are missing at this place."""
        if match := _SAMPLE.fullmatch(line):
            mantissa, sign, exponent = match.groups()
            values.append(int(mantissa) * 10.0 ** int(sign + exponent))
            self._index += 1
        elif match := _STAMP.fullmatch(line):
            return self._stamped(1000 * int(match[1]) + int(match[2]))
        elif not _OTHER.fullmatch(line) and self._index:
            self._index += 1
            return 1
        return 0

    def _stamped(self, milliseconds: int) -> int:
        """Compare the board's time with what came since the first stamp."""
        if self._stamp is None:
            self._stamp = milliseconds, self._index
            return 0
        began, index = self._stamp
        assert self.rate
        missing = (milliseconds - began) * self.rate / 1e3 - (self._index - index)
        lost = round(missing) if missing > self.rate / 1e3 + 0.25 else 0  # stamps are whole ms
        self._index += lost
        return lost

    def stop(self) -> None:
        """End measuring and let the board be worked by its buttons again."""
        self._transport.write(b"stop\n")
        self._command("hrc")

    def close(self) -> None:
        """Close the port."""
        self._transport.close()

    def clock_error(self) -> float:
        """Seconds by which times may be off: a millisecond of the board's own, and the line."""
        return self._clock.error() + 1e-3

    def _command(self, command: str) -> None:
        """Send a command and wait for its acknowledgement; samples in between are dropped."""
        self._transport.write(command.encode() + b"\n")
        until = time.monotonic() + ANSWER_SECONDS
        heard = 0
        while time.monotonic() < until:
            data = self._transport.read(0.1)
            heard += len(data)
            *lines, self._buffer = (self._buffer + data).replace(b"\r", b"\n").split(b"\n")
            self._buffer = self._buffer[-MOST_LINE:]
            for line in lines:
                text = line.decode("ascii", "replace").strip()
                if f"ack {command}" in text:
                    return
                if f"error {command}" in text:
                    raise DeviceError(f"{self._transport.name}: LPM01A refuses {command!r}", -1)
        raise LinkTimeout(f"{self._transport.name}: no `ack {command}` in {ANSWER_SECONDS:g} s "
                          f"({heard} bytes came); expected an LPM01A at {BAUD} baud")


def find() -> list[str]:
    """Ports of boards that are plugged in."""
    return [str(port.device) for port in sorted(list_ports.comports(), key=lambda p: str(p.device))
            if (port.vid, port.pid) == USB_ID and PRODUCT.lower() in str(port.product).lower()]


def open_meter(options: Options) -> Meter:
    """Open the board at `where`. Raises LinkError."""
    return Lpm01a(open_transport(options.where, BAUD), options)
