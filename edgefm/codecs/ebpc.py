# SPDX-License-Identifier: Apache-2.0
"""Codec 3: extended bit-plane compression (Cavigelli, Rutishauser, Benini, arXiv 1908.11645).

A row is read channel by channel. First which values differ from the zero point, in runs, padded to
a byte; then those values in blocks of 8 (the last one filled up with zero points): 8 bits of the
first, then the 9 bit planes of the 7 differences, highest plane first, each exclusive-or the plane
above it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.codecs.engine.zeros import read_runs, write_runs
from edgefm.codecs.interface import Codec, Rows, RowShape, no_fit, no_skip, no_start, no_state
from edgefm.errors import BadContainer

BLOCK = 8
PLANES = 9
ALL = 0x7F
ALL_ONES, PLANE_ZERO, TWO_ONES, ONE_ONE = range(4)


def encode(shape: RowShape, row: Rows) -> bytes:
    """Code of int8 [W, C]."""
    values = row.T.reshape(-1)
    writer = BitWriter()
    write_runs(writer, (values == shape.zero_point).tolist(), lambda i: None)
    writer.align()
    others = [int(v) for v in values if v != shape.zero_point]
    others += [shape.zero_point] * (-len(others) % BLOCK)
    for i in range(0, len(others), BLOCK):
        _write_block(writer, others[i:i + BLOCK])
    return writer.bytes()


def decode(shape: RowShape, code: bytes) -> Rows:
    """Row int8 [W, C] of a code; BadContainer when no encoder writes it."""
    reader = BitReader(code)
    where: list[int] = []
    read_runs(reader, shape.values, where.append)
    reader.align()
    others: list[int] = []
    while len(others) < len(where):
        others += _read_block(reader)
    reader.finish()
    if any((v == shape.zero_point) != (i >= len(where)) for i, v in enumerate(others)):
        raise BadContainer("a zero point is written as a value, or another fills up a block")
    row = np.full(shape.values, shape.zero_point, np.int8)
    row[where] = others[:len(where)]
    return row.reshape(shape.channels, shape.width).T.copy()


def _planes(block: list[int]) -> list[int]:
    """The 9 planes of the differences, highest first; the first difference is the highest bit."""
    deltas = [b - a for a, b in pairwise(block)]
    return [sum((d >> bit & 1) << (BLOCK - 2 - i) for i, d in enumerate(deltas))
            for bit in range(PLANES - 1, -1, -1)]


def _write_block(writer: BitWriter, block: list[int]) -> None:
    writer.write(block[0] & 0xFF, 8)
    above = zeros = 0
    for plane in _planes(block):
        if plane == above:
            zeros += 1
            continue
        _write_zeros(writer, zeros)
        _write_change(writer, plane ^ above, plane)
        above, zeros = plane, 0
    _write_zeros(writer, zeros)


def _write_zeros(writer: BitWriter, planes: int) -> None:
    if planes == 1:
        writer.write(0b01, 2)
    elif planes > 1:
        writer.write(0b001 << 3 | planes - 2, 6)


def _write_change(writer: BitWriter, change: int, plane: int) -> None:
    first = BLOCK - 1 - change.bit_length()
    if change == ALL:
        writer.write(ALL_ONES, 5)
    elif plane == 0:
        writer.write(PLANE_ZERO, 5)
    elif change == 0x40 >> first:
        writer.write(ONE_ONE << 3 | first, 8)
    elif change == 0x60 >> first:
        writer.write(TWO_ONES << 3 | first, 8)
    else:
        writer.write(0x80 | change, 8)


def _read_block(reader: BitReader) -> list[int]:
    first = (reader.read(8) ^ 0x80) - 0x80
    planes: list[int] = []
    while len(planes) < PLANES:
        above = planes[-1] if planes else 0
        repeats, change = _read_symbol(reader, above)
        if repeats > PLANES - len(planes) or (repeats == 0 and change == 0):
            raise BadContainer("a bit-plane symbol that no encoder writes")
        planes += [above] * repeats if repeats else [above ^ change]
    block = [first]
    for i in range(BLOCK - 1):
        bits = [plane >> (BLOCK - 2 - i) & 1 for plane in planes]
        delta = -256 * bits[0] + sum(bit << (PLANES - 1 - k) for k, bit in enumerate(bits) if k)
        block.append(block[-1] + delta)
    if min(block) < -128 or max(block) > 127:
        raise BadContainer("a bit-plane block leaves the 8-bit range")
    return block


def _read_symbol(reader: BitReader, above: int) -> tuple[int, int]:
    """(planes that repeat the one above, 0) or (0, change of the next plane)."""
    if reader.read(1):
        return 0, reader.read(7)
    if reader.read(1):
        return 1, 0
    if reader.read(1):
        return reader.read(3) + 2, 0
    kind = reader.read(2)
    if kind == ALL_ONES:
        return 0, ALL
    if kind == PLANE_ZERO:
        return 0, above
    return 0, (0x60 if kind == TWO_ONES else 0x40) >> reader.read(3)


EBPC = Codec(3, "ebpc", no_fit, no_start, encode, decode, no_skip, no_state)
