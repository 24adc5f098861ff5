# SPDX-License-Identifier: Apache-2.0
"""Requests that are carried out once, over a line that may lose them.

The device only answers; every timer and every decision to send again is here and in session.py.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from edgefm.errors import BadMessage, DeviceError, LinkError, LinkLost, LinkTimeout
from host_tools.link import frames
from host_tools.link.bulk import Timing, Vigil
from host_tools.link.capability import Info, read_info
from host_tools.link.foreign import LEAVE, MOST_HEARD, foreign
from host_tools.link.frames import Command, Frame, FrameType, Line, Status
from host_tools.link.transport import Transport

HELLO_PATIENCE = 3      # silences that a device may take to end what another client began
BUSY_SECONDS = 120.0    # that a device may say it is busy, unless it runs or imports something
UNENDING = (Command.RUN, Command.IMPORT, Command.TEST)
MOST_INFO = 4096        # bytes of a capability record
FRAME_SECONDS = 0.25    # a frame should not block a slow line for longer


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a device; `missed` events before it were lost on the line."""

    payload: bytes
    missed: int


class Requests:
    """One client's requests to one device; a context manager that owns its transport.

    Raises LinkTimeout when the device is silent, LinkLost when line or session are gone,
    DeviceError when the device refuses.
    """

    info: Info
    minor: int  # the device's, of the protocol's version

    def __init__(self, transport: Transport, *, frame: int = frames.FRAME_MAX,
                 timing: Timing | None = None,
                 on_event: Callable[[Event], None] = lambda event: None) -> None:
        self._transport = transport
        self._timing = timing or Timing()
        self.on_event = on_event
        self._reader = frames.FrameReader()
        self._arrived: deque[Frame] = deque()
        self._unframed: bytearray | None = bytearray()  # until the first frame
        self._sequence = secrets.randbelow(256)
        self._next_event = 0
        try:
            self.line = self._hello(_affordable(frame, transport.bytes_per_second))
            self.info = self._read_info()
        except BaseException:
            transport.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    @property
    def name(self) -> str:
        """The line's name."""
        return self._transport.name

    @property
    def bytes_per_second(self) -> float | None:
        """The line's own limit; None if there is no relevant one."""
        return self._transport.bytes_per_second

    def restart(self) -> None:
        """Open the session again, on the same line; the device ends what it is doing."""
        self._sequence = self._sequence + 1 & 255
        self._next_event = 0
        self.line = self._hello(self.line.frame)

    # -- requests --------------------------------------------------------------------------------

    def request(self, command: int, args: bytes = b"", patience: float | None = None) -> bytes:
        """Carry out a command exactly once; return its reply's data.

        `patience` is how long (seconds) a device may report that it is still working. None: forever
        while it runs or imports something, else BUSY_SECONDS.
        """
        return self._ask(command, args, name_of(command), patience)

    def _ask(self, command: int, args: bytes, what: str, patience: float | None = None) -> bytes:
        self._sequence = self._sequence + 1 & 255
        if patience is None and command not in UNENDING:
            patience = BUSY_SECONDS
        status, data = self._exchange(frames.request(self._sequence, command, args),
                                      self._is_reply, what, patience)
        return self._data(status, data, what)

    def _data(self, status: int, data: bytes, what: str) -> bytes:
        """A reply's data; raises the exception for its status."""
        if status == Status.NO_SESSION:
            raise LinkLost(f"{self._transport.name}: the device restarted; connect again")
        if status == Status.BAD_SEQUENCE:
            raise LinkLost(f"{self._transport.name}: another client has taken the device over")
        if status != Status.OK:
            raise self._refusal(what, status, data)
        return data

    def _is_reply(self, frame: Frame) -> bool:
        return frame.type == FrameType.REPLY and frame.sequence == self._sequence

    def _exchange(self, message: Frame, is_reply: Callable[[Frame], bool], what: str,
                  patience: float | None) -> tuple[int, bytes]:
        """Send a request until its reply comes; drop late replies to others."""
        wire, timing, clock = frames.encode_frame(message), self._timing, self._transport.clock
        started, pause, vigil = clock(), timing.resend, Vigil(timing)
        while True:
            self._transport.write(wire)
            until = clock() + pause
            while (frame := self._receive(until)) is not None:
                answers = is_reply(frame)
                status, data = frames.read_reply(frame) if answers else (Status.PENDING, b"")
                if status != Status.PENDING:
                    return status, data
                vigil.heard(answers)
                self._check(vigil, what)
                if patience is not None and clock() - started >= patience:
                    raise LinkTimeout(f"{self._transport.name}: {what} still at work after "
                                      f"{patience:g} s")
            self._check_firmware()
            vigil.quiet(pause)
            self._check(vigil, what)
            pause = min(2 * pause, timing.resend_most)

    def _check_firmware(self) -> None:
        """Raise LinkError if other firmware than edgefm's has answered."""
        name = foreign(bytes(self._unframed)) if self._unframed else None
        if name is not None:
            self._transport.write(LEAVE)
            raise LinkError(f"{self._transport.name}: {name} answers here, not edgefm's firmware; "
                            "`mpremote` talks to it, `edgefm flash BOARD` installs edgefm on one")

    def _check(self, vigil: Vigil, what: str) -> None:
        """Raise an error for a device that is silent, or answers without progress."""
        if vigil.silent:
            raise LinkTimeout(f"{self._transport.name}: no answer to {what} in "
                              f"{vigil.timing.silence:g} s")
        if vigil.pointless:
            raise BadMessage(f"{self._transport.name}: {vigil.idle} answers in a row without "
                             f"progress in {what}")

    def _hello(self, frame: int) -> Line:
        nonce = secrets.randbits(32)

        def is_reply(reply: Frame) -> bool:
            """A late answer to another client's HELLO has another nonce; PENDING has none."""
            if not self._is_reply(reply):
                return False
            status, data = frames.read_reply(reply)
            named = status in (Status.OK, Status.BAD_PROTOCOL)
            return not named or len(data) < 6 or data[2:6] == nonce.to_bytes(4, "little")

        status, data = self._exchange(frames.hello(self._sequence, nonce, frame), is_reply,
                                      "HELLO", HELLO_PATIENCE * self._timing.silence)
        if status not in (Status.OK, Status.BAD_PROTOCOL):
            raise self._refusal("HELLO", status, data)
        version, _, line = frames.read_hello(data)
        self.minor = version[1]
        if version[0] != frames.MAJOR:
            raise DeviceError(f"{self._transport.name}: speaks protocol {version[0]}.{version[1]}, "
                              f"this host {frames.MAJOR}.{frames.MINOR}: flash the device or "
                              "update edgefm", Status.BAD_PROTOCOL)
        return line

    def _read_info(self) -> Info:
        record, total = b"", 1
        while len(record) < total:
            data = self.request(Command.INFO, len(record).to_bytes(2, "little"))
            total = int.from_bytes(data[:2], "little")
            if total > MOST_INFO:
                raise BadMessage(f"{self._transport.name}: capability record of {total} bytes, "
                                 f"expected at most {MOST_INFO}")
            if len(data) <= 2:
                raise BadMessage(f"{self._transport.name}: capability record ends at "
                                 f"{len(record)} of {total} bytes")
            record += data[2:]
        return read_info(record)

    def _stopped(self, what: str, status: int) -> Exception:
        if status in (Status.NO_SESSION, Status.NO_TRANSFER):
            return LinkLost(f"{self._transport.name}: the device restarted or has another "
                            f"client, while {what}; do it again to go on")
        return self._refusal(what, status, b"")

    def _refusal(self, what: str, status: int, data: bytes) -> DeviceError:
        text = " ".join(data.decode("utf-8", "replace").split())
        return DeviceError(f"{self._transport.name}: {what}: {status_text(status)}"
                           f"{': ' if text else ''}{text}", status)

    # -- frames ----------------------------------------------------------------------------------

    def _receive(self, until: float) -> Frame | None:
        """The next frame that is not an event; None when none comes before the clock says `until`.

        Frames that have already arrived are read even after that time.
        """
        late = False
        while True:
            while self._arrived:
                frame = self._arrived.popleft()
                if frame.type != FrameType.EVENT:
                    return frame
                missed = frame.sequence - self._next_event & 255
                self._next_event = frame.sequence + 1 & 255
                self.on_event(Event(frame.payload, missed))
            if late:
                return None
            rest = until - self._transport.clock()
            late = rest <= 0
            data = self._transport.read(max(rest, 0.0))
            self._arrived.extend(self._reader.feed(data))
            if self._unframed is not None:
                self._unframed = None if self._arrived else (self._unframed + data)[-MOST_HEARD:]


def _affordable(frame: int, bytes_per_second: float | None) -> int:
    """The largest frame not above `frame` that does not block the line for long."""
    if bytes_per_second is not None:
        frame = min(frame, int(bytes_per_second * FRAME_SECONDS))
    return max(frames.FRAME_MIN, min(frame, frames.FRAME_MAX))


def status_text(status: int) -> str:
    """A status for messages: its name and number."""
    known = status in Status.__members__.values()
    return f"{Status(status).name if known else 'unknown status'} ({status})"


def name_of(command: int) -> str:
    """A command's name for messages."""
    known = command in Command.__members__.values()
    return Command(command).name if known else f"command {command}"
