# SPDX-License-Identifier: Apache-2.0
"""Codec 9: a row against the same row of the frame before (ours; tiles of three kinds are common).

A tile is a run of pixels. It is the frame before's (SKIP), or coded as `context` codes it (I), or
so with a prediction that trusts, more or less, what it misses in the frame before (P). Without a
frame before, a row is what `context` makes of it. docs/FORMAT.md has every step, docs/CODECS.md
says when it pays.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from edgefm.codecs import context
from edgefm.codecs.context import Pixel
from edgefm.codecs.interface import Rows, RowShape
from edgefm.codecs.range import Coder, Decoder, Encoder
from edgefm.errors import BadContainer

HEAD = struct.Struct("<BB")
KIND_BYTES = 24           # of state: the odds of kinds of tiles
SKIP, ALONE, TRUSTING = 0, 1, 2  # SKIP, I and P; from P on each kind trusts by one step more
# Odds of SKIP and of I by the kind before, of the trust in two steps.
_SKIP, _ALONE, _TRUST = 0, 3, 6
_EVEN = [1 << 15] * 9


@dataclass(frozen=True, slots=True)
class Tables:
    """Learned tables, as numbers.

    A tile has `tile` pixels, the last one of a row what is left. A tile is skipped when no value is
    further than `tolerance` from the frame before; with 0 nothing is lost.
    """

    tile: int
    tolerance: int
    context: context.Tables


def pack(tables: Tables) -> bytes:
    """Bytes of the tables."""
    head = HEAD.pack(tables.tile, tables.tolerance)
    return head + context.pack(tables.context)


def unpack(data: bytes, channels: int) -> Tables:
    """Tables of their bytes; BadContainer when they cannot be those of so many channels."""
    if len(data) < HEAD.size or data[0] == 0:
        raise BadContainer(f"temporal tables of {len(data)} bytes, or with tiles of 0 pixels")
    return Tables(*HEAD.unpack_from(data), context.unpack(data[HEAD.size:], channels))


def with_tolerance(tables: bytes, tolerance: int) -> bytes:
    """The tables with another tolerance."""
    return HEAD.pack(HEAD.unpack_from(tables)[0], tolerance) + tables[HEAD.size:]


@dataclass(slots=True)
class State:
    """One cursor. `reference` is the row int8 [W, C] of the frame before that goes with the next
    row, or None; who codes sets it before each row."""

    tables: Tables
    context: context.State
    reference: Rows | None = None
    above: list[Pixel] = field(default_factory=list)  # in the frame before
    odds: list[int] = field(default_factory=list)     # of kinds of tiles


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0."""
    own = unpack(tables, shape.channels)
    state = State(own, context.start(tables[HEAD.size:], shape))
    state.above = [[shape.zero_point] * shape.channels]
    state.odds = [*_EVEN]
    return state


def encode(state: State, row: Rows) -> bytes:
    """Code of the next row int8 [W, C]."""
    encoder = Encoder()
    _code_row(state, encoder, row.tolist(), choose=True)
    return encoder.finish()


def decode(state: State, code: bytes) -> Rows:
    """The next row int8 [W, C]; BadContainer when no encoder writes this code."""
    decoder = Decoder(code)
    shape = state.context.shape
    row = _code_row(state, decoder, context.blank(shape, shape.width), choose=False)
    decoder.finish()
    return np.array(row, np.int8)


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is: both sides start afresh, but know the row."""
    context.skip(state.context, row)
    state.odds = [*_EVEN]
    if state.reference is not None:
        state.above = state.reference.tolist()


def state_bytes(shape: RowShape) -> int:
    """Fast memory of one cursor: kinds of tiles, context's state, and two rows: the one above in
    the frame before, and the row as it comes back."""
    return KIND_BYTES + context.state_bytes(shape) + 2 * shape.values


def _code_row(state: State, coder: Coder, row: list[Pixel], choose: bool) -> list[Pixel]:
    """Code `row`, or fill in a row that has the right size; gives it as it comes back."""
    own, out, kind = state.context, list[Pixel](), ALONE
    context.begin_row(own)
    rows = None if state.reference is None else state.reference.tolist()
    for first in range(0, len(row), state.tables.tile):
        pixels = row[first:first + state.tables.tile]
        if rows is None:
            context.code_pixels(own, coder, out, pixels)
            continue
        wanted = _choose(state, rows, out + pixels, first) if choose else SKIP
        kind = _code_kind(state.odds, coder, min(kind, TRUSTING), wanted)
        if kind == SKIP:
            out += rows[first:first + len(pixels)]
        else:
            trusting = context.Reference(rows, state.above, context.TRUSTS[kind - ALONE])
            context.code_pixels(own, coder, out, pixels, None if kind == ALONE else trusting)
    context.end_row(own, out)
    state.above = state.above if rows is None else rows
    return out


def _choose(state: State, rows: list[Pixel], row: list[Pixel], first: int) -> int:
    """The kind of the tile that ends the row so far."""
    differences = [abs(v - was) for pixel, before in zip(row[first:], rows[first:], strict=False)
                   for v, was in zip(pixel, before, strict=True)]
    if max(differences) <= state.tables.tolerance:
        return SKIP
    misfits = context.misfits(state.context, row, first, len(row),
                              context.Reference(rows, state.above, 0))
    return ALONE + misfits.index(min(misfits))


def _code_kind(odds: list[int], coder: Coder, before: int, kind: int) -> int:
    if coder.bit(odds, _SKIP + before, kind == SKIP):
        return SKIP
    if coder.bit(odds, _ALONE + before, kind == ALONE):
        return ALONE
    high = coder.bit(odds, _TRUST, kind >= TRUSTING + 2)
    return TRUSTING + 2 * high + coder.bit(odds, _TRUST + 1 + high, (kind - TRUSTING) & 1)
