# SPDX-License-Identifier: Apache-2.0
"""Coded weights: how large a buffer each operator decodes into, and in how many tiles.

A firing decodes its operator's tiles one after the other into one buffer. The plan is made for
small tiles; what the arena has free then goes to operators that decode most: to keep their one tile
from the first firing to the last, or else to larger tiles, with which kernels have less to do
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.network.program import Op, OpKind, Program
from edgefm.planner.arena import round_up
from edgefm.planner.grow import grown
from edgefm.planner.place import Item

TABLE_BYTES = 2048  # of scratch, which decoding takes
LEAST = 4096       # bytes of the smallest tile's weights, or STEP channels
STEP = 4           # channels that tiles are a multiple of


@dataclass(frozen=True, slots=True)
class Shape:
    """What the tiles of an operator are cut from: `channels`, of `each` bytes of weights, in
    multiples of `step`."""

    channels: int
    each: int
    step: int

    @property
    def least(self) -> int:
        """Channels of the smallest tile."""
        wanted = max(LEAST // max(self.each, 1), 1)
        return min(self.channels, -(-wanted // self.step) * self.step)

    def channels_in(self, size: int) -> int:
        """Channels of the largest tile that a buffer of `size` bytes holds, at least the least."""
        fit = size // self.each
        return self.channels if fit >= self.channels else max(fit // self.step * self.step,
                                                               self.least)

    def cut(self, most: int) -> tuple[int, ...]:
        """Tiles of at most `most` channels, as few as possible and about as large as each other."""
        count = -(-self.channels // most)
        even = -(-self.channels // (count * self.step)) * self.step
        size = min(even, most)
        whole, rest = divmod(self.channels, size)
        return (size,) * whole + ((rest,) if rest else ())


def shape_of(program: Program, op: Op) -> Shape:
    """How an operator's weights may be cut; it is a CONV or DEPTHWISE."""
    channels = program.streams[op.outputs[0]].channels
    weights = len(op.weights) - HEAD.size - CHANNEL.itemsize * channels
    multiplier = op.params[8] if op.kind == OpKind.DEPTHWISE else 1
    return Shape(channels, weights // channels, int(np.lcm(multiplier, STEP)))


def scratch_bytes(program: Program, op: Op) -> int:
    """Bytes of scratch of a firing: a code's table first, then the kernel's own; where there are
    several tiles, one after another."""
    if op.coding is None:
        return op.scratch
    shape = shape_of(program, op)
    if shape.least < shape.channels:
        return TABLE_BYTES + op.scratch
    return max(TABLE_BYTES, op.scratch) if op.coding.record else op.scratch


def scratch_most(program: Program, op: Op) -> int:
    """All that a firing can use; 0 where it is no more than that."""
    return op.scratch_most and op.scratch_most + scratch_bytes(program, op) - op.scratch


def buffer_bytes(program: Program, op: Op) -> int:
    """Bytes of the smallest buffer that an operator decodes into; 0 where it reads in place."""
    if op.coding is None:
        return 0
    shape = shape_of(program, op)
    return shape.least * shape.each


def firing_bytes(op: Op) -> int:
    """Bytes of weights that a firing reads, about."""
    return op.coding.bytes if op.coding else len(op.weights)


@dataclass(frozen=True, slots=True)
class Decoding:
    """An operator that decodes: how its weights may be cut, its buffer among the arena's items, and
    when it fires."""

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
    start, stop, size = one.when[0], one.when[-1] + 1, one.shape.channels * one.shape.each
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
    most = one.shape.channels * one.shape.each
    found = grown(items, offsets, {one.item: most}, limit).get(one.item)
    if found is not None:
        size = one.shape.channels_in(found[1]) * one.shape.each
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
