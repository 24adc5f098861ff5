# SPDX-License-Identifier: Apache-2.0
"""Codec 10: the prediction of `context`, decisions by the votes of seven contexts (ours).

Each context has a weight for each decision. The weights of all of them add up to the log-odds of a
one, and all of them learn from what that missed. Tables are context's, and further taps: of the
pixels around in any channel. docs/CODECS.md says why, docs/FORMAT.md has every step.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from edgefm.codecs import context
from edgefm.codecs.context import HIGH, LONGEST, LOW, ONE, SCALES, Guess, Pixel
from edgefm.codecs.engine.range_coder import Coder, Decoder, Encoder
from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

NODES = 8  # decisions: zero, below, further steps above and below
ZERO, SIDE, ABOVE, BELOW, STEPS = 0, 1, 2, 5, 3
PARTS, HEIGHTS, PLACES = 4, 64, 16
SHARED = SCALES * PARTS + HEIGHTS + 4 * PLACES  # contexts that do not belong to one channel
OWN = (0, 1, 2, 2, 2, 3, 3, 3)  # a channel's weight for each decision
RATE_BITS = 10
SCRATCH = 32
MAX_BESIDE = 8  # further taps of a channel in each pixel around
PIXELS = 4
TAP = struct.Struct("<bb")
CELL_BITS = 10  # of a log-odds below the table's index
FIRST_STEP = (1455, -481, -803)
LOGISTIC = (
    32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565,
    61598, 62428, 63090, 63615, 64030, 64357, 64614, 64816, 64974, 65097, 65194,
    65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508, 65514)


Tap = tuple[int, int]  # distance to a channel, weight in 64ths


@dataclass(frozen=True, slots=True)
class Tables:
    """Learned tables: context's, and further taps of each channel: of w, n, nw, ne, and again, as
    many for every channel."""

    first: context.Tables
    beside: tuple[tuple[Tap, ...], ...]


@dataclass(slots=True)
class State:
    """One cursor: the prediction's state, and weights [context][decision], 4096ths."""

    guessing: context.State
    beside: tuple[tuple[Tap, ...], ...]
    shared: list[list[int]] = field(default_factory=list)
    own: list[list[int]] = field(default_factory=list)


def pack(tables: Tables) -> bytes:
    """Bytes of the tables."""
    return context.pack(tables.first) + bytes([len(tables.beside[0]) // PIXELS]) + b"".join(
        TAP.pack(*tap) for taps in tables.beside for tap in taps)


def unpack(data: bytes, channels: int) -> Tables:
    """Tables of their bytes; BadContainer when they cannot be those of `channels`."""
    size = context.HEAD.size + (2 * data[1] * channels if len(data) > 1 else 0)
    if len(data) <= size:
        raise BadContainer(f"mix tables of {len(data)} bytes, expected more than {size}")
    first, count = context.unpack(data[:size], channels), data[size]
    if count > MAX_BESIDE or len(data) != size + 1 + TAP.size * PIXELS * count * channels:
        raise BadContainer(f"mix tables of {len(data)} bytes with {count} further taps do not fit "
                           f"{channels} channels")
    flat = list(TAP.iter_unpack(data[size + 1:]))
    each = PIXELS * count
    beside = tuple(tuple(flat[c * each:(c + 1) * each]) for c in range(channels))
    for c, taps in enumerate(beside):
        if any(not 0 <= c + distance < channels for distance, _ in taps):
            raise BadContainer(f"mix tables: a tap of channel {c} refers to an unknown channel")
    return Tables(first, beside)


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0."""
    found = unpack(tables, shape.channels)
    state = State(context.start(context.pack(found.first), shape), found.beside)
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
    shape = state.guessing.shape
    row = np.array(_code_row(state, decoder, context.blank(shape)), np.int8)
    decoder.finish()
    return row


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is: both sides start afresh, but know the row."""
    context.skip(state.guessing, row)
    _forget(state)


def recall(state: State, row: Rows) -> None:
    """The row above is to be taken for this one."""
    context.recall(state.guessing, row)


def state_bytes(shape: RowShape) -> int:
    """Fast memory of one cursor: weights, scratch, five bytes per channel, and the row above."""
    return 2 * NODES * SHARED + SCRATCH + (2 * (max(OWN) + 1) + 5) * shape.channels + shape.values


def _forget(state: State) -> None:
    steps = [0, 0, *FIRST_STEP, *FIRST_STEP]
    by_error = SCALES * PARTS
    state.shared = [[*steps] for _ in range(by_error)]
    state.shared += [[0] * NODES for _ in range(SHARED - by_error)]
    state.own = [[0] * (max(OWN) + 1) for _ in range(state.guessing.shape.channels)]


def _code_row(state: State, coder: Coder, row: list[Pixel]) -> list[Pixel]:
    """Codes `row`, or fills in a row that has the right size."""
    guessing = state.guessing
    out: list[Pixel] = []
    context.begin_row(guessing)
    for x, pixel in enumerate(row):
        here = context.around(guessing, guessing.above, out, x)
        ww = out[x - 2] if x > 1 else here[0]
        out.append([])
        for c, v in enumerate(pixel):
            near = context.clamp(context.near_of(guessing, here, c))
            guess = _guess(state, here, c, near)
            voters = _voters(state, guess, c, (near, *(pixel[c] * ONE + ONE // 2
                                                       for pixel in (here[0], ww, here[1]))))
            v = _code_value(state, coder, guess, voters, v)
            out[x].append(v)
            context.learn(guessing, c, near, guess, v)
    context.end_row(guessing, out)
    return out


def _guess(state: State, here: context.Around, c: int, near: int) -> Guess:
    """What is known of a value before it is coded, further taps included."""
    guessing = state.guessing
    said = sum(weight * (here[i % PIXELS][c + distance] - guessing.shape.zero_point)
               for i, (distance, weight) in enumerate(state.beside[c]))
    _, n, nw, ne = (pixel[c] for pixel in here)
    return context.predict(guessing, c, near + said + context.missed(guessing, c),
                           context.busy(guessing, abs(n - nw), abs(n - ne)))


def _center(state: State, guess: Guess) -> int:
    """The value from which the distance counts."""
    return max(guess.mean // ONE, _lowest(state))


def _lowest(state: State) -> int:
    guessing = state.guessing
    return LOW + (guessing.tables.zero_flag and guessing.shape.zero_point == LOW)


def _voters(state: State, guess: Guess, c: int, seen: tuple[int, ...]) -> list[list[int]]:
    """The weights that speak for one value, the channel's own last; `seen` (64ths) is what the
    neighbors predict, and w, ww, n."""
    by_height = SCALES * PARTS
    by_place = by_height + HEIGHTS
    height = context.relative(guess, 10, 15)
    found = [PARTS * guess.scale + guess.part, by_height + 4 * height + min(guess.scale // 4, 3)]
    for i, value in enumerate(seen):
        steps = (value - _center(state, guess) * ONE) >> (3 + guess.scale // 2)
        place = min(max(steps + PLACES // 2, 0), PLACES - 1)
        found.append(by_place + i * PLACES + place)
    return [*(state.shared[i] for i in found), state.own[c]]


def _vote(coder: Coder, voters: list[list[int]], node: int, bit: int) -> int:
    """One decision: all contexts that vote for it learn."""
    at = [*[node] * (len(voters) - 1), OWN[node]]
    p = chance(sum(weights[i] for weights, i in zip(voters, at, strict=True)))
    bit = coder.chance(p, bit)
    by = ((bit << 16) - p + (1 << (RATE_BITS - 1))) >> RATE_BITS
    for weights, i in zip(voters, at, strict=True):
        weights[i] = (weights[i] + by + 0x8000 & 0xFFFF) - 0x8000
    return bit


def chance(log_odds: int) -> int:
    """The probability of a one, 1/65536, of log-odds in 4096ths."""
    size = min(abs(log_odds), (len(LOGISTIC) - 1 << CELL_BITS) - 1)
    i, part = size >> CELL_BITS, size & (1 << CELL_BITS) - 1
    p = LOGISTIC[i] + ((LOGISTIC[i + 1] - LOGISTIC[i]) * part >> CELL_BITS)
    return 65536 - p if log_odds < 0 else p


def _code_value(state: State, coder: Coder, guess: Guess, voters: list[list[int]], v: int) -> int:
    guessing = state.guessing
    zero, flag = guessing.shape.zero_point, guessing.tables.zero_flag
    if flag and _vote(coder, voters, ZERO, v == zero):
        return zero
    center, below = _center(state, guess), 0
    if center > _lowest(state):
        below = _vote(coder, voters, SIDE, v < center)
    first, distance = (BELOW, center - 1 - v) if below else (ABOVE, v - center)
    distance = _code_distance(coder, guess, voters, first, distance)
    v = center - 1 - distance if below else center + distance
    if not LOW <= v <= HIGH or (flag and v == zero):
        raise BadContainer(f"a coded row holds the value {v}, which no encoder writes here")
    return v


def _code_distance(coder: Coder, guess: Guess, voters: list[list[int]], first: int,
                   distance: int) -> int:
    bits = context.step_bits(guess)
    steps = 0
    while steps < LONGEST and _vote(coder, voters, first + min(steps, STEPS - 1),
                                    steps < distance >> bits):
        steps += 1
    if steps < LONGEST:
        return steps << bits | coder.plain(bits, distance & (1 << bits) - 1)
    distance = coder.plain(8, distance)
    if distance >> bits < LONGEST:
        raise BadContainer("a coded row spells out a short distance")
    return distance
