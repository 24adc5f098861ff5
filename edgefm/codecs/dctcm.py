# SPDX-License-Identifier: Apache-2.0
"""Codec 7: a cosine transform over channels, masks, and what is not zero, after Shi, Wang, Chen,
Wei and Wang (arXiv 2106.12850; of the paper only the abstract could be read).

The transform loses. A map may pass it by (`BYPASS`), which suits sparse ones and does not lose.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

BYPASS, DCT, DCT_WITH_ZEROS = range(3)
ORDERED, SIZE, LOG_STEP, MOST_STEP, MOST_ORDER, LONGEST = 1, 8, 7, 9, 7, 10
LARGEST = 1 << 18
HEAD = struct.Struct("<BB8B")
_ODD = ((89, 75, 50, 18), (75, -18, -89, -50), (50, -89, 18, 75), (18, -50, 75, -89))
_EVEN = ((64, 64, 64, 64), (83, 36, -36, -83), (64, -64, -64, 64), (36, -83, 83, -36))
MATRIX = np.array([row + tuple(sign * v for v in reversed(row)) for even, odd in
                   zip(_EVEN, _ODD, strict=True) for row, sign in ((even, 1), (odd, -1))], np.int64)


@dataclass(frozen=True, slots=True)
class Tables:
    """Mode, per coefficient the step (a power of two) and the order of its code, channel order."""

    mode: int
    steps: tuple[int, ...] = (0,) * SIZE
    orders: tuple[int, ...] = (0,) * SIZE
    order: tuple[int, ...] = ()

    def channels(self, count: int) -> list[int]:
        """Which channel comes when."""
        return list(self.order) or list(range(count))


@dataclass(frozen=True, slots=True)
class State:
    """No row depends on another: the shape and the tables."""

    shape: RowShape
    tables: Tables


def pack(tables: Tables) -> bytes:
    """The tables as stored."""
    both = (step | order << 4 for step, order in zip(tables.steps, tables.orders, strict=True))
    head = HEAD.pack(tables.mode, ORDERED if tables.order else 0, *both)
    return head + struct.pack(f"<{len(tables.order)}H", *tables.order)


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0; BadContainer when the tables are none."""
    if len(tables) < HEAD.size:
        raise BadContainer(f"dctcm tables of {len(tables)} bytes, expected at least {HEAD.size}")
    mode, flags, *both = HEAD.unpack_from(tables)
    size = HEAD.size + (2 * shape.channels if flags else 0)
    if mode > DCT_WITH_ZEROS or flags > ORDERED or len(tables) != size:
        raise BadContainer(f"dctcm tables of {len(tables)} bytes do not fit {shape.channels} "
                           "channels")
    steps, orders = tuple(b & 15 for b in both), tuple(b >> 4 for b in both)
    order = struct.unpack_from(f"<{shape.channels}H", tables, HEAD.size) if flags else ()
    if (max(steps) > MOST_STEP or max(orders) > MOST_ORDER or (mode == BYPASS and any(both))
            or any(c >= shape.channels for c in order)):
        raise BadContainer("dctcm tables with an unknown step, order or channel")
    return State(shape, Tables(mode, steps, orders, order))


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is, which changes nothing."""
    del state, row


def grouped(shape: RowShape, tables: Tables, row: Rows) -> npt.NDArray[np.int64]:
    """A row int8 [W, C] as [W, groups, 8] less the zero point, zeros past the last channel."""
    out = np.zeros((len(row), -(-shape.channels // SIZE) * SIZE), np.int64)
    out[:, :shape.channels] = row[:, tables.channels(shape.channels)]
    out[:, :shape.channels] -= shape.zero_point
    return out.reshape(len(row), -1, SIZE)


def transform(tables: Tables, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Coefficients [..., 8] in steps."""
    shift = LOG_STEP + np.array(tables.steps)
    sums = values @ MATRIX.T
    return np.asarray(np.sign(sums) * (np.abs(sums) + (3 << shift - 3) >> shift))


def restore(tables: Tables, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Values [..., 8] of coefficients."""
    sums = (steps << LOG_STEP + np.array(tables.steps)) @ MATRIX + (1 << 14)
    return np.asarray(sums >> 15)


def encode(state: State, row: Rows) -> bytes:
    """Code of a row int8 [W, C]."""
    tables, writer = state.tables, BitWriter()
    for values in grouped(state.shape, tables, row).reshape(-1, SIZE):
        todo = values if tables.mode == BYPASS else transform(tables, values)
        if tables.mode == DCT_WITH_ZEROS:
            _write_mask(writer, values)
        if tables.mode != DCT_WITH_ZEROS or values.any():
            _write_mask(writer, todo)
        for k, v in enumerate(todo.tolist()):
            if v and tables.mode == BYPASS:
                writer.write(v + state.shape.zero_point, 8)
            elif v:
                _write_coefficient(writer, v, tables.orders[k])
    return writer.bytes()


def _write_mask(writer: BitWriter, values: npt.NDArray[np.int64]) -> None:
    for v in values.tolist():
        writer.write(v != 0, 1)


def _write_coefficient(writer: BitWriter, q: int, order: int) -> None:
    v = abs(q) - 1 + (1 << order)
    bits = v.bit_length() - 1
    writer.write(1, bits - order + 1)
    writer.write(v, bits)
    writer.write(q < 0, 1)


def decode(state: State, code: bytes) -> Rows:
    """The row int8 [W, C] of a code; BadContainer when no encoder writes it."""
    shape, tables, reader = state.shape, state.tables, BitReader(code)
    row = np.full((shape.width, shape.channels), shape.zero_point, np.int8)
    channels = tables.channels(shape.channels)
    for x in range(shape.width):
        for first in range(0, shape.channels, SIZE):
            values = np.clip(_read_group(state, reader) + shape.zero_point, -128, 127)
            for c, v in zip(channels[first:first + SIZE], values.tolist(), strict=False):
                row[x, c] = v
    reader.finish()
    return row


def _read_group(state: State, reader: BitReader) -> npt.NDArray[np.int64]:
    tables = state.tables
    mask, kept = reader.read(SIZE), (1 << SIZE) - 1
    if tables.mode == DCT_WITH_ZEROS:
        mask, kept = reader.read(SIZE) if mask else 0, mask
    todo = np.zeros(SIZE, np.int64)
    for k in range(SIZE):
        if mask << k & 0x80 and tables.mode == BYPASS:
            todo[k] = (reader.read(8) ^ 0x80) - 0x80 - state.shape.zero_point
            if todo[k] == 0:
                raise BadContainer("a zero point is written as a value")
        elif mask << k & 0x80:
            todo[k] = _read_coefficient(reader, tables.orders[k], tables.steps[k])
    values = todo if tables.mode == BYPASS else restore(tables, todo)
    return np.where([kept << i & 0x80 for i in range(SIZE)], values, 0)


def _read_coefficient(reader: BitReader, order: int, step: int) -> int:
    bits = order
    while bits <= LONGEST and not reader.read(1):
        bits += 1
    if bits <= LONGEST:
        v = (1 << bits | reader.read(bits)) - (1 << order) + 1
        if v <= LARGEST >> LOG_STEP + step:
            return -v if reader.read(1) else v
    raise BadContainer("a coefficient that no encoder writes")
