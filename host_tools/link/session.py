# SPDX-License-Identifier: Apache-2.0
"""Requests that are answered, and bulk data that arrives whole, over a line that may not.

    with Session(open_transport("/dev/ttyACM0")) as session:
        print(session.info.board)
        session.put("net.efm", package)

The device only answers; every timer and every decision to send again is here.
"""

from __future__ import annotations

import secrets
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from edgefm.errors import BadMessage, DeviceError, LinkError, LinkLost, LinkTimeout
from host_tools.link import frames
from host_tools.link.bulk import SMALLEST_CHUNK, Bulk, Pace, Timing
from host_tools.link.frames import Command, Frame, FrameType, Info, Line, Status
from host_tools.link.transport import Transport

Progress = Callable[[int, int], None]

FRAME_SECONDS = 0.25    # a frame should not block a slow line for longer


@dataclass(frozen=True, slots=True)
class Event:
    """What a device says unasked; `missed` events before it were lost on the line."""

    payload: bytes
    missed: int


class Session:
    """One client's conversation with one device; a context manager that owns its transport.

    Raises LinkTimeout when the device is silent, LinkLost when line or session are gone,
    DeviceError when the device refuses.
    """

    info: Info

    def __init__(self, transport: Transport, *, frame: int = frames.FRAME_MAX,
                 timing: Timing | None = None,
                 on_event: Callable[[Event], None] = lambda event: None) -> None:
        self._transport = transport
        self._timing = timing or Timing()
        self._on_event = on_event
        self._reader = frames.FrameReader()
        self._arrived: deque[Frame] = deque()
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
        """Give the transport back."""
        self._transport.close()

    # -- requests --------------------------------------------------------------------------------

    def request(self, command: int, args: bytes = b"", patience: float | None = None) -> bytes:
        """Have a command carried out exactly once; return its reply's data.

        `patience` is how long (seconds) a device may say that it is still working; None: for ever.
        """
        return self._ask(command, args, _name(command), patience)

    def _ask(self, command: int, args: bytes, what: str, patience: float | None = None) -> bytes:
        self._sequence = self._sequence + 1 & 255
        status, data = self._exchange(frames.request(self._sequence, command, args),
                                      self._is_reply, what, patience)
        if status == Status.NO_SESSION:
            raise LinkLost(f"{self._transport.name}: the device started anew; connect again")
        if status == Status.BAD_SEQUENCE:
            raise LinkLost(f"{self._transport.name}: another client has taken the device over")
        if status != Status.OK:
            raise self._refusal(what, status, data)
        return data

    def _is_reply(self, frame: Frame) -> bool:
        return frame.type == FrameType.REPLY and frame.sequence == self._sequence

    def _exchange(self, message: Frame, is_reply: Callable[[Frame], bool], what: str,
                  patience: float | None) -> tuple[int, bytes]:
        """Send a request until its reply comes; what else arrives is late and dropped."""
        wire, timing, clock = frames.encode_frame(message), self._timing, self._transport.clock
        started = heard = clock()
        pause = timing.resend
        while clock() - heard < timing.silence:
            self._transport.write(wire)
            until = clock() + pause
            while (frame := self._receive(until)) is not None:
                if not is_reply(frame):
                    continue
                status, data = frames.read_reply(frame)
                if status != Status.PENDING:
                    return status, data
                heard = clock()
                if patience is not None and heard - started >= patience:
                    raise LinkTimeout(f"{self._transport.name}: {what} still at work after "
                                      f"{patience:g} s")
            pause = min(2 * pause, timing.resend_most)
        raise LinkTimeout(f"{self._transport.name}: no answer to {what} in {timing.silence:g} s")

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
                                      "HELLO", None)
        if status not in (Status.OK, Status.BAD_PROTOCOL):
            raise self._refusal("HELLO", status, data)
        version, _, line = frames.read_hello(data)
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
            if len(data) <= 2:
                raise BadMessage(f"{self._transport.name}: capability record ends at "
                                 f"{len(record)} of {total} bytes")
            record += data[2:]
        return frames.read_info(record)

    # -- bulk data -------------------------------------------------------------------------------

    def put(self, name: str, data: bytes, progress: Progress = lambda done, total: None) -> None:
        """Write `data` under a name. What an interrupted put() of the same left is not sent again.

        `progress(done, total)` is told how many bytes the device has.
        """
        size = self.line.chunk
        while True:
            args = frames.WRITE_ARGS.pack(len(data), zlib.crc32(data), size) + name.encode()
            reply = self._ask(Command.OPEN_WRITE, args, f"OPEN_WRITE of {name}")
            if len(reply) != frames.WRITE_REPLY.size:
                raise BadMessage(f"{self._transport.name}: OPEN_WRITE reply of {len(reply)} bytes")
            number, window, start = frames.WRITE_REPLY.unpack(reply)
            if start > len(data) or not 1 <= window <= frames.WINDOW_MAX:
                raise BadMessage(f"{self._transport.name}: OPEN_WRITE reply: start {start}, "
                                 f"window {window}")
            bulk = Bulk(number, size, start, len(data), window)
            if self._push(bulk, data, name, progress):
                self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1), f"CLOSE of {name}")
                return
            size = max(SMALLEST_CHUNK, size // 4)

    def _push(self, bulk: Bulk, data: bytes, name: str, progress: Progress) -> bool:
        """Send every chunk until the device has it; False when chunks should be smaller."""
        pace = Pace(self._timing, self._transport.clock())
        while not bulk.done():
            if bulk.should_shrink():
                return False
            for number in bulk.due():
                at = bulk.offset(number)
                piece = data[at:min(at + bulk.chunk, len(data))]
                self._transport.write(frames.encode_frame(frames.chunk(bulk.id, number, piece)))
                bulk.sent(number)
            if self._heard(bulk, pace, f"writing {name}"):
                progress(bulk.offset(bulk.next), len(data))
        return True

    def get(self, name: str, start: int = 0,
            progress: Progress = lambda done, total: None) -> bytes:
        """Read what the device holds under a name, from byte `start` on.

        Raises LinkError when a whole read does not have the checksum the device promised.
        """
        size, data = self.line.chunk, bytearray()
        while True:
            args = frames.READ_ARGS.pack(start + len(data), size) + name.encode()
            reply = self._ask(Command.OPEN_READ, args, f"OPEN_READ of {name}")
            if len(reply) != frames.READ_REPLY.size:
                raise BadMessage(f"{self._transport.name}: OPEN_READ reply of {len(reply)} bytes")
            number, total, crc = frames.READ_REPLY.unpack(reply)
            bulk = Bulk(number, size, start + len(data), total, frames.WINDOW_MAX)
            if self._pull(bulk, data, name, progress):
                self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1), f"CLOSE of {name}")
                break
            size = max(SMALLEST_CHUNK, size // 4)
        if start == 0 and zlib.crc32(data) != crc:
            raise LinkError(f"{self._transport.name}: {name} does not have its checksum")
        return bytes(data)

    def _pull(self, bulk: Bulk, data: bytearray, name: str, progress: Progress) -> bool:
        """Ask for every chunk until it is here; False when chunks should be smaller."""
        pace = Pace(self._timing, self._transport.clock())
        while not bulk.done():
            if bulk.should_shrink():
                return False
            if len(bulk.flying) <= bulk.window // 2 and (numbers := bulk.due()):
                self._transport.write(frames.encode_frame(
                    frames.want(bulk.id, bulk.next, numbers)))
                for number in numbers:
                    bulk.sent(number)
            if self._heard(bulk, pace, f"reading {name}"):
                data += bulk.take()
                progress(bulk.offset(bulk.next), bulk.total)
        return True

    def _heard(self, bulk: Bulk, pace: Pace, what: str) -> bool:
        """Wait for one answer about a transfer; silence means that all in flight is lost."""
        frame = self._receive(self._transport.clock() + pace.pause)
        now = self._transport.clock()
        if now - pace.heard >= self._timing.silence:
            raise LinkTimeout(f"{self._transport.name}: no answer for {now - pace.heard:.3g} s "
                              f"while {what}; {bulk.offset(bulk.next)} of {bulk.total} bytes "
                              "are there")
        if frame is None:
            pace.quiet()
            bulk.lose_all()
            return False
        if frame.sequence != bulk.id:
            return False
        if frame.type == FrameType.ACK:
            ack = frames.read_ack(frame)
            if ack.status != Status.OK:
                raise self._stopped(what, ack.status)
            known = bulk.acknowledged(ack.number, ack.next, ack.numbers())
        elif frame.type == FrameType.CHUNK:
            number, piece = frames.read_chunk(frame)
            known = bulk.arrived(number, piece)
        else:
            return False
        if known:
            pace.answered(now)
        return known

    def _stopped(self, what: str, status: int) -> Exception:
        if status in (Status.NO_SESSION, Status.NO_TRANSFER):
            return LinkLost(f"{self._transport.name}: the device started anew or has another "
                            f"client, while {what}; do it again to go on")
        return self._refusal(what, status, b"")

    def _refusal(self, what: str, status: int, data: bytes) -> DeviceError:
        name = Status(status).name if status in Status.__members__.values() else "unknown status"
        text = " ".join(data.decode("utf-8", "replace").split())
        return DeviceError(f"{self._transport.name}: {what}: {name} ({status})"
                           f"{': ' if text else ''}{text}", status)

    # -- frames ----------------------------------------------------------------------------------

    def _receive(self, until: float) -> Frame | None:
        """The next frame that is no event; None when none comes before the clock says `until`."""
        while True:
            while self._arrived:
                frame = self._arrived.popleft()
                if frame.type != FrameType.EVENT:
                    return frame
                missed = frame.sequence - self._next_event & 255
                self._next_event = frame.sequence + 1 & 255
                self._on_event(Event(frame.payload, missed))
            rest = until - self._transport.clock()
            if rest <= 0:
                return None
            self._arrived.extend(self._reader.feed(self._transport.read(rest)))


def _affordable(frame: int, bytes_per_second: float | None) -> int:
    """The largest frame not above `frame` that does not block the line for long."""
    if bytes_per_second is not None:
        frame = min(frame, int(bytes_per_second * FRAME_SECONDS))
    return max(frames.FRAME_MIN, min(frame, frames.FRAME_MAX))


def _name(command: int) -> str:
    known = command in Command.__members__.values()
    return Command(command).name if known else f"command {command}"
