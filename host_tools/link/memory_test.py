# SPDX-License-Identifier: Apache-2.0
"""Tests of a device's external memory: which passes there are, and what the device finds in each.

docs/PROTOCOL.md, TEST.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from edgefm.errors import BadInput, BadMessage, DeviceError
from host_tools.link.capability import Info
from host_tools.link.frames import Command, Status
from host_tools.link.session import Session

ARGS = struct.Struct("<BBBBBHIII")
REPLY = struct.Struct("<IIBBBIQQ")
EXTERNAL = 0
WRITE, READ = 1, 2
CONSTANT, MIXED = 0, 1
SINCE = 5                  # minor version of the protocol
OVERLAP_MOST = 4           # transfers of a kind under way at once
PIECE = 4096               # bytes of a long transfer, at most
LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256)
SHORT = 8192               # bytes on which short transfers are tried
SEED = 0x1B873593


@dataclass(frozen=True, slots=True)
class Pass:
    """One order to the device: `bytes` from `address` on, in transfers of `piece` bytes."""

    name: str
    flags: int
    bytes: int
    piece: int
    pattern: int = MIXED
    seed: int = SEED
    overlap: int = 1
    lead: int = 0
    address: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What the device found in a pass. `wrong` bytes came back as others, the first at address
    `first`; `bits` are all that were wrong anywhere. `spilled` bytes beside its buffers were
    overwritten. Ticks are of transfers alone."""

    wrong: int
    first: int
    expected: int
    got: int
    bits: int
    spilled: int
    write_ticks: int
    read_ticks: int

    @property
    def well(self) -> bool:
        """Whether nothing was wrong."""
        return not (self.wrong or self.spilled)


def passes(info: Info, most: int | None = None) -> list[Pass]:
    """The passes for a device, over `most` bytes of its external memory, or over all.

    Raises BadInput without external memory.
    """
    total = info.external_bytes if most is None else min(info.external_bytes, most)
    total -= total % max(info.alignment, 1)
    if total == 0:
        raise BadInput("this device has no external memory" if not info.external_bytes else
                       f"got {most} bytes, expected at least {info.alignment}")
    room = info.fast_bytes // (4 * OVERLAP_MOST)
    return [*_patterns(total, _cut(min(PIECE, room, total), info.alignment)),
            *_transfers(min(total, SHORT), info.alignment, room)]


def _cut(size: int, alignment: int) -> int:
    return max(size - size % alignment, alignment)


def _patterns(total: int, piece: int) -> Iterator[Pass]:
    """All of the memory: each bit as 0 and 1, and each address as none other."""
    for byte in (0x00, 0xFF, 0x55, 0xAA):
        for flags in (WRITE, READ):
            yield Pass(f"{byte:#04x} everywhere", flags, total, piece, CONSTANT, byte)
    for seed in (SEED, ~SEED & 0xFFFFFFFF):
        for flags in (WRITE, READ):
            yield Pass("no two addresses alike", flags, total, piece, MIXED, seed)


def _transfers(total: int, alignment: int, room: int) -> Iterator[Pass]:
    """Transfers of every kind, on the front of the memory."""
    for length in LENGTHS:
        piece = length * alignment
        if piece <= min(room, total):
            yield Pass(f"transfers of {piece} bytes", WRITE | READ, total, piece, seed=length)
    piece = _cut(min(64, room, total), alignment)
    for lead in range(1, 8):
        yield Pass(f"pointers {lead} behind a multiple of 8", WRITE | READ, total, piece,
                   seed=100 + lead, lead=lead)
    for overlap in range(2, OVERLAP_MOST + 1):
        yield Pass(f"{overlap} writes and {overlap} reads under way", WRITE | READ, total, piece,
                   seed=200 + overlap, overlap=overlap)


def perform(session: Session, one: Pass) -> Found:
    """Let the device carry out a pass. Raises DeviceError when it cannot, or when its port refuses
    a transfer."""
    if session.minor < SINCE:
        raise DeviceError(f"{session.name}: its firmware does not test memory; flash it again",
                          Status.BAD_REQUEST)
    args = ARGS.pack(EXTERNAL, one.flags, one.pattern, one.overlap, one.lead, one.piece,
                     one.address, one.bytes, one.seed)
    reply = session.request(Command.TEST, args)
    if len(reply) != REPLY.size:
        raise BadMessage(f"{session.name}: TEST reply of {len(reply)} bytes, expected {REPLY.size}")
    return Found(*REPLY.unpack(reply))
