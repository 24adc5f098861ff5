# SPDX-License-Identifier: Apache-2.0
"""Chains of operators that may run a slice of channels at a time, as one SLICED operator.

A chain is a CONV of one pixel, a DEPTHWISE or MEAN behind it, and perhaps another CONV of one
pixel. Its last CONV adds up what the slices contribute, in int32. So a firing reads every weight
once, however many rows it makes, and of the maps between only some rows of a slice exist. What a
firing needs of those before the DEPTHWISE it makes itself, if another firing has made them or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from edgefm.kernels.sets import slice_scratch
from edgefm.kernels.tile import HEAD
from edgefm.network.program import Op, OpKind, Program, Stream
from edgefm.planner.arena import round_up

STEP = 4           # channels that slices are a multiple of
_LEAST = 64        # channels of the thinnest slice
_GOOD = 64         # channels from which a kernel's scratch is worth more than further ones
_PIXELS = 24       # of the map behind the middle that are worth a call
SUM_BYTES = 4
_ONE_PIXEL = (1, 1, 1, 1, 1, 1, 0, 0)  # parameters of such a CONV


@dataclass(frozen=True, slots=True)
class Sliced:
    """How a chain of `operators` runs: at most `strip` rows of its output at a time, of which the
    middle makes `step` at once. `slices` are the channels of each slice."""

    operators: int
    strip: int
    step: int
    slices: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Consecutive operators of a program, from number `first` on."""

    program: Program
    first: int
    ops: tuple[Op, ...]

    @property
    def last(self) -> int:
        """One past the last operator."""
        return self.first + len(self.ops)

    @property
    def middle(self) -> Op:
        """The DEPTHWISE or MEAN."""
        return self.ops[1]

    @property
    def channels(self) -> int:
        """Channels of the maps between."""
        return self.before.channels

    @property
    def before(self) -> Stream:
        """The map before the middle."""
        return self.program.streams[self.middle.inputs[0]]

    @property
    def output(self) -> Stream:
        """The map that the chain makes."""
        return self.program.streams[self.ops[-1].outputs[0]]

    @property
    def projects(self) -> bool:
        """True when a CONV adds up slices."""
        return len(self.ops) > 2

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """First and last input row of each output row."""
        return (((0, self.before.height - 1),) if self.middle.accumulates
                else self.middle.needs[0])

    def weight_bytes(self, slices: int) -> int:
        """Bytes that a firing reads: every further slice repeats the heads of tables."""
        heads = 1 if self.middle.accumulates else 2
        return sum(len(op.weights) for op in self.ops) + HEAD.size * heads * (slices - 1)

    def rows_made_again(self, firings: tuple[int, ...]) -> int:
        """Rows of the map before the middle that firings of these many rows make again."""
        made, y = 0, 0
        for count in firings:
            made += self.rows[y + count - 1][1] - self.rows[y][0] + 1
            y += count
        return max(made - self.before.height, 0)

    def step(self, strip: int) -> int:
        """Rows that the middle makes at once of `strip`."""
        if self.middle.accumulates:
            strip = self.before.height
        return min(strip, -(-_PIXELS // self.before.width))

    def params(self, strip: int, step: int) -> tuple[int, ...]:
        """Parameters of the SLICED operator."""
        behind = self.program.streams[self.middle.outputs[0]]
        return (self.channels, self.before.zero_point, behind.zero_point, strip, step,
                int(self.projects), int(self.middle.kind), *self.middle.params)

    def own_bytes(self, strip: int, channels: int) -> int:
        """Bytes of scratch in front of the kernels': sums, and rows of slices of `channels`."""
        step, out = self.step(strip), self.output
        rows = self._rows_before(step) * self.before.width * channels
        if self.middle.accumulates:
            return round_up(SUM_BYTES * channels) + round_up(rows)
        if not self.projects:
            return round_up(rows)
        return (self.sum_bytes(strip) + round_up(rows)
                + round_up(step * out.width * channels))

    def sum_bytes(self, strip: int) -> int:
        """Bytes of the sums of the last CONV."""
        return round_up(SUM_BYTES * strip * self.output.width * self.output.channels)

    def _rows_before(self, step: int) -> int:
        if self.middle.accumulates:
            return step
        kernel, stride, dilation = self.middle.params[0], *self.middle.params[2:6:2]
        return min(self.before.height, (step - 1) * stride + (kernel - 1) * dilation + 1)

    def scratch(self, kernels: str, strip: int, channels: int) -> tuple[int, int]:
        """The least bytes of scratch for slices of `channels`, and all that kernels can use."""
        own = self.own_bytes(strip, channels)
        needs = [slice_scratch(kernels, *part) for part in self._parts(channels)]
        return own + max(n for n, _ in needs), own + max(max(need) for need in needs)

    def _parts(self, channels: int) -> Iterator[tuple[Program, Op]]:
        """The operators with weights, as they are for a slice of `channels`."""
        streams = list(self.program.streams)
        for s in {*self.middle.inputs, *(self.middle.outputs if self.projects else ())}:
            streams[s] = replace(streams[s], channels=channels)
        program = replace(self.program, streams=tuple(streams), ops=())
        for op in self.ops:
            if op.kind != OpKind.MEAN:
                yield program, op

    def channels_in(self, kernels: str, strip: int, size: int) -> int:
        """Channels of slices for `size` bytes of scratch: some, then what kernels can use of it,
        then all that fit."""
        fitting = [n for n in self._widths() if self.scratch(kernels, strip, n)[0] <= size]
        roomy = [n for n in fitting if self.scratch(kernels, strip, n)[1] <= size]
        some = [n for n in fitting if n <= _GOOD]
        return max([self.least, *some, *roomy])

    @property
    def least(self) -> int:
        """Channels of the thinnest slices."""
        return min(self.channels, _LEAST)

    def _widths(self) -> Iterator[int]:
        """Channels of slices that are about as large as each other."""
        last = 0
        for count in range(-(-self.channels // _LEAST), 0, -1):
            width = -(-self.channels // (count * STEP)) * STEP
            if width != last:
                yield min(width, self.channels)
            last = width

    def cut(self, channels: int) -> tuple[int, ...]:
        """Slices of `channels` each, but the last."""
        whole, rest = divmod(self.channels, channels)
        return (channels,) * whole + ((rest,) if rest else ())

    def op(self, kernels: str, strip: int) -> Op:
        """The SLICED operator, in the thinnest slices."""
        return _op(self, kernels, strip)


@lru_cache(maxsize=4096)
def _op(chain: Chain, kernels: str, strip: int) -> Op:
    needs = chain.rows
    least = chain.scratch(kernels, strip, chain.least)[0]
    most = chain.scratch(kernels, strip, chain.channels)[1]
    return Op(OpKind.SLICED, chain.ops[-1].name, chain.ops[0].inputs, chain.ops[-1].outputs,
              scratch=least, scratch_most=most, needs=(needs,),
              macs=sum(op.macs for op in chain.ops))


def sliced_params(program: Program, first: int, sliced: Sliced) -> tuple[int, ...]:
    """Parameters of the SLICED operator of a chain that begins with operator `first`."""
    chain = Chain(program, first, program.ops[first:first + sliced.operators])
    return chain.params(sliced.strip, sliced.step)


def find_chains(program: Program) -> dict[int, tuple[Chain, ...]]:
    """Chains by their first operator, the longest first."""
    readers = np.zeros(len(program.streams), int)
    for op in program.ops:
        for s in dict.fromkeys(op.inputs):
            readers[s] += 1
    found: dict[int, tuple[Chain, ...]] = {}
    for i, (expand, middle) in enumerate(zip(program.ops, program.ops[1:], strict=False)):
        if _is_one_pixel(program, expand) and _is_middle(program, expand, middle, readers):
            chains = [Chain(program, i, (expand, middle))]
            if i + 2 < len(program.ops) and _projects(program, middle, program.ops[i + 2], readers):
                chains.insert(0, Chain(program, i, (expand, middle, program.ops[i + 2])))
            found[i] = tuple(chains)
    return found


def _is_one_pixel(program: Program, op: Op) -> bool:
    return op.kind == OpKind.CONV and op.params == _ONE_PIXEL and op.coding is None and (
        _size(program, op.inputs[0]) == _size(program, op.outputs[0]))


def _is_middle(program: Program, before: Op, op: Op, readers: np.ndarray) -> bool:
    s = before.outputs[0]
    stream = program.streams[s]
    if op.inputs != (s,) or readers[s] != 1 or op.coding or stream.parent >= 0:
        return False
    return op.kind == OpKind.MEAN or (op.kind == OpKind.DEPTHWISE and op.params[8] == 1)


def _projects(program: Program, middle: Op, op: Op, readers: np.ndarray) -> bool:
    s = middle.outputs[0]
    return (middle.kind == OpKind.DEPTHWISE and op.inputs == (s,) and readers[s] == 1
            and _is_one_pixel(program, op) and program.streams[s].parent < 0
            and program.streams[op.outputs[0]].parent < 0)


def _size(program: Program, stream: int) -> tuple[int, int]:
    return program.streams[stream].height, program.streams[stream].width
