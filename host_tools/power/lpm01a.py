# SPDX-License-Identifier: Apache-2.0
"""ST X-NUCLEO-LPM01A ("PowerShield"): supplies a board and measures it, over USB serial.

Lines of text (ST UM2269): a command is answered `PowerShield > ack COMMAND`; while measuring, each
sample is a line such as `6409-07` = 6409e-07 A, and about once a second `TimeStamp: 003s 205ms,
buff 00%` says the board's own time; `>` or `<` may stand where the space is. Up to 5,000 samples
per second come so.

Faster ones come as words of 16 bits, high byte first: 4 bits k, 12 bits n for n / 16^k A. k is
never 15; 0xF0 and a byte from 0xF1 on begin a message that ends with 0xFF 0xFF, such as 0xF3, the
time stamp: u32 ms (bit 31 says that it came round), u8 percent of the buffer. No byte of a word can
be taken for the beginning of a message.

Lost lines are found by those time stamps: between two of them there must be their distance times
the rate. A line that came damaged is missing where it was. Where whole lines went missing within
that second is unknown: the gap is put right before the time stamp. Stamps are whole milliseconds:
the count is exact up to 500 samples per second, above it to within a millisecond's samples. In
words nothing shows where a byte is missing, and what follows it is garbage: what lies between two
stamps is taken when it is whole words, as many as the time asks for, else all of it is a gap. Only
two single bytes that are lost between the same two stamps can go unnoticed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from serial.tools import list_ports

from edgefm.errors import BadInput, BadMessage, DeviceError, LinkTimeout
from host_tools.link.transport import Transport, open_transport
from host_tools.power.meter import Answer, Floats, Meter, MeterOptions, Piece, SampleClock, gather
from host_tools.recording.chunks import Column

KIND = "lpm01a"
BAUD = 3686400
USB_ID = (0x0483, 0x5740)
PRODUCT = "PowerShield"
RATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
WORD_RATES = (10_000, 20_000, 50_000, 100_000)
LEAST_VOLTS, MOST_VOLTS = 1.8, 3.3
ANSWER_SECONDS = 3.0
MOST_LINE = 256
MOST_WORDS = 1 << 20      # bytes without a time stamp: this is not an LPM01A
PIECE = 10_000            # samples
STAMP = 0xF3
MESSAGE = re.compile(rb"\xf0[\xf1-\xff]")
LENGTHS = MappingProxyType({STAMP: 9, 0xF4: 4, 0xF5: 4, 0xF6: 4, 0xF7: 6})  # others end at FF FF
LSB = 1e-9
_SAMPLE = re.compile(rb"(\d{4})([+-])(\d\d)")
_STAMP = re.compile(rb"TimeStamp:[\s<>]*(\d{1,9})\s*s\s*(\d{1,3})\s*ms\b.*", re.DOTALL)
_PROMPT = re.compile(rb"(?:PowerShield\s*>\s*)+")
_OTHER = re.compile(rb"((ack|error|event|Acquisition|Error detail|summary)\b.*|end|)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """A message between words: where it begins and ends, the ms of a time stamp.

    One that is not `whole` has lost bytes, and its end is unknown.
    """

    start: int
    end: int
    stamp: int | None = None
    whole: bool = True


def find_message(data: bytes) -> Message | None:
    """The first message that is there whole."""
    begun = MESSAGE.search(data)
    if begun is None:
        return None
    at, kind = begun.start(), data[begun.start() + 1]
    length = LENGTHS.get(kind)
    end = at + length if length else data.find(b"\xff\xff", at + 2) + 2
    if end > len(data) or end < at + 4:
        return None
    if data[end - 2:end] != b"\xff\xff":
        return Message(at, at + 2, whole=False)
    stamp = int.from_bytes(data[at + 2:at + 6], "big") & 0x7FFFFFFF if kind == STAMP else None
    return Message(at, end, stamp)


def read_words(data: bytes) -> Floats | None:
    """Amperes; None for what cannot be words."""
    words = np.frombuffer(data[:len(data) & ~1], ">u2").astype(np.int64)
    if len(data) % 2 or (words >> 12 == 15).any():
        return None
    amperes: Floats = (words & 0xFFF) * 16.0 ** -(words >> 12).astype(np.float64)
    return amperes


class Lpm01a(Meter):
    """One board: `volts=3.3` (1.8 to 3.3), `rate=1000` (up to 100000)."""

    def __init__(self, transport: Transport, options: MeterOptions) -> None:
        self.name, self._transport = KIND, transport
        self._buffer = b""
        try:
            options.allow("volts", "rate")
            self._volts = options.number("volts", MOST_VOLTS) or MOST_VOLTS
            self.rate = options.number("rate", 1000.0) or 1000.0
            if not LEAST_VOLTS <= self._volts <= MOST_VOLTS or \
                    self.rate not in (*RATES, *WORD_RATES):
                raise BadInput(f"lpm01a: got volts={self._volts:g}, rate={self.rate:g}; expected "
                               f"volts={LEAST_VOLTS} to {MOST_VOLTS}, and rate one of "
                               f"{', '.join(map(str, (*RATES, *WORD_RATES)))}")
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
        self._in_words = self.rate in WORD_RATES
        self._words, self._whole = b"", True  # since the last time stamp
        self._ready: deque[Piece] = deque()

    def start(self) -> None:
        """Set up, then measure until stop()."""
        for command in ("output current", f"format {'bin_hexa' if self._in_words else 'ascii_dec'}",
                        f"freq {int(self.rate or 0)}",
                        "acqmode dyn", "acqtime inf", "trigsrc sw", "trigdelay 0",
                        f"volt {round(self._volts * 1e3)}m", "start"):
            self._command(command)
        if self._in_words:
            self._buffer = b""

    def read(self, timeout: float) -> Piece | None:
        """The samples of what came, or None."""
        if self._ready:
            return self._ready.popleft()
        data, now = gather(self._transport, timeout)
        if not data:
            return None
        if self._in_words:
            self._take_words(data, now)
            return self._ready.popleft() if self._ready else None
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

    def _take_words(self, data: bytes, now: int) -> None:
        self._buffer += data
        while (message := find_message(self._buffer)) is not None:
            part, self._buffer = self._buffer[:message.start], self._buffer[message.end:]
            self._whole = self._whole and message.whole and len(part) % 2 == 0
            self._words += part
            if message.stamp is not None:
                self._end_words(message.stamp, now)
        if len(self._buffer) + len(self._words) > MOST_WORDS:
            raise BadMessage(f"{self._transport.name}: no time stamp of an LPM01A in {MOST_WORDS} "
                             "bytes")

    def _end_words(self, milliseconds: int, now: int) -> None:
        """What came between two time stamps: samples, or a gap where it is not as it should be."""
        amperes = read_words(self._words) if self._whole else None
        self._words, self._whole = b"", True
        if self._stamp is None:  # the beginning of what came before is unknown
            self._stamp = milliseconds, self._index
            return
        began, first = self._stamp
        assert self.rate
        due = first + round((milliseconds - began) * self.rate / 1e3) - self._index
        if amperes is None or abs(len(amperes) - due) > self.rate / 1e3:  # stamps are whole ms
            self._index += max(due, 0)
            lost = self._piece(self._index, [], [(0, max(due, 0))], now)
            self._ready.extend([lost] if lost else [])
            return
        for at in range(0, len(amperes), PIECE):
            part = amperes[at:at + PIECE]
            self._index += len(part)
            behind = (len(amperes) - at - len(part)) * 10 ** 9 / self.rate
            piece = self._piece(self._index - len(part), part, [], now - round(behind))
            self._ready.extend([piece] if piece else [])

    def _piece(self, first: int, values: Sequence[float] | Floats, gaps: list[tuple[int, int]],
               now: int) -> Piece | None:
        lost = sum(n for _, n in gaps)
        self.lost += lost
        if not len(values) and not lost:
            return None
        self._clock.observe(self._index - 1, now)
        behind = sum(n for at, n in gaps if at == len(values))
        ahead = sum(n for at, n in gaps if at == 0) if len(values) else 0
        return Piece((np.asarray(values, np.float64), np.full(len(values), self._volts)),
                     self._clock.time(first + ahead), self._clock.time(self._index - 1 - behind),
                     gaps=tuple(gaps))

    def _line(self, line: bytes, values: list[float]) -> int:
        """Take one line; the samples that are missing at this place."""
        prompt = _PROMPT.match(line)
        line = line[prompt.end():] if prompt else line
        if match := _SAMPLE.fullmatch(line):
            mantissa, sign, exponent = match.groups()
            values.append(int(mantissa) * 10.0 ** int(sign + exponent))
            self._index += 1
        elif match := _STAMP.fullmatch(line):
            return self._stamped(1000 * int(match[1]) + int(match[2]))
        elif not prompt and not _OTHER.fullmatch(line) and self._index:
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
        answer = Answer(self._transport, ANSWER_SECONDS, MOST_WORDS)
        for data in answer:
            *lines, self._buffer = (self._buffer + data).replace(b"\r", b"\n").split(b"\n")
            self._buffer = self._buffer[-MOST_LINE:]
            for line in lines:
                text = line.decode("ascii", "replace").strip()
                if f"ack {command}" in text:
                    return
                if f"error {command}" in text:
                    raise DeviceError(f"{self._transport.name}: LPM01A refuses {command!r}", -1)
        raise LinkTimeout(f"{self._transport.name}: no `ack {command}` in {ANSWER_SECONDS:g} s "
                          f"({answer.heard} bytes came); expected an LPM01A at {BAUD} baud")


def find() -> list[str]:
    """Ports of boards that are plugged in."""
    return [str(port.device) for port in sorted(list_ports.comports(), key=lambda p: str(p.device))
            if (port.vid, port.pid) == USB_ID and PRODUCT.lower() in str(port.product).lower()]


def open_meter(options: MeterOptions) -> Meter:
    """Open the board at `where`. Raises LinkError."""
    return Lpm01a(open_transport(options.where, BAUD), options)
