# SPDX-License-Identifier: Apache-2.0
"""What rice and tans share: prediction from two neighbors, and a class of what it will miss.

A row is coded channel by channel, eight pixels (a group) at a time. Values count from 0 here:
value + 128. docs/FORMAT.md has every step; native/src/codecs/engine/static.h is the twin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

HEAD, HEIGHTS, GROUP, MAPS = 4, 9, 8, 8
CLASSES = 9 * HEIGHTS
WEIGHTS = (64, 32, 21, 16, 13, 11, 9, 8)  # of a group's distances, by how many there are
ONE = 64

Coder = Callable[[int, int, int], tuple[int, int]]
"""(class, prediction, value) -> (value, distance): writes a value, or reads it (and ignores it)."""


@dataclass(frozen=True, slots=True)
class Front:
    """Taps of W and N in 64ths, the first activity, class maps, and which map each channel has."""

    taps: tuple[int, int]
    start: int
    maps: tuple[bytes, ...]
    which: bytes

    def map_of(self, channel: int) -> bytes:
        """The 81 classes of a channel."""
        return self.maps[self.which[channel] if self.which else 0]


@dataclass(slots=True)
class State:
    """One cursor: for every channel the row above, and the activity of each group of it."""

    above: list[list[int]] = field(default_factory=list)
    activity: list[list[int]] = field(default_factory=list)


def pack(front: Front, own: int, middle: bytes) -> bytes:
    """Tables: head, classes, the codec's `middle`, the channels' maps; `own` is its half byte."""
    head = bytes((len(front.maps) | own << 4, *front.taps, front.start))
    return head + b"".join(front.maps) + middle + front.which


def unpack(tables: bytes, channels: int, middle: int, most: int) -> Front:
    """The front of tables with `middle` bytes of the codec's own and no class above `most`.

    Raises BadContainer for tables that no fit writes.
    """
    maps = tables[0] & 15 if len(tables) >= HEAD else 0
    end = HEAD + CLASSES * maps
    which = tables[end + middle:]
    if not 1 <= maps <= MAPS or len(tables) != end + middle + (channels if maps > 1 else 0):
        raise BadContainer(f"tables of {len(tables)} bytes do not fit {channels} channels")
    if tables[1] + tables[2] > ONE or max(tables[HEAD:end]) > most or any(w >= maps for w in which):
        raise BadContainer("tables with taps, a class or a map out of range")
    split = tuple(tables[HEAD + i * CLASSES:][:CLASSES] for i in range(maps))
    return Front((tables[1], tables[2]), tables[3], split, which)


def begin(front: Front, shape: RowShape) -> State:
    """The state before row 0."""
    return _after(front, [[shape.zero_point + 128] * shape.width for _ in range(shape.channels)])


def skip(front: Front, state: State, row: Rows) -> None:
    """The row was stored as it is: it is known, but activities start afresh."""
    fresh = _after(front, (row.T.astype(int) + 128).tolist())
    state.above, state.activity = fresh.above, fresh.activity


def recall(state: State, row: Rows) -> None:
    """The row above is to be taken for this one."""
    state.above = (row.T.astype(int) + 128).tolist()


def _after(front: Front, above: list[list[int]]) -> State:
    groups = -(-len(above[0]) // GROUP)
    return State(above, [[front.start] * groups for _ in above])


def state_bytes(shape: RowShape) -> int:
    """Fast memory of a row and its activities."""
    return shape.channels * (shape.width + -(-shape.width // GROUP))


def code_channel(front: Front, state: State, zero_point: int, c: int, values: list[int],
                 coder: Coder) -> list[int]:
    """Code one channel of the next row through `coder`, and learn; the values of it."""
    above, activity, classes = state.above[c], state.activity[c], front.map_of(c)
    tap_w, tap_n = front.taps
    offset = (zero_point + 128) * (ONE - tap_w - tap_n) + ONE // 2
    west, before, out = above[0], activity[0], []
    for g in range(len(activity)):
        around = before + activity[min(g + 1, len(activity) - 1)]
        distances = []
        for x in range(g * GROUP, min((g + 1) * GROUP, len(above))):
            prediction = (tap_w * west + tap_n * above[x] + offset) // ONE
            known = classes[HEIGHTS * log2(around + 1) + log2(prediction + 1)]
            west, distance = coder(known, prediction, values[x])
            distances.append(distance)
            out.append(west)
        before = min((32 * around + WEIGHTS[len(distances) - 1] * sum(distances)) >> 7, 255)
        activity[g] = before
    state.above[c] = out
    return out


def log2(v: int) -> int:
    """Rounded down."""
    return v.bit_length() - 1


def fold(value: int, prediction: int, low: int) -> int:
    """Distance of a value: counted to both sides, and upwards only where `low` ends the other."""
    e = value - prediction
    return value - low if e > prediction - low else 2 * e if e >= 0 else -2 * e - 1


def unfold(u: int, prediction: int, low: int) -> int:
    """The value at a distance; BadContainer when there is none."""
    value = u + low if u > 2 * (prediction - low) else prediction + (
        -(u + 1) // 2 if u % 2 else u // 2)
    if value > 255:
        raise BadContainer(f"a coded row holds the value {value - 128}")
    return value
