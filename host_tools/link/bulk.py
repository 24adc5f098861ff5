# SPDX-License-Identifier: Apache-2.0
"""The host's view of a bulk transfer: chunks that arrived, are in flight, or are lost. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from host_tools.link.frames import CHUNK_HEAD, FRAME_EXTRA, FRAME_MIN

SMALLEST_CHUNK = FRAME_MIN - FRAME_EXTRA - CHUNK_HEAD.size
LOSSES_TO_SHRINK = 3  # fewer are chance
SILENCES_TO_SHRINK = 8  # in a row
SPARE_BYTES = 256     # sent again on a lossy line that would stand idle
MOST_IDLE = 1024      # answers in a row that bring nothing forward; late ones are far fewer
IDLE_SILENCES = 12    # silences of waiting in which nothing but such answers came


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: send again after `resend` of silence, twice as long each time; `silence` ends it."""

    resend: float = 0.25
    resend_least: float = 0.01
    resend_most: float = 0.5
    silence: float = 10.0


@dataclass(slots=True)
class Vigil:
    """Decides when to give up on a device: after `silence` seconds of waiting without an answer, or
    after too many answers, or too long a time, without progress.

    Only time spent waiting counts: a host that was stopped, or that is slow itself, does not blame
    the device.
    """

    timing: Timing
    waited: float = 0.0     # seconds since the last answer
    stuck: float = 0.0      # and since the last that brought something forward
    idle: int = 0           # answers since then

    def quiet(self, seconds: float) -> None:
        """Nothing came during `seconds` of waiting."""
        self.waited += seconds
        self.stuck += seconds

    def heard(self, news: bool) -> None:
        """An answer came; `news`: it brought progress."""
        self.waited = 0.0
        self.stuck, self.idle = (0.0, 0) if news else (self.stuck, self.idle + 1)

    @property
    def silent(self) -> bool:
        """Nothing came for too long."""
        return self.waited >= self.timing.silence

    @property
    def pointless(self) -> bool:
        """Answers come, but without progress."""
        return self.idle >= MOST_IDLE or self.stuck >= IDLE_SILENCES * self.timing.silence


@dataclass(slots=True)
class Pace:
    """The time to wait for an answer: a chunk's round trip, including the bytes that wait for the
    line before it, and four times the usual gap between answers; longer with every silence."""

    timing: Timing
    heard: float
    silent: bool = False
    trip: float = 0.0
    gaps: float = field(init=False)
    left: dict[int, float | None] = field(default_factory=dict)  # None: more than once

    def __post_init__(self) -> None:
        self.gaps = self.timing.resend

    @property
    def pause(self) -> float:
        """Seconds to wait."""
        return min(max(self.gaps + self.trip, self.timing.resend_least), self.timing.resend_most)

    def quiet(self) -> None:
        """Nothing came within `pause`."""
        self.silent = True
        self.gaps = min(2 * self.gaps, self.timing.resend_most)

    def sent(self, number: int, now: float) -> None:
        """A chunk was sent. The answer to a repeated chunk says nothing about the time."""
        self.left[number] = None if number in self.left else now

    def answered(self, now: float, number: int | None = None) -> None:
        """An answer to this chunk came. A gap in which everything was sent again says nothing."""
        began = self.left.pop(number, None) if number is not None else None
        if began is not None:
            self.trip += (now - began - self.trip) / 4
        if not self.silent:
            self.gaps = 0.75 * self.gaps + now - self.heard
        self.silent, self.heard = False, now


@dataclass(slots=True)
class Bulk:
    """The host's view of a transfer. A line keeps order: a chunk that was sent before an answered
    one, and has not arrived, is lost."""

    id: int
    chunk: int
    start: int
    total: int
    window: int
    until: int = 1 << 32    # byte behind the last that is wanted
    writing: bool = False
    next: int = 0                                   # every chunk below is there
    have: dict[int, bytes] = field(default_factory=dict)    # chunks above that are there
    flying: deque[int] = field(default_factory=deque)       # sent or asked for, oldest first
    sent_count: int = 0
    lost_count: int = 0
    answered: bool = False      # until then only a few chunks try the line
    again: list[int] = field(default_factory=list)  # chunks that are due though they are flying
    silences: int = 0           # since the last answer
    most: int = 0               # chunks that were there at any time

    @property
    def count(self) -> int:
        """Chunks of the transfer, up to the last that is wanted."""
        return -(-(min(self.total, self.until) - self.start) // self.chunk)

    def done(self) -> bool:
        """True when every chunk has arrived."""
        return self.next >= self.count

    def offset(self, number: int) -> int:
        """Where a chunk begins in the whole."""
        return min(self.start + number * self.chunk, self.total)

    def is_news(self) -> bool:
        """True when more chunks have arrived than at any earlier call."""
        there = self.next + len(self.have)
        before, self.most = self.most, max(self.most, there)
        return there > before

    def due(self) -> list[int]:
        """Chunks inside the window that have not arrived and are not on their way."""
        flying = set(self.flying)
        return [number for number in self._missing() if number not in flying]

    def spare(self) -> list[int]:
        """Chunks to send again on a lossy line that would be idle until the few chunks on their way
        are answered or missed: waiting costs more than sending them."""
        missing = self._missing()
        room = SPARE_BYTES // self.chunk - len(self.flying) if self.lost_count and missing else 0
        return [missing[i % len(missing)] for i in range(room)]

    def _missing(self) -> list[int]:
        """Chunks inside the window that have not arrived."""
        window = self.window if self.answered else min(self.window, LOSSES_TO_SHRINK)
        return [number for number in range(self.next, min(self.next + window, self.count))
                if number not in self.have]

    def sent(self, number: int) -> None:
        """A chunk was sent, or requested."""
        self.flying.append(number)
        self.sent_count += 1

    def unanswered(self) -> None:
        """Nothing came for long.

        A line that loses chunks, or has not carried any yet, has lost all of them. Otherwise the
        device may only be busy, and should not find many repeated chunks when it comes back. So
        only the last chunk is sent again, and the next answer tells which chunks are lost.
        """
        self.silences += 1
        if self.answered and not self.lost_count:
            self.again = [self.flying[-1]] if self.flying else []
        else:
            self.lost_count += len(self.flying)
            self.flying.clear()

    def take_again(self) -> list[int]:
        """The chunks that unanswered() wants to send again; clears the list."""
        again, self.again = self.again, []
        return again

    def should_shrink(self) -> bool:
        """True when more than a third is lost, or nothing comes: shorter frames may get through."""
        much = self.lost_count >= LOSSES_TO_SHRINK and 3 * self.lost_count > self.sent_count
        return self.chunk > SMALLEST_CHUNK and (much or self.silences >= SILENCES_TO_SHRINK)

    def acknowledged(self, number: int, upto: int, have: Iterable[int]) -> bool:
        """The device answers chunk `number` and lists what it has; False when that is absurd."""
        if not self.next <= upto <= self.count:
            return upto < self.next  # an older answer that stands behind a newer one
        self.next = upto
        self.have = dict.fromkeys((number for number in have if number < self.count), b"")
        self._landed(number)
        return True

    def arrived(self, number: int, piece: bytes) -> bool:
        """A chunk of a read; False when it was not asked for or has another size."""
        last = min(self.count, self.next + self.window)
        if number >= last or len(piece) != self.offset(number + 1) - self.offset(number):
            return False
        if number >= self.next:
            self.have[number] = piece
        self._landed(number)
        return True

    def take(self) -> bytes:
        """The bytes that now follow without a gap."""
        data = bytearray()
        while self.next in self.have:
            data += self.have.pop(self.next)
            self.next += 1
        return bytes(data)

    def _landed(self, number: int) -> None:
        self.answered, self.silences = True, 0
        if number not in self.flying:
            return
        while (older := self.flying.popleft()) != number:
            self.lost_count += older >= self.next and older not in self.have
