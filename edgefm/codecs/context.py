# SPDX-License-Identifier: Apache-2.0
"""Codec 4: prediction, adapting contexts, a binary range coder (ours).

A value is predicted from its west, north, north-west and north-east neighbor in the same channel,
plus what the prediction of earlier channels of the same pixel missed. The expected error picks the
contexts of binary decisions: "is it the zero point", the side, the distance in steps of a power of
two, then plain bits. docs/CODECS.md says why, docs/FORMAT.md has every step; here both directions
run through the same lines, with a coder that either writes a decision or reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgefm.codecs.engine.range_coder import Coder, Decoder, Encoder
from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

HEAD = struct.Struct("<BBB5B4b")
MAX_CROSS = 8
SCALES, STEPS, LONGEST = 18, 6, 16
ZERO_CONTEXTS, SIDE_CONTEXTS = 16 * 4, 8 * 4 * 4
CONTEXTS = ZERO_CONTEXTS + SIDE_CONTEXTS + SCALES * STEPS
LOW, HIGH = -128, 127
ONE = 64  # predictions count in 64ths

# First probabilities of a one in 256ths: zero and below by relative height, another step by step.
FIRST_ZERO = (244, 240, 233, 222, 207, 188, 166, 140, 112, 83, 55, 32, 17, 9, 5, 4)
FIRST_BELOW = (40, 60, 80, 100, 112, 120, 124, 126)
FIRST_STEP = (150, 120, 115, 112, 110, 110)


Pixel = list[int]  # a value per channel
Around = tuple[Pixel, Pixel, Pixel, Pixel]  # w, n, nw, ne


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
    """Tables of their bytes; BadContainer when they cannot be those of `channels`."""
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
    above: list[Pixel] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Guess:
    """A prediction (64ths), and the classes of its expected error and of its height."""

    mean: int
    scale: int
    height: int

    @property
    def part(self) -> int:
        """The fraction of the prediction, in quarters."""
        return self.mean // 16 % 4


@dataclass(frozen=True, slots=True)
class Firsts:
    """Odds of the first step of a distance: where they are, below the center and from it on."""

    odds: list[int]
    below: int
    above: int


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0."""
    state = State(shape, unpack(tables, shape.channels))
    state.above = [[shape.zero_point] * shape.channels]
    forget(state)
    return state


def encode(state: State, row: Rows) -> bytes:
    """Code of the next row int8 [W, C]."""
    encoder = Encoder()
    code_row(state, encoder, row.tolist())
    return encoder.finish()


def decode(state: State, code: bytes) -> Rows:
    """The next row int8 [W, C]; BadContainer when no encoder writes this code."""
    decoder = Decoder(code)
    row = np.array(code_row(state, decoder, blank(state.shape)), np.int8)
    decoder.finish()
    return row


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is: both sides start afresh, but know the row."""
    forget(state)
    state.above = row.tolist()
    state.y += 1


def recall(state: State, row: Rows) -> None:
    """The row above is to be taken for this one."""
    state.above = row.tolist()


def state_bytes(shape: RowShape) -> int:
    """Fast memory of one cursor: contexts, five bytes per channel, and the row above."""
    return 2 * CONTEXTS + 5 * shape.channels + shape.values


def half_octave(v: int) -> int:
    """Two classes per octave: 2 log2(v + 2) - 2, with the lower half of an octave rounded down."""
    log = (v + 2).bit_length() - 1
    return 2 * log - 2 + ((v + 2) >> (log - 1) & 1)


def blank(shape: RowShape) -> list[Pixel]:
    """A row for a decoder to fill in."""
    return [[0] * shape.channels for _ in range(shape.width)]


def code_row(state: State, coder: Coder, row: Sequence[Pixel]) -> list[Pixel]:
    """Code a row, or fill in one of the right size; gives it as it comes back."""
    out: list[Pixel] = []
    begin_row(state)
    for x, pixel in enumerate(row):
        here = around(state, state.above, out, x)
        _, n, nw, ne = here
        out.append([])
        for c, v in enumerate(pixel):
            near = clamp(near_of(state, here, c))
            guess = predict(state, c, near + missed(state, c),
                            busy(state, abs(n[c] - nw[c]), abs(n[c] - ne[c])))
            first = step_odds(guess)
            v = code_value(state, coder, guess, Firsts(state.odds, first, first), v)
            out[x].append(v)
            learn(state, c, near, guess, v)
    end_row(state, out)
    return out


def begin_row(state: State) -> None:
    """Nothing of the next row is coded yet."""
    state.error = [min(average >> 4, 255) for average in state.average]


def end_row(state: State, row: list[Pixel]) -> None:
    """The row is done."""
    state.above = row
    state.y += 1


def around(state: State, above: Sequence[Pixel], row: Sequence[Pixel], x: int) -> Around:
    """The pixels w, n, nw, ne of pixel x; before the first row `above` is one pixel."""
    w = row[x - 1] if x else above[0]
    n = above[x] if state.y else w
    nw = above[x - 1] if state.y and x else n
    ne = above[x + 1] if state.y and x + 1 < state.shape.width else n
    return w, n, nw, ne


def forget(state: State) -> None:
    """What was learned from the image, back to the beginning."""
    channels = state.shape.channels
    odds = ([FIRST_ZERO[i // 4] for i in range(ZERO_CONTEXTS)]
            + [FIRST_BELOW[i // 16] for i in range(SIDE_CONTEXTS)] + [*FIRST_STEP] * SCALES)
    state.odds = [p << 8 | 0x80 for p in odds]
    state.average = [state.tables.start_error << 4] * channels
    state.surprise = [0] * channels


def clamp(mean: int) -> int:
    """A prediction that can be meant, 1/64."""
    return min(max(mean, LOW * ONE), HIGH * ONE + ONE - 1)


def divide(a: int, b: int) -> int:
    """a / b > 0, rounded towards 0 as in C."""
    return a // b if a >= 0 else -(-a // b)


def near_of(state: State, pixels: Around, c: int) -> int:
    """What the neighbors say of a value, 1/64."""
    taps = state.tables.taps
    return (sum(tap * pixel[c] for tap, pixel in zip(taps, pixels, strict=True))
            + state.shape.zero_point * (ONE - sum(taps)))


def missed(state: State, c: int) -> int:
    """What the surprises of earlier channels say of a value, 1/64."""
    terms = state.tables.cross[c] if state.tables.cross else ()
    return divide(sum(weight * state.surprise[c - distance] for distance, weight in terms), ONE)


def busy(state: State, west: int, east: int) -> int:
    """The neighbors' part of the expected error, from two differences among them."""
    return (state.tables.weights[2] * west + state.tables.weights[3] * east) >> 3


def predict(state: State, c: int, mean: int, trouble: int) -> Guess:
    """The prediction `mean` with its classes, where the neighbors expect `trouble`."""
    mean = clamp(mean)
    height = mean - LOW * ONE
    of_error, of_average, _, _, of_height = state.tables.weights
    expected = ((of_error * state.error[c] + of_average * (state.average[c] >> 4)
                 + of_height * (height >> 4)) >> 5)
    return Guess(mean, min(half_octave(expected + trouble), SCALES - 1), half_octave(height >> 3))


def learn(state: State, c: int, near: int, guess: Guess, v: int) -> None:
    """What value v teaches, of which `near` was predicted without earlier channels."""
    error = abs(v * ONE - guess.mean) >> 4
    state.surprise[c] = v * ONE - near
    state.error[c] = min(error, 255)
    state.average[c] += (error >> 1) - (state.average[c] >> 5)


def relative(guess: Guess, shift: int, top: int) -> int:
    """The height against the expected error, in 0 .. top."""
    return min(max(guess.height + shift - guess.scale, 0), top)


def step_odds(guess: Guess) -> int:
    """Where the odds of a first step are; each further one has its own, up to the last."""
    return ZERO_CONTEXTS + SIDE_CONTEXTS + STEPS * guess.scale


def code_value(state: State, coder: Coder, guess: Guess, firsts: Firsts, v: int) -> int:
    """Code a value, or find it."""
    zero, low = state.shape.zero_point, LOW
    if state.tables.zero_flag:
        context = 4 * relative(guess, 10, 15) + min(guess.scale // 4, 3)
        if coder.bit(state.odds, context, v == zero):
            return zero
        low += zero == LOW
    center, below = max(guess.mean // ONE, low), 0
    if center > low:
        context = 16 * relative(guess, 4, 7) + 4 * min(guess.scale // 2, 3) + guess.part
        below = coder.bit(state.odds, ZERO_CONTEXTS + context, v < center)
    distance = _code_distance(state, coder, guess, (firsts.odds, firsts.below if below else
                                                    firsts.above),
                              center - 1 - v if below else v - center)
    v = center - 1 - distance if below else center + distance
    if not LOW <= v <= HIGH or (state.tables.zero_flag and v == zero):
        raise BadContainer(f"a coded row holds the value {v}, which no encoder writes here")
    return v


def step_bits(guess: Guess) -> int:
    """Bits of a distance below its steps."""
    return max(guess.scale // 2 - 2, 0)


def _code_distance(state: State, coder: Coder, guess: Guess, first: tuple[list[int], int],
                   distance: int) -> int:
    bits = step_bits(guess)
    steps = 0
    while steps < LONGEST and coder.bit(
            *(first if not steps else (state.odds, step_odds(guess) + min(steps, STEPS - 1))),
            steps < distance >> bits):
        steps += 1
    if steps < LONGEST:
        return steps << bits | coder.plain(bits, distance & (1 << bits) - 1)
    distance = coder.plain(8, distance)
    if distance >> bits < LONGEST:
        raise BadContainer("a coded row spells out a short distance")
    return distance
