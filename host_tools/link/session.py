# SPDX-License-Identifier: Apache-2.0
"""Requests that are answered, and bulk data that arrives whole, over a line that may not.

    with Session(open_transport("/dev/ttyACM0")) as session:
        print(session.info.board)
        session.put("net.efm", package)
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from edgefm.errors import BadMessage, DeviceError, LinkError, LinkTimeout
from host_tools.link import frames
from host_tools.link.bulk import SMALLEST_CHUNK, Bulk, Pace
from host_tools.link.frames import Command, Frame, FrameType, Status
from host_tools.link.requests import Event, Requests, name_of

__all__ = ["Event", "Session"]

Progress = Callable[[int, int], None]


class Session(Requests):
    """One client's conversation with one device; a context manager that owns its transport.

    Raises LinkTimeout when the device is silent, LinkLost when line or session are gone,
    DeviceError when the device refuses.
    """

    # -- bulk data -------------------------------------------------------------------------------

    def put(self, name: str, data: bytes, progress: Progress = lambda done, total: None) -> None:
        """Write `data` under a name. What an interrupted put() of the same left is not sent again.

        `progress(done, total)` is told how many bytes the device has.
        """
        size = self.line.chunk
        while True:
            bulk = self._open_write(name, data, size)
            if self._push(bulk, data, name, progress):
                self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(bulk.id, 1), f"CLOSE of {name}")
                return
            size = max(SMALLEST_CHUNK, size // 4)

    def _open_write(self, name: str, data: bytes, chunk: int) -> Bulk:
        args = frames.WRITE_ARGS.pack(len(data), zlib.crc32(data), chunk) + name.encode()
        reply = self._ask(Command.OPEN_WRITE, args, f"OPEN_WRITE of {name}")
        if len(reply) != frames.WRITE_REPLY.size:
            raise BadMessage(f"{self._transport.name}: OPEN_WRITE reply of {len(reply)} bytes")
        number, window, start = frames.WRITE_REPLY.unpack(reply)
        if start > len(data) or not 1 <= window <= frames.WINDOW_MAX:
            raise BadMessage(f"{self._transport.name}: OPEN_WRITE reply: start {start}, "
                             f"window {window}")
        return Bulk(number, chunk, start, len(data), window)

    def _push(self, bulk: Bulk, data: bytes, name: str, progress: Progress) -> bool:
        """Send every chunk until the device has it; False when chunks should be smaller."""
        pace = Pace(self._timing, self._transport.clock())
        while not bulk.done():
            if bulk.should_shrink():
                return False
            self._send_due(bulk, data, pace)
            if self._heard(bulk, pace, f"writing {name}"):
                progress(bulk.offset(bulk.next), len(data))
        return True

    def _send_due(self, bulk: Bulk, data: bytes, pace: Pace | None = None) -> None:
        for chosen in (bulk.due, bulk.spare):
            for number in chosen():
                self._send_chunk(bulk, data, number)
                bulk.sent(number)
                if pace is not None:
                    pace.sent(number, self._transport.clock())

    def _send_chunk(self, bulk: Bulk, data: bytes, number: int) -> None:
        piece = data[bulk.offset(number):bulk.offset(number + 1)]
        self._transport.write(frames.encode_frame(frames.chunk(bulk.id, number, piece)))

    def feed(self, command: int, args: bytes, name: str, data: bytes) -> bytes:
        """Have a command carried out that takes `data`, written under `name`, while it works.

        Returns the reply's data. On an exception of the host (KeyboardInterrupt) the device is
        left at work: restart() ends it.
        """
        size = self.line.chunk
        while not self._fill(bulk := self._open_write(name, data, size), data, name):
            size = max(SMALLEST_CHUNK, size // 4)
        try:
            reply = self._drive(command, args, bulk, data)
        except DeviceError:  # what is left of the data is for nobody
            self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(bulk.id, 0), f"CLOSE of {name}")
            raise
        self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(bulk.id, 1), f"CLOSE of {name}")
        return reply

    def _fill(self, bulk: Bulk, data: bytes, name: str) -> bool:
        """Fill the device's window; False when chunks should be smaller."""
        pace = Pace(self._timing, self._transport.clock())
        while bulk.due() or bulk.flying:
            if bulk.should_shrink():
                return False
            self._send_due(bulk, data, pace)
            self._heard(bulk, pace, f"writing {name}")
        return True

    def _drive(self, command: int, args: bytes, bulk: Bulk, data: bytes) -> bytes:
        """Send a request and the rest of its data, until the reply comes."""
        self._sequence = self._sequence + 1 & 255
        wire = frames.encode_frame(frames.request(self._sequence, command, args))
        timing, clock, what = self._timing, self._transport.clock, name_of(command)
        heard, pause = clock(), timing.resend
        self._transport.write(wire)
        while clock() - heard < timing.silence:
            self._send_due(bulk, data)
            frame = self._receive(clock() + pause)
            if frame is None:  # the request may be lost, or the answer to what was sent
                bulk.lose_all()
                self._transport.write(wire)
                if not bulk.done() and not bulk.due():
                    self._send_chunk(bulk, data, bulk.next)
                pause = min(2 * pause, timing.resend_most)
            elif self._is_reply(frame):
                status, reply = frames.read_reply(frame)
                if status != Status.PENDING:
                    return self._data(status, reply, what)
                heard = clock()
            elif self._landed(bulk, frame, what):
                heard, pause = clock(), timing.resend
        raise LinkTimeout(f"{self._transport.name}: no answer to {what} in {timing.silence:g} s")

    def get(self, name: str, start: int = 0, count: int | None = None,
            progress: Progress = lambda done, total: None) -> bytes:
        """Read what the device holds under a name, `count` bytes from byte `start` on, or all.

        Raises LinkError when a whole read does not have the checksum the device promised.
        """
        size, data = self.line.chunk, bytearray()
        while True:
            number, total, crc = self._open_read(name, start + len(data), size)
            until = total if count is None else min(start + count, total)
            bulk = Bulk(number, size, start + len(data), total, frames.WINDOW_MAX, until)
            if self._pull(bulk, data, name, progress):
                self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1), f"CLOSE of {name}")
                break
            size = max(SMALLEST_CHUNK, size // 4)
        if len(data) == total and zlib.crc32(data) != crc:
            raise LinkError(f"{self._transport.name}: {name} does not have its checksum")
        return bytes(data[:count])

    def look(self, name: str) -> tuple[int, int]:
        """Bytes and CRC-32 of what the device holds under a name, of which nothing is read."""
        number, total, crc = self._open_read(name, 0, SMALLEST_CHUNK)
        self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1), f"CLOSE of {name}")
        return total, crc

    def _open_read(self, name: str, start: int, chunk: int) -> tuple[int, int, int]:
        """The transfer's number, bytes and CRC-32 of the whole."""
        args = frames.READ_ARGS.pack(start, chunk) + name.encode()
        reply = self._ask(Command.OPEN_READ, args, f"OPEN_READ of {name}")
        if len(reply) != frames.READ_REPLY.size:
            raise BadMessage(f"{self._transport.name}: OPEN_READ reply of {len(reply)} bytes")
        number, total, crc = frames.READ_REPLY.unpack(reply)
        return number, total, crc

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
                    pace.sent(number, self._transport.clock())
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
        known = self._landed(bulk, frame, what)
        if known:
            pace.answered(now, _number(frame))
        return known

    def _landed(self, bulk: Bulk, frame: Frame, what: str) -> bool:
        """Take what a frame says about a transfer; False when it says nothing."""
        if frame.sequence != bulk.id:
            return False
        if frame.type == FrameType.ACK:
            ack = frames.read_ack(frame)
            if ack.status != Status.OK:
                raise self._stopped(what, ack.status)
            return bulk.acknowledged(ack.number, ack.next, ack.numbers())
        if frame.type == FrameType.CHUNK:
            number, piece = frames.read_chunk(frame)
            return bulk.arrived(number, piece)
        return False


def _number(frame: Frame) -> int:
    """The chunk that a frame of a transfer is about."""
    is_chunk = frame.type == FrameType.CHUNK
    return frames.read_chunk(frame)[0] if is_chunk else frames.read_ack(frame).number
