# SPDX-License-Identifier: Apache-2.0
"""Weights that are brought into fast memory: how large a buffer each operator has, in how many
tiles.

A firing decodes its operator's tiles, or reads them through the weight port, one after the other
into one buffer. The plan is made for small tiles; what the arena has free then goes to operators
that bring most: to keep their one tile from the first firing to the last, or else to larger tiles,
with which kernels have less to do again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.network.program import Op, OpKind, Program
from edgefm.planner.arena import ALIGNMENT, round_up
from edgefm.planner.grow import grown
from edgefm.planner.place import Item

TABLE_BYTES = 2048  # of scratch, which decoding takes
LEAST = 4096       # bytes of the smallest tiles in a buffer, or STEP channels
STEP = 4           # channels that tiles are a multiple of
BY_CHANNEL = (OpKind.CONV, OpKind.DEPTHWISE)  # operators whose tiles are channels


@dataclass(frozen=True, slots=True)
class Shape:
    """What the tiles of an operator are cut from: `channels`, in multiples of `step`. Of each
    channel a slot of the buffer holds `each` bytes, and of each tile `head` bytes more, rounded up
    to `alignment`. The buffer has `slots`; for an only tile `alone`."""

    channels: int
    each: int
    step: int
    head: int = 0
    alignment: int = 1
    slots: int = 1
    alone: int = 1

    @property
    def least(self) -> int:
        """Channels of the smallest tile."""
        wanted = max(LEAST // self.slots // max(self.each, 1), 1)
        return min(self.channels, -(-wanted // self.step) * self.step)

    def slot(self, channels: int) -> int:
        """Bytes of a slot for tiles of at most this many channels."""
        return round_up(self.head + channels * self.each, self.alignment)

    def slots_for(self, channels: int) -> int:
        """Slots of a buffer for tiles of at most this many channels."""
        return self.slots if channels < self.channels else self.alone

    def size(self, channels: int) -> int:
        """Bytes of that buffer."""
        return self.slots_for(channels) * self.slot(channels)

    @property
    def whole(self) -> int:
        """Bytes of a buffer for an only tile."""
        return self.size(self.channels)

    def channels_in(self, size: int) -> int:
        """Channels of the largest tile that a buffer of `size` bytes holds, at least the least."""
        if self.whole <= size:
            return self.channels
        room = size // self.slots // self.alignment * self.alignment - self.head
        fit = min(room // self.each, self.channels - 1)
        return max(fit // self.step * self.step, self.least)

    def cut(self, most: int) -> tuple[int, ...]:
        """Tiles of at most `most` channels, as few as possible and about as large as each other."""
        count = -(-self.channels // most)
        even = -(-self.channels // (count * self.step)) * self.step
        size = min(even, most)
        whole, rest = divmod(self.channels, size)
        return (size,) * whole + ((rest,) if rest else ())


def shape_of(program: Program, op: Op) -> Shape:
    """How an operator's constant data may be cut; weights of a CONV or DEPTHWISE by channel."""
    port = op.coding.port if op.coding else None
    if op.kind not in BY_CHANNEL:
        shape = Shape(1, len(op.weights), 1)
    else:
        channels = program.streams[op.outputs[0]].channels
        weights = len(op.weights) - HEAD.size - CHANNEL.itemsize * channels
        multiplier = op.params[8] if op.kind == OpKind.DEPTHWISE else 1
        shape = Shape(channels, weights // channels, int(np.lcm(multiplier, STEP)))
    if op.coding is None or port is None:
        return shape
    coded = bool(op.coding.codes)
    if op.kind in BY_CHANNEL:  # their table comes with them
        shape = replace(shape, each=shape.each + CHANNEL.itemsize, head=HEAD.size)
    return replace(shape, alignment=int(np.lcm(port.alignment, ALIGNMENT)),
                   slots=2 if coded else port.buffers, alone=2 if coded else 1)


def scratch_bytes(program: Program, op: Op) -> int:
    """Bytes of scratch of a firing: a code's table first, then the kernel's own; where there are
    several tiles, one after another."""
    if op.coding is None or (op.coding.port and not op.coding.record):
        return op.scratch
    shape = shape_of(program, op)
    if shape.least < shape.channels:
        return TABLE_BYTES + op.scratch
    return max(TABLE_BYTES, op.scratch) if op.coding.record else op.scratch


def scratch_most(program: Program, op: Op) -> int:
    """All that a firing can use; 0 where it is no more than that."""
    return op.scratch_most and op.scratch_most + scratch_bytes(program, op) - op.scratch


def buffer_bytes(program: Program, op: Op) -> int:
    """Bytes of the smallest buffer that an operator's tiles are brought into; 0 where it reads in
    place."""
    if op.coding is None:
        return 0
    shape = shape_of(program, op)
    return shape.size(shape.least)


def firing_bytes(op: Op) -> int:
    """Bytes of weights that a firing reads, about."""
    return op.coding.bytes if op.coding else len(op.weights)


@dataclass(frozen=True, slots=True)
class Decoding:
    """An operator with a buffer: how its weights may be cut, the buffer among the arena's items,
    and when it fires."""

    op: Op
    shape: Shape
    item: int
    when: Sequence[int]

    @property
    def saved(self) -> int:
        """Bytes that are not read where the tile is kept."""
        return (len(self.when) - 1) * firing_bytes(self.op)


def enlarge(items: list[Item], offsets: list[int], decoding: Mapping[int, Decoding], limit: int
            ) -> dict[int, bool]:
    """Give buffers what else is free below `limit`; items and offsets change. True where an
    operator's only tile is kept from its first firing to its last."""
    ordered = sorted(decoding.items(), key=lambda one: -one[1].saved)
    kept = {i: one.saved > 0 and _keep(items, offsets, one, limit) for i, one in ordered}
    for i, one in ordered:
        if not kept[i]:
            _grow(items, offsets, one, limit)
    return kept


def _keep(items: list[Item], offsets: list[int], one: Decoding, limit: int) -> bool:
    start, stop, size = one.when[0], one.when[-1] + 1, one.shape.whole
    before = items[one.item]
    items[one.item] = Item(before.name, 0, start, np.zeros(stop - start, np.int32),
                           np.full(stop - start, size, np.int32))
    found = grown(items, offsets, {one.item: size}, limit).get(one.item)
    if found is None or found[1] < size:
        items[one.item] = before
        return False
    items[one.item] = replace(items[one.item], size=size)
    offsets[one.item] = found[0]
    return True


def _grow(items: list[Item], offsets: list[int], one: Decoding, limit: int) -> None:
    found = grown(items, offsets, {one.item: one.shape.whole}, limit).get(one.item)
    if found is not None:
        size = one.shape.size(one.shape.channels_in(found[1]))
        before = items[one.item]
        items[one.item] = replace(before, size=size, high=np.where(before.high > 0, size, 0))
        offsets[one.item] = found[0]


def buffer_item(name: str, size: int, when: Sequence[int]) -> Item:
    """A buffer that lives at an operator's firings."""
    start, stop = when[0], when[-1] + 1
    high = np.zeros(stop - start, np.int32)
    high[np.array(when) - start] = size
    return Item(name, size, start, np.zeros(stop - start, np.int32), high)


def working_bytes(program: Program, op: Op) -> int:
    """Bytes of fast memory beside rows that a firing takes."""
    return round_up(scratch_bytes(program, op)) + round_up(buffer_bytes(program, op))
