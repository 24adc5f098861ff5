# SPDX-License-Identifier: Apache-2.0
"""Codec 8: learned binary codes of bit planes. Loses: rows come back as near as its tables can.

After Gudovskiy, Hodgkinson and Rigazio (arXiv 1808.05285), with weights that really are ternary.
A block of neighboring pixels is taken apart into the 8 bit planes of its values (above the lowest
value of the map). Every stored bit says whether a signed count of plane bits reaches a threshold;
every value comes back as a constant plus signed powers of two, one for each stored bit it looks at
(popcounts of masked bits, weighted by plane). A curve may make the steps unequal first and undo
that last. The published decoder cuts its sums to bits first; adding them saves a third of the
stored bits at equal error (docs/CODECS.md).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

PLANES = 8
HEAD = struct.Struct("<BbHI")    # block width, lowest value, stored bits, flags
CURVED = 1
LEVELS = 256
MOST_STORED = 2048               # bits of a block: 11 bits of a decoder term
MOST_TERMS = 255                 # of one bit or value
NEGATIVE = 0x8000
_SHIFT_AT = 11

Term = tuple[int, int]           # (index, weight): weight is 1 or -1, or a signed power of two
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class UnequalSteps:
    """Unequal steps: what each level is coded as, the level that each coded number comes back as,
    and per value of a block what is added to its coded number (which rounds, where low planes are
    not stored).
    """

    coded: bytes
    back: bytes
    offsets: bytes


@dataclass(frozen=True, slots=True)
class Learned:
    """A fitted codec: pixels of a block, the value that all bits clear stand for, and per stored
    bit (threshold, terms over plane bits), per value (constant, terms over stored bits); planes are
    those of coded numbers where there is a curve.

    Plane bit `p * block * C + x * C + c` is bit p of channel c of the block's pixel x; value
    `x * C + c` follows the same order.
    """

    block: int
    lowest: int
    bits: tuple[tuple[int, tuple[Term, ...]], ...]
    values: tuple[tuple[int, tuple[Term, ...]], ...]
    curve: UnequalSteps | None = None


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Tables as matrices: [stored, plane bits] and [values, stored], with thresholds, constants."""

    shape: RowShape
    learned: Learned
    encoder: Ints
    thresholds: Ints
    decoder: Ints
    constants: Ints

    @property
    def blocks(self) -> int:
        """Blocks of a row; the last may go past it."""
        return -(-self.shape.width // self.learned.block)


def pack(learned: Learned) -> bytes:
    """The tables' bytes, as docs/FORMAT.md has them."""
    curve = learned.curve
    out = [HEAD.pack(learned.block, learned.lowest, len(learned.bits), CURVED if curve else 0)]
    out += [curve.coded, curve.back, curve.offsets] if curve else []
    for threshold, terms in learned.bits:
        out.append(struct.pack("<bB", threshold, len(terms)))
        out += [struct.pack("<H", index | NEGATIVE * (weight < 0)) for index, weight in terms]
    for constant, terms in learned.values:
        out.append(struct.pack("<hBB", constant, len(terms), 0))
        out += [struct.pack("<H", index | (abs(weight).bit_length() - 1) << _SHIFT_AT
                            | NEGATIVE * (weight < 0)) for index, weight in terms]
    return b"".join(out)


def unpack(tables: bytes, channels: int) -> Learned:
    """The inverse. Raises BadContainer for tables that no fit writes."""
    if len(tables) < HEAD.size:
        raise BadContainer(f"gf2 tables of {len(tables)} bytes end in their head")
    block, lowest, stored, flags = HEAD.unpack_from(tables)
    outputs = block * channels
    if not block or flags > CURVED or not 1 <= stored <= min(MOST_STORED, PLANES * outputs):
        raise BadContainer(f"gf2 tables: blocks of {block} pixels, {stored} stored bits")
    if PLANES * outputs > NEGATIVE:
        raise BadContainer(f"gf2 tables: {outputs} values in a block, at most {NEGATIVE // PLANES}")
    curve, at = _take_curve(tables, outputs) if flags else (None, HEAD.size)
    bits = []
    for _ in range(stored):
        (threshold, count), at = _take(tables, "<bB", at)
        words, at = _take(tables, f"<{count}H", at)
        bits.append((threshold, tuple((w & NEGATIVE - 1, -1 if w & NEGATIVE else 1)
                                      for w in words)))
    values = []
    for _ in range(outputs):
        (constant, count, zero), at = _take(tables, "<hBB", at)
        words, at = _take(tables, f"<{count}H", at)
        values.append((constant, tuple((w & MOST_STORED - 1, _weight(w)) for w in words)))
        if zero:
            raise BadContainer("gf2 tables: a reserved byte is not 0")
    indices = ([i for _, terms in bits for i, _ in terms],
               [i for _, terms in values for i, _ in terms])
    if at != len(tables) or any(i >= PLANES * outputs for i in indices[0]) \
            or any(i >= stored for i in indices[1]):
        raise BadContainer("gf2 tables: a term points past its bits, or bytes are left")
    return Learned(block, lowest, tuple(bits), tuple(values), curve)


def _take_curve(tables: bytes, outputs: int) -> tuple[UnequalSteps, int]:
    parts, at = _take(tables, f"<{LEVELS}s{LEVELS}s{outputs}s", HEAD.size)
    return UnequalSteps(*parts), at


def _weight(word: int) -> int:
    size = 1 << (word >> _SHIFT_AT & 15)
    return -size if word & NEGATIVE else size


def _take(tables: bytes, layout: str, at: int) -> tuple[tuple[Any, ...], int]:
    end = at + struct.calcsize(layout)
    if end > len(tables):
        raise BadContainer(f"gf2 tables end after {len(tables)} bytes, in the middle")
    return struct.unpack_from(layout, tables, at), end


def start(tables: bytes, shape: RowShape) -> State:
    """State before row 0; it never changes. BadContainer when the tables do not fit."""
    learned = unpack(tables, shape.channels)
    pixels = learned.block * shape.channels
    encoder = _matrix([terms for _, terms in learned.bits], PLANES * pixels)
    decoder = _matrix([terms for _, terms in learned.values], len(learned.bits))
    return State(shape, learned, encoder, np.array([t for t, _ in learned.bits], np.int32),
                 decoder, np.array([c for c, _ in learned.values], np.int32))


def _matrix(rows: Sequence[Sequence[Term]], columns: int) -> Ints:
    matrix = np.zeros((len(rows), columns), np.int32)
    for row, terms in enumerate(rows):
        for index, weight in terms:
            matrix[row, index] += weight
    return matrix


def planes_of(levels: Ints) -> Ints:
    """Plane bits [N, 8 * values] of blocks [N, values] of numbers 0 to 255."""
    return np.concatenate([levels >> p & 1 for p in range(PLANES)], axis=1)


def blocks_of(rows: Rows, lowest: int, block: int) -> Ints:
    """Rows int8 [N, W, C] as blocks [N * blocks, block * C] of numbers above `lowest`; the last
    pixel of a row repeats to fill its last block."""
    levels = np.clip(rows.astype(np.int32) - lowest, 0, 255)
    levels = np.pad(levels, ((0, 0), (0, -rows.shape[1] % block), (0, 0)), mode="edge")
    return levels.reshape(-1, block * rows.shape[2])


def coded_levels(levels: Ints, curve: UnequalSteps | None) -> Ints:
    """Blocks [N, values] of levels as the numbers whose planes are looked at."""
    if curve is None:
        return levels
    coded = np.frombuffer(curve.coded, np.uint8).astype(np.int32)[levels]
    return np.minimum(coded + np.frombuffer(curve.offsets, np.uint8), LEVELS - 1)


def encode(state: State, row: Rows) -> bytes:
    """Code of int8 [W, C]: the stored bits of each block in turn, lowest bit first."""
    learned = state.learned
    levels = blocks_of(row[None], learned.lowest, learned.block)
    planes = planes_of(coded_levels(levels, learned.curve))
    stored = planes @ state.encoder.T >= state.thresholds
    return np.packbits(stored.reshape(-1), bitorder="little").tobytes()


def decode(state: State, code: bytes) -> Rows:
    """Row int8 [W, C] of a code. BadContainer when no encoder writes it."""
    count = state.blocks * len(state.thresholds)
    if len(code) != -(-count // 8):
        raise BadContainer(f"a gf2 row of {len(code)} bytes, expected {-(-count // 8)}")
    bits = np.unpackbits(np.frombuffer(code, np.uint8), bitorder="little")
    if bits[count:].any():
        raise BadContainer("padding of a gf2 row holds a one")
    stored = bits[:count].reshape(state.blocks, -1).astype(np.int32)
    levels = np.clip(stored @ state.decoder.T + state.constants, 0, LEVELS - 1)
    if state.learned.curve is not None:
        levels = np.frombuffer(state.learned.curve.back, np.uint8).astype(np.int32)[levels]
    values = np.clip(levels + state.learned.lowest, -128, 127)
    row: Rows = values.astype(np.int8).reshape(-1, state.shape.channels)
    return row[:state.shape.width]


def skip(state: State, row: Rows) -> None:
    """A row was stored as it is: nothing to remember."""
    del state, row
