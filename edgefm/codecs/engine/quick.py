# SPDX-License-Identifier: Apache-2.0
"""The quick tables of rice: the mean of two neighbors predicts, and codes have no escape.

Plain tables have a parameter and a center per channel. Others have a class per value, found from
the sum of the neighbors and how large distances were around. docs/FORMAT.md has every step;
native/src/codecs/engine/quick.h is the twin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.codecs.engine.static import GROUP, HEAD, MAPS
from edgefm.codecs.interface import RowShape
from edgefm.errors import BadContainer

KIND, PARAMETER, FLAG = 16, 7, 8
SUMS, ACTIVITIES = 10, 9
LARGEST = 16            # pixels of a group; state has room for groups of 8
CLASSES = SUMS * ACTIVITIES
FARTHEST = 9            # k and zeros of a code; plain codes count modulo 256 and need one less


Coder = Callable[[int, int, int], tuple[int, int]]
"""(mode, sum, value) -> (value, distance): writes a value, or reads it (and ignores it)."""


@dataclass(frozen=True, slots=True)
class Quick:
    """Tables. Plain: a mode and a center per channel; others: class maps, which map each channel
    has, the first activity, pixels of a group and what a distance counts in its activity."""

    modes: bytes = b""
    centers: bytes = b""
    maps: tuple[bytes, ...] = ()
    which: bytes = b""
    start: int = 0
    group: int = 0
    weight: int = 0


@dataclass(slots=True)
class State:
    """One cursor: for every channel the row above, and the activity of each group of it."""

    tables: Quick
    shape: RowShape
    above: list[list[int]]
    activity: list[list[int]]


def pack(tables: Quick) -> bytes:
    """Head, then modes and centers, or maps and which of them each channel has."""
    head = bytes((KIND + len(tables.maps), tables.group, tables.weight, tables.start))
    return head + tables.modes + tables.centers + b"".join(tables.maps) + tables.which


def unpack(tables: bytes, channels: int, most: int) -> Quick:
    """The tables of a map whose modes are at most `most`; BadContainer for what no fit writes."""
    count = tables[0] - KIND
    size = CLASSES * count if count else channels
    rest = tables[HEAD + size:]
    if (not 0 <= count <= MAPS or (any(tables[1:HEAD]) if not count
                                   else not GROUP <= tables[1] <= LARGEST)
            or len(tables) != HEAD + size + (0 if count == 1 else channels)
            or max(tables[HEAD:HEAD + size]) > most or (count and any(w >= count for w in rest))):
        raise BadContainer(f"quick rice tables that do not fit {channels} channels")
    if not count:
        return Quick(tables[HEAD:HEAD + size], rest)
    return Quick(maps=tuple(tables[HEAD + i * CLASSES:][:CLASSES] for i in range(count)),
                 which=rest, start=tables[3], group=tables[1], weight=tables[2])


def begin(tables: Quick, shape: RowShape) -> State:
    """The state before row 0."""
    return _after(tables, shape, [[shape.zero_point + 128] * shape.width
                                  for _ in range(shape.channels)])


def skip(state: State, rows: list[list[int]]) -> None:
    """The row, by channels, was stored as it is: it is known, but activities start afresh."""
    fresh = _after(state.tables, state.shape, rows)
    state.above, state.activity = fresh.above, fresh.activity


def _after(tables: Quick, shape: RowShape, above: list[list[int]]) -> State:
    groups = -(-shape.width // tables.group) if tables.maps else 0
    return State(tables, shape, above, [[tables.start] * groups for _ in above])


def class_of(around: int, both: int) -> int:
    """The class of a value: busy ones come first, and high ones."""
    return SUMS * (ACTIVITIES - (around + 1).bit_length()) + SUMS - 1 - both.bit_length()


def fold(value: int, both: int) -> int:
    """Distance of a value from half the sum `both` of two: to both sides, and upwards only where
    the other side ends."""
    e = both // 2 - value
    return value if value > both else 2 * e if e >= 0 else -2 * e - 1


def unfold(u: int, both: int) -> int:
    """The value at a distance, above 255 where there is none."""
    return u if u > both else both // 2 - (-(u + 1) // 2 if u % 2 else u // 2)


def write(writer: BitWriter, u: int, k: int) -> None:
    """A number: a one and k bits, or zeros that tell how long it is and all its bits."""
    if u >> k:
        writer.write(0, u.bit_length() - k)
        writer.write(u, u.bit_length())
    else:
        writer.write(1 << k | u, k + 1)


def read(reader: BitReader, k: int, most: int) -> int:
    """What `write` wrote; no more than most - k zeros count."""
    return reader.read(k) if reader.read(1) else _read_long(reader, k, most)


def _read_long(reader: BitReader, k: int, most: int) -> int:
    """The rest of a code behind its first zero."""
    zeros = 1
    while zeros < most - k:
        if reader.read(1):
            return 1 << k + zeros - 1 | reader.read(k + zeros - 1)
        zeros += 1
    return reader.read(most)


def encode(state: State, rows: list[list[int]]) -> bytes:
    """Code of the next row, given by channels as values from 0."""
    writer = BitWriter()

    def put(mode: int, both: int, value: int) -> tuple[int, int]:
        flag = mode // FLAG
        if flag:
            writer.write(value == 0, 1)
        if flag and value == 0:
            return 0, fold(0, both)
        u = fold(value - flag, both)
        write(writer, u, mode & PARAMETER)
        return value, u

    for c, values in enumerate(rows):
        if state.tables.maps:
            _code_channel(state, c, values, put)
        else:
            _encode_plain(writer, state.tables.modes[c], state.tables.centers[c], values)
    return writer.bytes()


def decode(state: State, code: bytes) -> list[list[int]]:
    """The next row by channels; BadContainer when no encoder writes this code."""
    reader = BitReader(code)

    def get(mode: int, both: int, value: int) -> tuple[int, int]:
        del value
        flag = mode // FLAG
        if flag and reader.read(1):
            return 0, fold(0, both)
        u = read(reader, mode & PARAMETER, FARTHEST)
        value = unfold(u, both) + flag
        if value > 255:
            raise BadContainer(f"a coded row holds the value {value - 128}")
        return value, u

    shape, tables = state.shape, state.tables
    if tables.maps:
        rows = [_code_channel(state, c, [0] * shape.width, get) for c in range(shape.channels)]
    else:
        rows = [[_decode_plain(reader, tables.modes[c], tables.centers[c])
                 for _ in range(shape.width)] for c in range(shape.channels)]
    reader.finish()
    return rows


def _code_channel(state: State, c: int, values: list[int], coder: Coder) -> list[int]:
    above, activity, tables = state.above[c], state.activity[c], state.tables
    classes = tables.maps[tables.which[c] if tables.which else 0]
    size, out = tables.group, []
    west, before = above[0], activity[0]
    for g in range(len(activity)):
        around, total = before + activity[g], 0
        for x in range(g * size, min((g + 1) * size, len(above))):
            both = west + above[x]
            west, distance = coder(classes[class_of(around, both)], both, values[x])
            total += distance
            out.append(west)
        before = activity[g] = min((32 * around + tables.weight * total) >> 7, 255)
    state.above[c] = out
    return out


def _encode_plain(writer: BitWriter, mode: int, center: int, values: list[int]) -> None:
    k = mode & PARAMETER
    for value in values:
        if mode < FLAG:
            _write_around(writer, k, (value - center) % 256)
        else:
            writer.write(value == 0, 1)
            if value:
                write(writer, value - 1, k)


def _write_around(writer: BitWriter, k: int, e: int) -> None:
    """A difference modulo 256: short codes count from the lowest of the 2^k nearest."""
    u = 2 * e if e < 128 else 2 * (256 - e) - 1
    write(writer, u if u >> k else (e + (1 << k) // 2) % 256, k)


def _decode_plain(reader: BitReader, mode: int, center: int) -> int:
    k = mode & PARAMETER
    if mode >= FLAG:
        return 0 if reader.read(1) else (read(reader, k, FARTHEST - 1) + 1) % 256
    if reader.read(1):
        return (center + reader.read(k) - (1 << k) // 2) % 256
    u = _read_long(reader, k, FARTHEST - 1)
    return (center + (-(u + 1) // 2 if u % 2 else u // 2)) % 256
