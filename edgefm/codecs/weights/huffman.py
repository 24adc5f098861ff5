# SPDX-License-Identifier: Apache-2.0
"""Canonical Huffman codes of weights: at most ten bits, lowest bit first, static tables.

A symbol is an escape (the weight follows in eight bits), a run of 8, 32 or 128 zeros, or a weight.
native/src/weights/huffman.c decodes the same bits; this is its slow twin, and the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadContainer

Weights = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

LONGEST = 10                # bits of a code
RUNS = (8, 32, 128)         # zeros
SPECIALS = 1 + len(RUNS)    # symbols before those of the weights: the escape, then runs
SYMBOLS = SPECIALS + 256
ZERO = SPECIALS + 128
ESCAPED_BITS = 8
_HEAD = 5                   # bytes of a record before the lengths of weights
_PLAIN, _MIRRORED = 0, 1    # forms of a record


@dataclass(frozen=True, eq=False)
class WeightTable:
    """Code lengths by symbol, int64 [SYMBOLS], 0 for a symbol without a code."""

    lengths: Ints

    @cached_property
    def codes(self) -> Ints:
        """Canonical codes by symbol, as they are read: lowest bit first."""
        order = np.lexsort((np.arange(SYMBOLS), self.lengths))
        codes, code, before = np.zeros(SYMBOLS, np.int64), 0, 0
        for symbol in order[self.lengths[order] > 0]:
            length = int(self.lengths[symbol])
            code <<= length - before
            codes[symbol] = int(f"{code:0{length}b}"[::-1], 2)
            code, before = code + 1, length
        return codes

    @property
    def has_runs(self) -> bool:
        """True where all runs have codes; encoders use all or none."""
        return bool((self.lengths[1:SPECIALS] > 0).all())

    def bits(self, symbols: Ints) -> Ints:
        """What each symbol takes; weights without a code are escaped."""
        own = self.lengths[symbols]
        return np.where(own > 0, own, self.lengths[0] + ESCAPED_BITS)

    def record(self) -> bytes:
        """The table in a package: lengths of specials, the first weight with a code and how many
        follow it, the form, their lengths, all lengths in four bits. Lengths that are the same
        forwards and backwards are stored up to the middle."""
        coded = np.flatnonzero(self.lengths[SPECIALS:])
        low, high = (int(coded[0]), int(coded[-1])) if coded.size else (128, 128)
        own = self.lengths[SPECIALS + low:SPECIALS + high + 1]
        mirrored = len(own) % 2 == 1 and bool((own == own[::-1]).all())
        own = own[:len(own) // 2 + 1] if mirrored else own
        return _from_nibbles(self.lengths[:SPECIALS]) + bytes(
            [(low - 128) & 255, high - low, mirrored]) + _from_nibbles(own)


def read_table(record: bytes) -> WeightTable:
    """The table of a record. Raises BadContainer for one that no encoder writes."""
    many = record[3] + 1 if len(record) >= _HEAD else 0
    form = record[4] if many else _PLAIN
    stored = many // 2 + 1 if form == _MIRRORED else many
    if not many or len(record) != _HEAD + (stored + 1) // 2:
        raise BadContainer(f"a table of weights with {len(record)} bytes for {stored} weights")
    if form not in (_PLAIN, _MIRRORED) or (form == _MIRRORED and many % 2 == 0):
        raise BadContainer(f"a table of {many} weights in the form {form}")
    first, own = (record[2] ^ 0x80) + SPECIALS, _nibbles(record[_HEAD:])
    if first + many > SYMBOLS or own[stored:] not in ([], [0]):
        raise BadContainer("a table of weights with more of them than there are")
    own = own[:stored] + own[:many - stored][::-1]
    lengths = np.zeros(SYMBOLS, np.int64)
    lengths[:SPECIALS] = _nibbles(record[:2])
    lengths[first:first + many] = own
    room = (2.0 ** -lengths[lengths > 0]).sum()
    if lengths.max() > LONGEST or not 0 < room <= 1:
        raise BadContainer("a table of weights whose lengths do not form a code")
    return WeightTable(lengths)


def symbols_of(weights: Weights, runs: bool) -> Ints:
    """The symbols of a tile [n], zeros gathered in `runs` or one by one."""
    values = weights.astype(np.int64)
    if not runs or not (values == 0).any():
        return values + ZERO
    starts = np.flatnonzero(np.concatenate([[True], (values[1:] != 0) | (values[:-1] != 0)]))
    lengths = np.diff(np.append(starts, len(values)))
    kinds, counts = [], []
    left = np.where(values[starts] == 0, lengths, 0)
    for number in range(len(RUNS), 0, -1):
        kinds.append(np.full(len(starts), number))
        counts.append(left // RUNS[number - 1])
        left = left % RUNS[number - 1]
    kinds.append(values[starts] + ZERO)
    counts.append(np.where(values[starts] == 0, left, 1))
    return np.repeat(np.stack(kinds, axis=1).ravel(), np.stack(counts, axis=1).ravel())


def encode(weights: Weights, table: WeightTable) -> bytes:
    """The code of a tile [n], in whole bytes; the last is padded with zeros."""
    symbols = symbols_of(weights, table.has_runs)
    own = table.lengths[symbols]
    escaped = own == 0
    raw = (symbols - ZERO) & 255
    codes = np.where(escaped, table.codes[0] | raw << table.lengths[0], table.codes[symbols])
    bits = table.bits(symbols)
    at = np.concatenate([[0], np.cumsum(bits)])
    stream = np.zeros(int(at[-1]), np.uint8)
    for i in range(int(bits.max(initial=0))):
        longer = bits > i
        stream[at[:-1][longer] + i] = codes[longer] >> i & 1
    return np.packbits(stream, bitorder="little").tobytes()


def decode(code: bytes, table: WeightTable, count: int) -> Weights:
    """The `count` weights of a tile, bit by bit. Raises BadContainer for what no encoder writes."""
    stream = [int(bit) for bit in np.unpackbits(np.frombuffer(code, np.uint8), bitorder="little")]
    known = {(int(n), int(table.codes[s])): s for s, n in enumerate(table.lengths) if n}
    out: list[int] = []
    at = 0
    while len(out) < count:
        symbol, at = _next(stream, known, at)
        if symbol == 0:
            out.append(_number(stream[at:at + ESCAPED_BITS]))
            at += ESCAPED_BITS
        else:
            out += [0] * RUNS[symbol - 1] if symbol < SPECIALS else [symbol - ZERO]
    if len(out) > count or not at <= len(stream) < at + 8 or any(stream[at:]):
        raise BadContainer(f"a tile of {count} weights whose code does not end with it")
    return np.array(out, np.int64).astype(np.int8)


def _next(stream: list[int], known: dict[tuple[int, int], int], at: int) -> tuple[int, int]:
    """The symbol at a bit, and the bit behind it."""
    for length in range(1, LONGEST + 1):
        symbol = known.get((length, _number(stream[at:at + length])))
        if symbol is not None and at + length <= len(stream):
            return symbol, at + length
    raise BadContainer("a tile of weights with a code that the table does not have")


def _number(bits: list[int]) -> int:
    return sum(bit << i for i, bit in enumerate(bits))


def _from_nibbles(lengths: Ints) -> bytes:
    even = np.append(lengths, np.zeros(len(lengths) % 2, np.int64))
    return (even[::2] | even[1::2] << 4).astype(np.uint8).tobytes()


def _nibbles(packed: bytes) -> list[int]:
    return [byte >> shift & 15 for byte in packed for shift in (0, 4)]
