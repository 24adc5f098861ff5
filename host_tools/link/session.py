# SPDX-License-Identifier: Apache-2.0
"""Reliable requests and bulk data over an unreliable line.

    with Session(open_transport("/dev/ttyACM0")) as session:
        print(session.info.board)
        session.put("net.efm", package)
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from edgefm.errors import BadMessage, DeviceError, LinkError, LinkLost, LinkTimeout
from host_tools.link import frames
from host_tools.link.bulk import SMALLEST_CHUNK, Bulk, Pace, Vigil
from host_tools.link.frames import Command, Frame, FrameType, Status
from host_tools.link.requests import Event, Requests, name_of

__all__ = ["Event", "Session"]

Progress = Callable[[int, int], None]
MOST_READ = 1 << 28     # bytes of one read; no board has a file or an output as large


class Session(Requests):
    """One client's conversation with one device; a context manager that owns its transport.

    Raises LinkTimeout when the device is silent, LinkLost when line or session are gone,
    DeviceError when the device refuses.
    """

    # -- bulk data -------------------------------------------------------------------------------

    def put(self, name: str, data: bytes, progress: Progress = lambda done, total: None) -> None:
        """Write `data` under a name; after an interruption, put() of the same data continues.

        `progress(done, total)` gets the number of bytes that the device has.
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
        return Bulk(number, chunk, start, len(data), window, writing=True)

    def _push(self, bulk: Bulk, data: bytes, name: str, progress: Progress) -> bool:
        """Send every chunk until the device has it; False when chunks should be smaller."""
        pace, vigil = Pace(self._timing, self._transport.clock()), Vigil(self._timing)
        while not bulk.done():
            if bulk.should_shrink():
                return False
            self._send_due(bulk, data, pace)
            if self._heard(bulk, pace, vigil, f"writing {name}"):
                progress(bulk.offset(bulk.next), len(data))
        return True

    def _send_due(self, bulk: Bulk, data: bytes, pace: Pace | None = None) -> None:
        for chosen in (bulk.take_again, bulk.due, bulk.spare):
            for number in chosen():
                self._send_chunk(bulk, data, number)
                bulk.sent(number)
                if pace is not None:
                    pace.sent(number, self._transport.clock())

    def _send_chunk(self, bulk: Bulk, data: bytes, number: int) -> None:
        piece = data[bulk.offset(number):bulk.offset(number + 1)]
        self._transport.write(frames.encode_frame(frames.chunk(bulk.id, number, piece)))

    def feed(self, command: int, args: bytes, name: str, data: bytes) -> bytes:
        """Carry out a command and send its `data`, written under `name`, while it works.

        Returns the reply's data. After an exception on the host (KeyboardInterrupt) the device
        keeps working: restart() ends it.
        """
        size = self.line.chunk
        while not self._fill(bulk := self._open_write(name, data, size), data, name):
            size = max(SMALLEST_CHUNK, size // 4)
        try:
            reply = self._drive(command, args, bulk, data)
        except DeviceError:  # the device does not want the rest of the data
            self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(bulk.id, 0), f"CLOSE of {name}")
            raise
        self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(bulk.id, 1), f"CLOSE of {name}")
        return reply

    def _fill(self, bulk: Bulk, data: bytes, name: str) -> bool:
        """Fill the device's window; False when chunks should be smaller."""
        pace, vigil = Pace(self._timing, self._transport.clock()), Vigil(self._timing)
        while bulk.due() or bulk.flying:
            if bulk.should_shrink():
                return False
            self._send_due(bulk, data, pace)
            self._heard(bulk, pace, vigil, f"writing {name}")
        return True

    def _drive(self, command: int, args: bytes, bulk: Bulk, data: bytes) -> bytes:
        """Send a request and the rest of its data, until the reply comes.

        In silence only the request is sent again: a computing device answers it when it reads the
        line, and earlier chunks without an answer are lost.
        """
        self._sequence = self._sequence + 1 & 255
        wire = frames.encode_frame(frames.request(self._sequence, command, args))
        timing, what = self._timing, name_of(command)
        pause, vigil, asked = timing.resend, Vigil(timing), False
        self._transport.write(wire)
        while True:
            self._send_due(bulk, data)
            frame = self._receive(self._transport.clock() + pause)
            if frame is None:
                vigil.quiet(pause)
                self._transport.write(wire)
                asked = False
                pause = min(2 * pause, timing.resend_most)
            elif self._is_reply(frame):
                status, reply = frames.read_reply(frame)
                if status != Status.PENDING:
                    return self._data(status, reply, what)
                vigil.heard(news=True)
                if not asked:
                    self._ask_again(bulk, data)
                asked = True
            else:
                asked = False
                pause = timing.resend if self._landed(bulk, frame, what) else pause
                vigil.heard(bulk.is_news())
            self._check(vigil, what)

    def _ask_again(self, bulk: Bulk, data: bytes) -> None:
        """Ask again: the device answers, so unanswered chunks, or their answers, may be lost."""
        bulk.unanswered()
        if not (bulk.done() or bulk.due() or bulk.again):
            self._send_chunk(bulk, data, bulk.next)

    def get(self, name: str, start: int = 0, count: int | None = None,
            progress: Progress = lambda done, total: None, *, most: int = MOST_READ) -> bytes:
        """Read the contents of a name on the device, `count` bytes from byte `start` on, or all.

        Raises BadMessage for more than `most` bytes, LinkError when a whole read does not have the
        checksum that the device reported.
        """
        size, data, first = self.line.chunk, bytearray(), (-1, -1)
        while True:
            number, total, crc = self._open_read(name, start + len(data), size)
            self._check_read(name, (total, crc), first, most)
            first = total, crc
            until = total if count is None else min(start + count, total)
            bulk = Bulk(number, size, start + len(data), total, frames.WINDOW_MAX, until)
            if self._pull(bulk, data, name, progress):
                self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1), f"CLOSE of {name}")
                break
            size = max(SMALLEST_CHUNK, size // 4)
        wanted = max(0, until - start)
        if len(data) < wanted:
            raise BadMessage(f"{self._transport.name}: {len(data)} bytes of {name}, expected "
                             f"{wanted}")
        if len(data) == total and zlib.crc32(data) != crc:
            raise LinkError(f"{self._transport.name}: {name} does not have its checksum")
        return bytes(data[:wanted])

    def _open_read(self, name: str, start: int, chunk: int) -> tuple[int, int, int]:
        """Number of the transfer, size and CRC-32 of the whole."""
        args = frames.READ_ARGS.pack(start, chunk) + name.encode()
        reply = self._ask(Command.OPEN_READ, args, f"OPEN_READ of {name}")
        if len(reply) != frames.READ_REPLY.size:
            raise BadMessage(f"{self._transport.name}: OPEN_READ reply of {len(reply)} bytes")
        number, total, crc = frames.READ_REPLY.unpack(reply)
        return number, total, crc

    def _check_read(self, name: str, now: tuple[int, int], first: tuple[int, int],
                    most: int) -> None:
        if now[0] > most:
            raise BadMessage(f"{self._transport.name}: {name} of {now[0]} bytes, expected at most "
                             f"{most}")
        if first not in (now, (-1, -1)):
            raise LinkLost(f"{self._transport.name}: {name} changed while it was read")

    def look(self, name: str, most: int = MOST_READ) -> tuple[int, int]:
        """Size and CRC-32 of the contents of a name on the device, without reading them.

        Raises BadMessage for more than `most` bytes.
        """
        number, total, crc = self._open_read(name, 0, SMALLEST_CHUNK)
        self._check_read(name, (total, crc), (-1, -1), most)
        self._ask(Command.CLOSE, frames.CLOSE_ARGS.pack(number, 1), f"CLOSE of {name}")
        return total, crc

    def _pull(self, bulk: Bulk, data: bytearray, name: str, progress: Progress) -> bool:
        """Ask for every chunk until it is here; False when chunks should be smaller."""
        pace, vigil = Pace(self._timing, self._transport.clock()), Vigil(self._timing)
        while not bulk.done():
            if bulk.should_shrink():
                return False
            numbers = bulk.take_again()
            if not numbers and len(bulk.flying) <= bulk.window // 2:
                numbers = bulk.due()
            if numbers:
                self._transport.write(frames.encode_frame(
                    frames.want(bulk.id, bulk.next, numbers)))
                for number in numbers:
                    bulk.sent(number)
                    pace.sent(number, self._transport.clock())
            if self._heard(bulk, pace, vigil, f"reading {name}"):
                data += bulk.take()
                progress(bulk.offset(bulk.next), bulk.total)
        return True

    def _heard(self, bulk: Bulk, pace: Pace, vigil: Vigil, what: str) -> bool:
        """Wait for one answer about a transfer; silence means that everything in flight is lost."""
        frame = self._receive(self._transport.clock() + pace.pause)
        known = frame is not None and self._landed(bulk, frame, what)
        if frame is None:
            vigil.quiet(pace.pause)
            pace.quiet()
            bulk.unanswered()
        else:
            vigil.heard(bulk.is_news())
            if known:
                pace.answered(self._transport.clock(), _number(frame))
        if vigil.silent:
            raise LinkTimeout(f"{self._transport.name}: no answer for {vigil.waited:.3g} s "
                              f"while {what}; {bulk.offset(bulk.next)} of {bulk.total} bytes "
                              "are there")
        self._check(vigil, what)
        return known

    def _landed(self, bulk: Bulk, frame: Frame, what: str) -> bool:
        """Process a frame about a transfer; False if it is about something else."""
        if frame.sequence != bulk.id:
            return False
        if frame.type == FrameType.ACK:
            ack = frames.read_ack(frame)
            if ack.status != Status.OK:
                raise self._stopped(what, ack.status)
            return bulk.writing and bulk.acknowledged(ack.number, ack.next, ack.numbers())
        if frame.type == FrameType.CHUNK and not bulk.writing:
            number, piece = frames.read_chunk(frame)
            return bulk.arrived(number, piece)
        return False


def _number(frame: Frame) -> int:
    """The chunk that a frame of a transfer is about."""
    is_chunk = frame.type == FrameType.CHUNK
    return frames.read_chunk(frame)[0] if is_chunk else frames.read_ack(frame).number
