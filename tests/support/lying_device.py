# SPDX-License-Identifier: Apache-2.0
"""A device in Python that says whatever a test has it say, in frames that are sound.

    device = LyingDevice({"net.efm": package}, outputs=[b"…"])
    device.reads[":output/0"] = Read(b"short")           # instead of the truth
    device.spoil = lambda payload: payload[:-1]          # every reply
    with Device(Line(device)) as board: ...

`Line` has a clock of its own that every read moves, so that what waits for ever ends at once, and
a test that loops for ever fails.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgefm.errors import LinkLost
from host_tools.link import frames
from host_tools.link.answers import RECORD
from host_tools.link.capability import Info, write_info
from host_tools.link.events import RUN_BEGIN, RUN_END, STAGE
from host_tools.link.frames import Command, Frame, FrameReader, FrameType, Status

STORE = 1 << 20
INFO = Info(b"\1" * 8, "liar", 63, 255, (1 << 40) - 1, 1 << 20, 1 << 20, STORE, STORE, 1, 0, 4,
            "us", True, 1_000_000, STORE)
MOST_CALLS = 100_000


@dataclass(frozen=True)
class Read:
    """What stands under a name: `data` is sent, `total` and `crc` are said."""

    data: bytes
    total: int | None = None
    crc: int | None = None

    @property
    def said(self) -> tuple[int, int]:
        total = len(self.data) if self.total is None else self.total
        return total, zlib.crc32(self.data) if self.crc is None else self.crc


class LyingDevice:
    """bytes in -> bytes out. `reads` replaces what a name has, `spoil` changes payloads of answers.

    `stages`: as many as the events of a run tell of; `status`: how a run ends, by its RUN_END.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None, outputs: Sequence[bytes] = (),
                 stages: int = 1, info: Info = INFO) -> None:
        self.files, self.outputs, self.stages = dict(files or {}), list(outputs), stages
        self.reads: dict[str, Read] = {}
        self.spoil: Callable[[int, bytes], bytes] = lambda kind, payload: payload
        self.status, self.runs, self.calls = Status.OK, 0, 0
        self.info = write_info(info)
        self.extra_events: list[bytes] = []
        self.commands: list[int] = []
        self._reader, self._events = FrameReader(), 0
        self._open: Read | None = None
        self._start = self._chunk = self._total = self._next = self._have = self._transfer = 0
        self._last: tuple[int, bytes] | None = None

    def __call__(self, data: bytes) -> bytes:
        self.calls += 1
        assert self.calls < MOST_CALLS, "the host asks for ever"
        out = b""
        for frame in self._reader.feed(data):
            answer = {FrameType.REQUEST: self._request, FrameType.CHUNK: self._take,
                      FrameType.WANT: self._give}.get(frame.type)
            out += answer(frame) if answer else b""
        return out

    def end(self) -> bytes:
        """The RUN_END of the last run."""
        digest = hashlib.sha256(b"".join(self.outputs)).digest()
        return RUN_END.pack(3, self.runs, self.status, 5, 100, *[0] * 7, 0, 0, digest)

    def _say(self, kind: int, number: int, payload: bytes) -> bytes:
        return frames.encode_frame(Frame(kind, number & 255, self.spoil(kind, payload)[:4088]))

    def _request(self, frame: Frame) -> bytes:
        if self._last is None or self._last[0] != frame.sequence or frame.payload[:1] == b"\1":
            command, args = frame.payload[0], frame.payload[1:]
            self.commands.append(command)
            before = b""
            if command == Command.RUN:
                before = self._run()
            status, data = self._answer(command, args)
            self._last = frame.sequence, struct.pack("<b", status) + data
            return before + self._say(FrameType.REPLY, frame.sequence, self._last[1])
        return self._say(FrameType.REPLY, frame.sequence, self._last[1])

    def _answer(self, command: int, args: bytes) -> tuple[int, bytes]:
        if command == Command.HELLO:
            nonce, = struct.unpack_from("<I", args, 2)
            return 0, frames.HELLO_REPLY.pack(1, 2, nonce, 4096, 1 << 16, 32)
        if command == Command.INFO:
            at = int.from_bytes(args, "little")
            return 0, len(self.info).to_bytes(2, "little") + self.info[at:]
        if command == Command.OPEN_WRITE:
            self._total, _, self._chunk = frames.WRITE_ARGS.unpack_from(args)
            return self._opened(Read(b""), 0, frames.WRITE_REPLY, 32, 0)
        if command == Command.OPEN_READ:
            start, self._chunk = frames.READ_ARGS.unpack_from(args)
            found = self._find(args[frames.READ_ARGS.size:].decode())
            return (Status.NOT_FOUND, b"") if found is None else self._opened(
                found, start, frames.READ_REPLY, *found.said)
        if command == Command.RUN:
            return 0, struct.pack("<I", self.runs)
        if command == Command.SPACE:
            return 0, struct.pack("<IIII", STORE, STORE, STORE, 0)
        return 0, args if command == Command.ECHO else b""

    def _opened(self, what: Read, start: int, reply: struct.Struct, *fields: int
                ) -> tuple[int, bytes]:
        self._open, self._start, self._next, self._have = what, start, 0, 0
        self._transfer = self._transfer % 255 + 1
        return 0, reply.pack(self._transfer, *fields)

    def _find(self, name: str) -> Read | None:
        if name in self.reads:
            return self.reads[name]
        if name == ":list":
            return Read(b"".join(RECORD.pack(len(data), zlib.crc32(data), len(one), one.encode())
                                 for one, data in self.files.items()))
        if name == ":run":
            return Read(self.end())
        if name.startswith(":hash/"):
            held = self.files.get(name[6:])
            return None if held is None else Read(hashlib.sha256(held).digest())
        if name.startswith(":output/") and int(name[8:]) < len(self.outputs):
            return Read(self.outputs[int(name[8:])])
        return Read(self.files[name]) if name in self.files else None

    def _run(self) -> bytes:
        self.runs += 1
        told = [RUN_BEGIN.pack(1, self.runs, 0, self.stages, b"\0" * 8),
                *(STAGE.pack(2, self.runs, i, i, *[0] * 7) for i in range(self.stages + 1)),
                *self.extra_events, self.end()]
        self._events += len(told)
        return b"".join(self._say(FrameType.EVENT, self._events - len(told) + i, payload)
                        for i, payload in enumerate(told))

    def _take(self, frame: Frame) -> bytes:
        number, _ = frames.read_chunk(frame)
        if number >= self._next:
            self._have |= 1 << (number - self._next)
        while self._have & 1:
            self._next, self._have = self._next + 1, self._have >> 1
        return self._say(FrameType.ACK, frame.sequence, frames.ACK.pack(
            0, number, self._next, self._have))

    def _give(self, frame: Frame) -> bytes:
        first, mask = frames.WANT.unpack(frame.payload)
        assert self._open is not None
        out, total = b"", self._open.said[0]
        for number in (first + i for i in range(32) if mask >> i & 1):
            at = self._start + number * self._chunk
            size = min(self._chunk, max(0, total - at))
            piece = self._open.data[at:at + size].ljust(size, b"\0")
            out += self._say(FrameType.CHUNK, frame.sequence,
                             frames.CHUNK_HEAD.pack(number) + piece)
        return out


class Line:
    """A transport whose clock every read moves, by its timeout where nothing comes."""

    def __init__(self, device: Callable[[bytes], bytes], step: float = 0.02) -> None:
        self.name, self.bytes_per_second, self.seconds = "liar", None, 0.0
        self._device, self._step, self._pending = device, step, b""

    def write(self, data: bytes) -> None:
        self._pending += self._device(data)
        if len(self._pending) > 1 << 24:
            raise LinkLost("liar: a line that is not read")

    def read(self, timeout: float) -> bytes:
        data, self._pending = self._pending, b""
        self.seconds += self._step if data else max(timeout, 1e-6)
        return data

    def clock(self) -> float:
        return self.seconds

    def close(self) -> None:
        pass
