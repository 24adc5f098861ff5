# SPDX-License-Identifier: Apache-2.0
"""Codec 4: prediction, adapting contexts, a binary range coder (ours).

A value is predicted from its west, north, north-west and north-east neighbour in the same channel,
plus what the prediction of earlier channels of the same pixel missed. The expected error picks the
contexts of binary decisions: "is it the zero point", the side, the distance in steps of a power of
two, then plain bits. docs/CODECS.md says why, docs/FORMAT.md has every step; here both directions
run through the same lines, with a coder that either writes a decision or reads it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

HEAD = struct.Struct("<BBB5B4b")
MAX_CROSS = 8
SCALES, STEPS, LONGEST = 18, 6, 16
ZERO_CONTEXTS, SIDE_CONTEXTS = 16 * 4, 8 * 4 * 4
CONTEXTS = ZERO_CONTEXTS + SIDE_CONTEXTS + SCALES * STEPS
LOW, HIGH = -128, 127
RATE = 5
ONE = 64  # predictions count in 64ths
TOP = 1 << 24

# First probabilities of a one in 256ths: zero and below by relative height, another step by step.
FIRST_ZERO = (244, 240, 233, 222, 207, 188, 166, 140, 112, 83, 55, 32, 17, 9, 5, 4)
FIRST_BELOW = (40, 60, 80, 100, 112, 120, 124, 126)
FIRST_STEP = (150, 120, 115, 112, 110, 110)


@dataclass(frozen=True, slots=True)
class Tables:
    """Learned tables, as numbers.

    `weights` turn five signs of trouble into an expected error (64ths each): the last pixel's error
    and the running mean error of the channel, |n - nw|, |n - ne|, and the height above -128.
    `taps` are 64ths of w, n, nw, ne. `cross[c]` lists (distance to an earlier channel, weight in
    64ths), as many for every channel; it is empty when there are none at all.
    """

    zero_flag: bool
    start_error: int
    weights: tuple[int, int, int, int, int]
    taps: tuple[int, int, int, int]
    cross: tuple[tuple[tuple[int, int], ...], ...] = ()


def pack(tables: Tables) -> bytes:
    """Bytes of the tables."""
    terms = len(tables.cross[0]) if tables.cross else 0
    return HEAD.pack(tables.zero_flag, terms, tables.start_error, *tables.weights, *tables.taps
                     ) + b"".join(struct.pack("<Bb", *term) for row in tables.cross for term in row)


def unpack(data: bytes, channels: int) -> Tables:
    """Tables of their bytes; BadContainer when they cannot be those of so many channels."""
    if len(data) < HEAD.size:
        raise BadContainer(f"context tables of {len(data)} bytes, expected {HEAD.size} or more")
    flags, terms, start_error, a, b, c, d, e, w, n, nw, ne = HEAD.unpack_from(data)
    if flags > 1 or terms > MAX_CROSS or len(data) != HEAD.size + channels * 2 * terms:
        raise BadContainer(f"context tables of {len(data)} bytes with flags {flags:#x} and {terms} "
                           f"terms do not fit {channels} channels")
    pairs = list(struct.iter_unpack("<Bb", data[HEAD.size:]))
    cross = tuple(tuple(pairs[i:i + terms]) for i in range(0, len(pairs), max(terms, 1)))
    for channel, row in enumerate(cross):
        if any(distance > channel or (distance == 0 and weight) for distance, weight in row):
            raise BadContainer(f"context tables: channel {channel} refers to no earlier channel")
    return Tables(bool(flags), start_error, (a, b, c, d, e), (w, n, nw, ne), cross)


@dataclass(slots=True)
class State:
    """One cursor: what the rows so far have taught."""

    shape: RowShape
    tables: Tables
    y: int = 0
    odds: list[int] = field(default_factory=list)      # of a one, 1/65536
    average: list[int] = field(default_factory=list)   # error per channel, 1/64
    surprise: list[int] = field(default_factory=list)  # of this pixel's channels, 1/64
    error: list[int] = field(default_factory=list)     # of the last pixel's channels, 1/4
    above: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Guess:
    """A prediction: from neighbours alone and in full (64ths), and its context classes."""

    near: int
    mean: int
    scale: int
    height: int


class Coder(Protocol):
    """A range coder in either direction; a decoder ignores what it is told to write."""

    def bit(self, odds: list[int], i: int, bit: int) -> int:
        """One decision whose probability of a one is odds[i], which adapts."""

    def plain(self, bits: int, value: int) -> int:
        """`bits` equally likely bits."""


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0."""
    state = State(shape, unpack(tables, shape.channels))
    state.above = [[shape.zero_point] * shape.channels]
    _forget(state)
    return state


def encode(state: State, row: Rows) -> bytes:
    """Code of the next row int8 [W, C]."""
    encoder = Encoder()
    _code_row(state, encoder, row.tolist())
    return encoder.finish()


def decode(state: State, code: bytes) -> Rows:
    """The next row int8 [W, C]; BadContainer when no encoder writes this code."""
    decoder = Decoder(code)
    blank = [[0] * state.shape.channels for _ in range(state.shape.width)]
    row = np.array(_code_row(state, decoder, blank), np.int8)
    decoder.finish()
    return row


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is: both sides start afresh, but know the row."""
    _forget(state)
    state.above = row.tolist()
    state.y += 1


def state_bytes(shape: RowShape) -> int:
    """Fast memory of one cursor: contexts, five bytes per channel, and the row above."""
    return 2 * CONTEXTS + 5 * shape.channels + shape.values


def half_octave(v: int) -> int:
    """Two classes per octave: 2 log2(v + 2) - 2, with the lower half of an octave rounded down."""
    log = (v + 2).bit_length() - 1
    return 2 * log - 2 + ((v + 2) >> (log - 1) & 1)


def _forget(state: State) -> None:
    channels = state.shape.channels
    odds = ([FIRST_ZERO[i // 4] for i in range(ZERO_CONTEXTS)]
            + [FIRST_BELOW[i // 16] for i in range(SIDE_CONTEXTS)] + [*FIRST_STEP] * SCALES)
    state.odds = [p << 8 | 0x80 for p in odds]
    state.average = [state.tables.start_error << 4] * channels
    state.surprise = [0] * channels


def _code_row(state: State, coder: Coder, row: list[list[int]]) -> list[list[int]]:
    """Codes `row`, or fills in a row that has the right size."""
    out: list[list[int]] = []
    state.error = [min(average >> 4, 255) for average in state.average]
    for x, pixel in enumerate(row):
        w = out[x - 1] if x else state.above[0]
        n = state.above[x] if state.y else w
        nw = state.above[x - 1] if state.y and x else n
        ne = state.above[x + 1] if state.y and x + 1 < len(row) else n
        out.append([])
        for c, v in enumerate(pixel):
            guess = _predict(state, c, w[c], n[c], nw[c], ne[c])
            v = _code_value(state, coder, guess, v)
            out[x].append(v)
            _learn(state, c, guess, v)
    state.above = out
    state.y += 1
    return out


def _clamp(mean: int) -> int:
    return min(max(mean, LOW * ONE), HIGH * ONE + ONE - 1)


def _predict(state: State, c: int, w: int, n: int, nw: int, ne: int) -> Guess:
    t = state.tables
    near = sum(tap * v for tap, v in zip(t.taps, (w, n, nw, ne), strict=True))
    near += state.shape.zero_point * (ONE - sum(t.taps))
    near = _clamp(near)
    missed = sum(weight * state.surprise[c - distance] for distance, weight in
                 (t.cross[c] if t.cross else ()))
    mean = _clamp(near + (missed // ONE if missed >= 0 else -(-missed // ONE)))
    height = mean - LOW * ONE
    of_error, of_average, of_nw, of_ne, of_height = t.weights
    expected = ((of_error * state.error[c] + of_average * (state.average[c] >> 4)
                 + of_height * (height >> 4)) >> 5)
    expected += (of_nw * abs(n - nw) + of_ne * abs(n - ne)) >> 3
    return Guess(near, mean, min(half_octave(expected), SCALES - 1), half_octave(height >> 3))


def _learn(state: State, c: int, guess: Guess, v: int) -> None:
    error = abs(v * ONE - guess.mean) >> 4
    state.surprise[c] = v * ONE - guess.near
    state.error[c] = min(error, 255)
    state.average[c] += (error >> 1) - (state.average[c] >> 5)


def _relative(guess: Guess, shift: int, top: int) -> int:
    return min(max(guess.height + shift - guess.scale, 0), top)


def _code_value(state: State, coder: Coder, guess: Guess, v: int) -> int:
    zero, low = state.shape.zero_point, LOW
    if state.tables.zero_flag:
        context = 4 * _relative(guess, 10, 15) + min(guess.scale // 4, 3)
        if coder.bit(state.odds, context, v == zero):
            return zero
        low += zero == LOW
    centre, below = max(guess.mean // ONE, low), 0
    if centre > low:
        part = guess.mean // 16 % 4
        context = 16 * _relative(guess, 4, 7) + 4 * min(guess.scale // 2, 3) + part
        below = coder.bit(state.odds, ZERO_CONTEXTS + context, v < centre)
    distance = _code_distance(state, coder, guess, centre - 1 - v if below else v - centre)
    v = centre - 1 - distance if below else centre + distance
    if not LOW <= v <= HIGH or (state.tables.zero_flag and v == zero):
        raise BadContainer(f"a coded row holds the value {v}, which no encoder writes here")
    return v


def _code_distance(state: State, coder: Coder, guess: Guess, distance: int) -> int:
    first = ZERO_CONTEXTS + SIDE_CONTEXTS + STEPS * guess.scale
    bits = max(guess.scale // 2 - 2, 0)
    steps = 0
    while steps < LONGEST and coder.bit(state.odds, first + min(steps, STEPS - 1),
                                        steps < distance >> bits):
        steps += 1
    if steps < LONGEST:
        return steps << bits | coder.plain(bits, distance & (1 << bits) - 1)
    distance = coder.plain(8, distance)
    if distance >> bits < LONGEST:
        raise BadContainer("a coded row spells out a short distance")
    return distance


def _adapt(odds: list[int], i: int, bit: int) -> None:
    odds[i] += (65536 - odds[i]) >> RATE if bit else -(odds[i] >> RATE)


@dataclass(slots=True)
class Encoder:
    """Writes decisions as one number, as long as needed, inside an ever smaller range."""

    low: int = 0  # all digits written so far, and 32 bits more
    range: int = 0xFFFFFFFF
    bytes_out: int = 0

    def bit(self, odds: list[int], i: int, bit: int) -> int:
        """Write one decision."""
        bound = (self.range >> 12) * (odds[i] >> 4)
        if bit:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        _adapt(odds, i, bit)
        self._drain()
        return bit

    def plain(self, bits: int, value: int) -> int:
        """Write plain bits."""
        for i in range(bits - 1, -1, -1):
            self.range >>= 1
            self.low += self.range * (value >> i & 1)
        self._drain()
        return value

    def _drain(self) -> None:
        while self.range < TOP:
            self.range <<= 8
            self.low <<= 8
            self.bytes_out += 1

    def finish(self) -> bytes:
        """The code: a number inside the range with as few digits as possible."""
        digits = (self.low + TOP - 1) >> 24
        code = digits.to_bytes(self.bytes_out + 1, "big")
        return code[:1] + code[1:].rstrip(b"\0")


@dataclass(slots=True)
class Decoder:
    """Reads the decisions again; digits past the end are zeros."""

    data: bytes
    code: int = 0
    range: int = 0xFFFFFFFF
    at: int = 4

    def __post_init__(self) -> None:
        """Look at the first four digits."""
        if not self.data or (len(self.data) > 1 and self.data[-1] == 0):
            raise BadContainer("a coded row is empty or ends with a zero")
        self.code = int.from_bytes(self.data[:4].ljust(4, b"\0"), "big")

    def bit(self, odds: list[int], i: int, bit: int) -> int:
        """Read one decision."""
        bound = (self.range >> 12) * (odds[i] >> 4)
        bit = int(self.code < bound)
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        _adapt(odds, i, bit)
        self._refill()
        return bit

    def plain(self, bits: int, value: int) -> int:
        """Read plain bits."""
        value = 0
        for _ in range(bits):
            self.range >>= 1
            bit = self.code >= self.range
            self.code -= self.range if bit else 0
            value = value << 1 | bit
        self._refill()
        return value

    def _refill(self) -> None:
        while self.range < TOP:
            self.range <<= 8
            digit = self.data[self.at] if self.at < len(self.data) else 0
            self.code = (self.code << 8 | digit) & 0xFFFFFFFF
            self.at += 1

    def finish(self) -> None:
        """BadContainer unless exactly this code was needed."""
        if self.code >= TOP or len(self.data) > self.at - 3:
            raise BadContainer("a coded row is longer or shorter than its values")

