# SPDX-License-Identifier: Apache-2.0
"""Codec 6: the prediction and classes of rice, with table-driven asymmetric numeral systems behind
them (Duda, arXiv 1311.2540).

A class names a parameter and a learned distribution of 16 symbols: zero, the distance's upper part,
escape. Numbers are coded last first, so a row's channels are written from the last to the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefm.codecs.engine import static
from edgefm.codecs.engine.bits import BitReader
from edgefm.codecs.engine.static import Front
from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

STATES, LOG_STATES, STEP, SYMBOLS, DISTRIBUTIONS = 64, 6, 43, 16, 8
ZERO, FIRST, ESCAPE, UPPER, ESCAPE_BITS, PARAMETER = 0, 1, 15, 14, 9, 7
WAITING_BYTES = 5  # of a value that waits to be written


@dataclass(slots=True)
class State:
    """One cursor: tables, for each distribution the symbol of every state, and the rows so far."""

    shape: RowShape
    front: Front
    counts: tuple[bytes, ...]
    slots: tuple[list[int], ...]
    rows: static.State

    @property
    def low(self) -> int:
        """1 where zero is a symbol of its own, else 0."""
        return int(self.counts[0][ZERO] > 0)


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0; BadContainer when the tables are none."""
    many = (tables[0] >> 4) + 1 if tables else 0
    if not 1 <= many <= DISTRIBUTIONS:
        raise BadContainer(f"tans tables with {many} distributions")
    front = static.unpack(tables, shape.channels, SYMBOLS * many, 8 * many - 1)
    at = static.HEAD + static.CLASSES * len(front.maps)
    counts = tuple(tables[at + SYMBOLS * d:][:SYMBOLS] for d in range(many))
    flag = counts[0][ZERO] > 0
    if (any(sum(c) != STATES or not c[ESCAPE] or (c[ZERO] > 0) != flag for c in counts)
            or (flag and shape.zero_point != -128)):
        raise BadContainer("tans tables with an invalid distribution")
    slots = tuple(spread(c) for c in counts)
    return State(shape, front, counts, slots, static.begin(front, shape))


def state_bytes(shape: RowShape) -> int:
    """Fast memory of one cursor: tables, a channel that waits to be written, the row above."""
    tables = 2 * STATES * DISTRIBUTIONS + 8 + STATES
    return tables + WAITING_BYTES * shape.width + static.state_bytes(shape)


def spread(counts: bytes) -> list[int]:
    """Which symbol each of the 64 states stands for."""
    slots, at = [0] * STATES, 0
    for symbol, count in enumerate(counts):
        for _ in range(count):
            slots[at] = symbol
            at = (at + STEP) % STATES
    return slots


def encode(state: State, row: Rows) -> bytes:
    """Code of the next row int8 [W, C]."""
    choices: list[tuple[int, int, int, int]] = []  # distribution, symbol, bits, how many

    def choose(known: int, prediction: int, value: int) -> tuple[int, int]:
        choice, distance = _choose(state, known, prediction, value)
        choices.append(choice)
        return value, distance

    for c, channel in enumerate((row.T.astype(int) + 128).tolist()):
        static.code_channel(state.front, state.rows, state.shape.zero_point, c, channel, choose)
    x, bits = STATES, ""
    for d, symbol, extra, count in reversed(choices):
        own = _pop(x, state.counts[d][symbol])
        now = f"{x % (1 << own):0{own}b}" if own else ""
        bits = now + (f"{extra:0{count}b}" if count else "") + bits
        x = STATES + _occurrences(state.slots[d], symbol)[(x >> own) - state.counts[d][symbol]]
    bits = "1" + f"{x - STATES:0{LOG_STATES}b}" + bits
    bits = "0" * (-len(bits) % 8) + bits
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def _pop(x: int, count: int) -> int:
    """How many bits leave state x (64..127) before a symbol of this count."""
    bits = 0
    while x >> bits >= 2 * count:
        bits += 1
    return bits


def _occurrences(slots: list[int], symbol: int) -> list[int]:
    return [i for i, s in enumerate(slots) if s == symbol]


def _choose(state: State, known: int, prediction: int,
            value: int) -> tuple[tuple[int, int, int, int], int]:
    k, d = known & PARAMETER, known >> 3
    if value < state.low:
        return (d, ZERO, 0, 0), 2 * prediction
    u = static.fold(value, prediction, state.low)
    if u >> k < UPPER and state.counts[d][FIRST + (u >> k)]:
        return (d, FIRST + (u >> k), u & (1 << k) - 1, k), u
    return (d, ESCAPE, u, ESCAPE_BITS), u


def decode(state: State, code: bytes) -> Rows:
    """The next row int8 [W, C]; BadContainer when no encoder writes this code."""
    reader = BitReader(code)
    while not reader.read(1):
        if reader.at == 8:
            raise BadContainer("a coded row begins with a byte of zeros")
    x = reader.read(LOG_STATES)

    def read(known: int, prediction: int, value: int) -> tuple[int, int]:
        nonlocal x
        del value
        x, value, distance = _read_value(state, reader, x, known, prediction)
        return value, distance

    blank, zero_point = [0] * state.shape.width, state.shape.zero_point
    values = [static.code_channel(state.front, state.rows, zero_point, c, blank, read)
              for c in range(state.shape.channels)]
    if x or reader.at != 8 * len(code):
        raise BadContainer("a coded row is longer or shorter than its values")
    return np.array((np.array(values) - 128).T, np.int8)


def _read_value(state: State, reader: BitReader, x: int, known: int,
                prediction: int) -> tuple[int, int, int]:
    """(next state, value, distance)."""
    k, d = known & PARAMETER, known >> 3
    symbol = state.slots[d][x]
    n = state.counts[d][symbol] + _occurrences(state.slots[d], symbol).index(x)
    bits = LOG_STATES - static.log2(n)
    x = (n << bits) - STATES + reader.read(bits)
    if symbol == ZERO:
        return x, 0, 2 * prediction
    if symbol < ESCAPE:
        u = symbol - FIRST << k | reader.read(k)
    else:
        u = reader.read(ESCAPE_BITS)
        if u >> k < UPPER and state.counts[d][FIRST + (u >> k)]:
            raise BadContainer("a coded row spells out a short distance")
    return x, static.unfold(u, prediction, state.low), u


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is."""
    static.skip(state.front, state.rows, row)


def recall(state: State, row: Rows) -> None:
    """The row above is to be taken for this one."""
    static.recall(state.rows, row)
