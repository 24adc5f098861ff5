# SPDX-License-Identifier: Apache-2.0
"""Codec 5: Golomb-Rice codes with a learned parameter, for processors that can spare little.

Quick tables are what is learned (`quick.py`). Of the older ones, plain tables hold a parameter and
a center per channel; others predict each value (`static.py`), and the class of the prediction has
the parameter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefm.codecs.engine import quick, static
from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.codecs.engine.static import Front
from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

FLAG, PARAMETER, LONGEST, ESCAPE_BITS = 8, 7, 6, 9


@dataclass(slots=True)
class State:
    """One cursor; `front` is None and `plain` holds (mode, center) pairs where tables are plain.
    With quick tables `quick` is all there is."""

    shape: RowShape
    front: Front | None
    plain: bytes
    rows: static.State
    quick: quick.State | None = None


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0; BadContainer when the tables are none."""
    most = PARAMETER | FLAG if shape.zero_point == -128 else PARAMETER
    if len(tables) >= static.HEAD and tables[0] >= quick.KIND:
        known = quick.unpack(tables, shape.channels, most)
        return State(shape, None, b"", static.State(), quick.begin(known, shape))
    if tables[:1] == b"\0":
        plain = tables[static.HEAD:]
        if (len(tables) != static.HEAD + 2 * shape.channels or any(tables[:static.HEAD])
                or max(plain[::2]) > most):
            raise BadContainer(f"plain rice tables that do not fit {shape.channels} channels")
        return State(shape, None, plain, static.State())
    if tables[:1] > b"\x08":
        raise BadContainer(f"rice tables with {tables[0]} maps, expected at most {static.MAPS}")
    front = static.unpack(tables, shape.channels, 0, most)
    return State(shape, front, b"", static.begin(front, shape))


def encode(state: State, row: Rows) -> bytes:
    """Code of the next row int8 [W, C]."""
    if state.quick:
        return quick.encode(state.quick, _channels(row))
    writer = BitWriter()

    def write(mode: int, prediction: int, value: int) -> tuple[int, int]:
        return value, _write_value(writer, mode, prediction, value)

    _code_row(state, _channels(row), write)
    return writer.bytes()


def decode(state: State, code: bytes) -> Rows:
    """The next row int8 [W, C]; BadContainer when no encoder writes this code."""
    if state.quick:
        return _row(quick.decode(state.quick, code))
    reader = BitReader(code)

    def read(mode: int, prediction: int, value: int) -> tuple[int, int]:
        del value
        return _read_value(reader, mode, prediction)

    blank = [[0] * state.shape.width for _ in range(state.shape.channels)]
    values = _code_row(state, blank, read)
    reader.finish()
    return _row(values)


def _channels(row: Rows) -> list[list[int]]:
    """A row by channels, counted from 0."""
    channels: list[list[int]] = (row.T.astype(int) + 128).tolist()
    return channels


def _row(channels: list[list[int]]) -> Rows:
    return np.array((np.array(channels) - 128).T, np.int8)


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is."""
    if state.quick and state.quick.tables.maps:
        quick.skip(state.quick, _channels(row))
    if state.front:
        static.skip(state.front, state.rows, row)


def recall(state: State, row: Rows) -> None:
    """The row above is to be taken for this one."""
    if state.quick and state.quick.tables.maps:
        state.quick.above = _channels(row)
    if state.front:
        static.recall(state.rows, row)


def _code_row(state: State, values: list[list[int]], coder: static.Coder) -> list[list[int]]:
    if state.front is None:
        return [[coder(state.plain[2 * c], state.plain[2 * c + 1], v)[0] for v in channel]
                for c, channel in enumerate(values)]
    zero_point = state.shape.zero_point
    return [static.code_channel(state.front, state.rows, zero_point, c, channel, coder)
            for c, channel in enumerate(values)]


def _write_value(writer: BitWriter, mode: int, prediction: int, value: int) -> int:
    k, flag = mode & PARAMETER, mode >> 3
    if flag:
        writer.write(value == 0, 1)
    if flag and value == 0:
        return 2 * prediction
    u = static.fold(value, prediction, flag)
    if u >> k < LONGEST:
        writer.write(1, (u >> k) + 1)
        writer.write(u, k)
    else:
        writer.write(u, LONGEST + ESCAPE_BITS)
    return u


def _read_value(reader: BitReader, mode: int, prediction: int) -> tuple[int, int]:
    k, flag = mode & PARAMETER, mode >> 3
    if flag and reader.read(1):
        return 0, 2 * prediction
    steps = 0
    while steps < LONGEST and not reader.read(1):
        steps += 1
    u = steps << k | reader.read(k) if steps < LONGEST else reader.read(ESCAPE_BITS)
    if steps == LONGEST and u >> k < LONGEST:
        raise BadContainer("a coded row spells out a short distance")
    return static.unfold(u, prediction, flag), u
