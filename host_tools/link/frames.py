# SPDX-License-Identifier: Apache-2.0
"""Frames and messages of the serial link as bytes: pure functions, no I/O.

docs/PROTOCOL.md is the contract; firmware/common/frames.c and link.c are the device's end of it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from edgefm.errors import BadMessage

MAJOR, MINOR = 1, 5
HEAD = struct.Struct("<BBH")
CRC = struct.Struct("<I")
FRAME_EXTRA = HEAD.size + CRC.size
FRAME_MIN, FRAME_MAX = 32, 4096
CHUNK_HEAD = struct.Struct("<I")
WINDOW_MAX = 32
MAX_RUN = 254

HELLO_ARGS = struct.Struct("<BBIH")
HELLO_REPLY = struct.Struct("<BBIHIB")
WRITE_ARGS = struct.Struct("<IIH")
WRITE_REPLY = struct.Struct("<BBI")
READ_ARGS = struct.Struct("<IH")
READ_REPLY = struct.Struct("<BII")
CLOSE_ARGS = struct.Struct("<BB")
ACK = struct.Struct("<bIII")
WANT = struct.Struct("<II")


class FrameType(IntEnum):
    """What a frame carries."""

    REQUEST = 1
    REPLY = 2
    EVENT = 3
    CHUNK = 4
    ACK = 5
    WANT = 6


class Command(IntEnum):
    """What a request asks for; below FIRST_COMMAND the link's own, the others the firmware's."""

    HELLO = 1
    INFO = 2
    ECHO = 3
    OPEN_WRITE = 4
    OPEN_READ = 5
    CLOSE = 6
    REMOVE = 16
    RUN = 17
    SPACE = 18
    RESET = 19
    IMPORT = 20
    TEST = 21


FIRST_COMMAND = 16


class Status(IntEnum):
    """How a request ended; never renumbered. -1 to -14 are the C runtime's own."""

    PENDING = 1
    OK = 0
    BAD_MAGIC = -1
    BAD_VERSION = -2
    BAD_SIZE = -3
    BAD_CHECKSUM = -4
    BAD_SECTION = -5
    BAD_FEATURE = -6
    BAD_STREAM = -7
    BAD_BUFFER = -8
    BAD_OPERATOR = -9
    BAD_CODEC = -10
    BAD_SCHEDULE = -11
    BAD_ARGUMENT = -12
    PORT_FAILED = -13
    HOST_FAILED = -14
    NO_SESSION = -32
    BAD_PROTOCOL = -33
    BAD_REQUEST = -34
    BAD_SEQUENCE = -35
    NO_TRANSFER = -36
    INCOMPLETE = -37
    NOT_FOUND = -38
    NO_SPACE = -39
    REFUSED = -40
    TOO_MANY = -41


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its type, its sequence or transfer number, its payload."""

    type: int
    sequence: int
    payload: bytes = b""


def stuff(content: bytes) -> bytes:
    """COBS: the same bytes without a zero, one byte longer per 254 at most."""
    out, at, more = bytearray(), 0, True
    while more:
        end = content.find(0, at, at + MAX_RUN)
        end = min(at + MAX_RUN, len(content)) if end < 0 else end
        out.append(end - at + 1)
        out += content[at:end]
        more = end < len(content)
        at = end if end - at == MAX_RUN else end + 1  # past the zero that the code stands for
    return bytes(out)


def unstuff(code: bytes) -> bytes | None:
    """Undo stuff(); None when a code byte points past the end. `code` holds no zero."""
    out, at = bytearray(), 0
    while at < len(code):
        end = at + code[at]
        if end > len(code):
            return None
        out += code[at + 1:end]
        if code[at] <= MAX_RUN and end < len(code):
            out.append(0)
        at = end
    return bytes(out)


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame on the line, a delimiter at both ends."""
    content = HEAD.pack(frame.type, frame.sequence, len(frame.payload)) + frame.payload
    return b"\0" + stuff(content + CRC.pack(zlib.crc32(content))) + b"\0"


def decode_content(content: bytes) -> Frame | None:
    """The frame in unstuffed bytes; None when its length or checksum is not right."""
    if len(content) < FRAME_EXTRA:
        return None
    kind, sequence, length = HEAD.unpack_from(content)
    body = content[:-CRC.size]
    if length != len(content) - FRAME_EXTRA or CRC.pack(zlib.crc32(body)) != content[-CRC.size:]:
        return None
    return Frame(kind, sequence, body[HEAD.size:])


class FrameReader:
    """Finds frames in the bytes from the line, in pieces of any size.

    `damaged` counts pieces between delimiters that were not frames.
    """

    def __init__(self, capacity: int = FRAME_MAX) -> None:
        self.damaged = 0
        self._capacity = capacity
        self._longest = capacity + capacity // MAX_RUN + 1
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes from the line; return the frames that they complete."""
        *ended, rest = data.split(b"\0")
        found: list[Frame] = []
        for piece in ended:
            self._append(piece)
            found += self._end()
        self._append(rest)
        return found

    def _append(self, piece: bytes) -> None:
        """Keep just enough bytes to see that a frame is too long."""
        self._pending += piece[:self._longest + 1 - len(self._pending)]

    def _end(self) -> Iterator[Frame]:
        code = bytes(self._pending)
        self._pending.clear()
        content = unstuff(code) if len(code) <= self._longest else None
        frame = None
        if content is not None and len(content) <= self._capacity:
            frame = decode_content(content)
        self.damaged += frame is None and code != b""
        if frame is not None:
            yield frame


# -- messages ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """What HELLO agreed on: largest frame, and bytes the device keeps behind a lost chunk."""

    frame: int
    window_bytes: int
    window: int

    @property
    def chunk(self) -> int:
        """Bytes of bulk data that the largest frame carries."""
        return self.frame - FRAME_EXTRA - CHUNK_HEAD.size


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to chunk `number`: the device has every chunk below `next`, and `have`."""

    status: int
    number: int
    next: int
    have: int

    def numbers(self) -> Iterator[int]:
        """The chunks from `next` on that have arrived."""
        return (self.next + i for i in range(WINDOW_MAX) if self.have >> i & 1)


def _unpack(layout: struct.Struct, data: bytes, what: str) -> tuple[int, ...]:
    if len(data) != layout.size:
        raise BadMessage(f"{what}: {len(data)} bytes, expected {layout.size}")
    return layout.unpack(data)


def request(sequence: int, command: int, args: bytes = b"") -> Frame:
    """A request of the host."""
    return Frame(FrameType.REQUEST, sequence, bytes([command]) + args)


def hello(sequence: int, nonce: int, frame: int) -> Frame:
    """Open a session; `frame` is the largest frame (bytes) that the host accepts."""
    return request(sequence, Command.HELLO, HELLO_ARGS.pack(MAJOR, MINOR, nonce, frame))


def read_reply(frame: Frame) -> tuple[int, bytes]:
    """Read status and data of a reply."""
    if not frame.payload:
        raise BadMessage("reply: no status")
    return frame.payload[0] - (frame.payload[0] >> 7 << 8), frame.payload[1:]


def read_hello(data: bytes) -> tuple[tuple[int, int], int, Line]:
    """The device's protocol version, the nonce it answers, and the line agreed on."""
    major, minor, nonce, frame, window_bytes, window = _unpack(HELLO_REPLY, data, "HELLO reply")
    if not FRAME_MIN <= frame <= FRAME_MAX or not 1 <= window <= WINDOW_MAX:
        raise BadMessage(f"HELLO reply: frame of {frame} bytes, window of {window} chunks")
    return (major, minor), nonce, Line(frame, window_bytes, window)


def chunk(transfer: int, number: int, data: bytes) -> Frame:
    """One numbered piece of bulk data."""
    return Frame(FrameType.CHUNK, transfer, CHUNK_HEAD.pack(number) + data)


def read_chunk(frame: Frame) -> tuple[int, bytes]:
    """Number and bytes of a chunk."""
    number, = _unpack(CHUNK_HEAD, frame.payload[:CHUNK_HEAD.size], "chunk")
    return number, frame.payload[CHUNK_HEAD.size:]


def read_ack(frame: Frame) -> Ack:
    """Read which chunks of a write the device has."""
    return Ack(*_unpack(ACK, frame.payload, "acknowledgement"))


def want(transfer: int, first: int, numbers: Iterable[int]) -> Frame:
    """Ask for chunks of a read: each of `numbers` in first..first + 31."""
    mask = 0
    for number in numbers:
        mask |= 1 << (number - first)
    return Frame(FrameType.WANT, transfer, WANT.pack(first, mask))
