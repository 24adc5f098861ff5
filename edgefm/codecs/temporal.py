# SPDX-License-Identifier: Apache-2.0
"""Codec 9: a row against the same row of the frame before (ours).

A tile, a run of pixels, is skipped where it is as it was. Other values are coded as `context` codes
them, but what the neighbors say is blended with the value before and with how the neighbors have
changed since; each counts by how well it did lately. Without a frame before, a row is what
`context` makes of it. docs/FORMAT.md has every step, docs/CODECS.md says when it pays.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from edgefm.codecs import context
from edgefm.codecs.context import Around, Pixel
from edgefm.codecs.engine.range_coder import Coder, Decoder, Encoder
from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadContainer

HEAD = struct.Struct("<BB")
# What predicts: neighbors, the frame before, the change of both; then their blend, without the
# surprises of earlier channels and with them.
SPATIAL, STILL, MOVED, BLEND, CROSSED, WAYS = range(6)
SKIP_CONTEXTS, FIRST_CONTEXTS = 2, context.SCALES * 2 * 4
LEARN = 4      # a way's usual miss moves by 1/16 of what it was wrong
_EVEN = 1 << 15


@dataclass(frozen=True, slots=True)
class Tables:
    """Learned tables, as numbers.

    A tile has `tile` pixels, the last one of a row the rest. A tile is skipped when no value is
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
    """Tables of their bytes; BadContainer when they cannot be those of `channels`."""
    if len(data) < HEAD.size or data[0] == 0:
        raise BadContainer(f"temporal tables of {len(data)} bytes, or with tiles of 0 pixels")
    return Tables(data[0], data[1], context.unpack(data[HEAD.size:], channels))


def with_tolerance(tables: bytes, tolerance: int) -> bytes:
    """The tables with another tolerance."""
    return HEAD.pack(HEAD.unpack_from(tables)[0], tolerance) + tables[HEAD.size:]


@dataclass(slots=True)
class State:
    """One cursor. `reference` is the row int8 [W, C] of the frame before that goes with the next
    row, or None; the caller sets it before each row."""

    tables: Tables
    own: context.State
    reference: Rows | None = None
    before: list[Pixel] = field(default_factory=list)  # the row above in the frame before
    skips: list[int] = field(default_factory=list)     # odds of SKIP, by the tile before
    firsts: list[int] = field(default_factory=list)    # odds of a first step
    misses: list[list[int]] = field(default_factory=list)  # [ways][channels] of late, 1/64


def start(tables: bytes, shape: RowShape) -> State:
    """The state before row 0."""
    state = State(unpack(tables, shape.channels), context.start(tables[HEAD.size:], shape))
    state.before = [[shape.zero_point] * shape.channels]
    _forget(state)
    return state


def encode(state: State, row: Rows) -> bytes:
    """Code of the next row int8 [W, C]."""
    encoder = Encoder()
    _code_row(state, encoder, row.tolist(), choose=True)
    return encoder.finish()


def decode(state: State, code: bytes) -> Rows:
    """The next row int8 [W, C]; BadContainer when no encoder writes this code."""
    decoder = Decoder(code)
    row = _code_row(state, decoder, context.blank(state.own.shape), choose=False)
    decoder.finish()
    return np.array(row, np.int8)


def skip(state: State, row: Rows) -> None:
    """The next row was stored as it is: both sides start afresh, but know the row."""
    context.skip(state.own, row)
    _forget(state)
    if state.reference is not None:
        state.before = state.reference.tolist()


def state_bytes(shape: RowShape) -> int:
    """Fast memory of one cursor: odds, misses, context's state, and two rows: the one above in the
    frame before, and the row as it comes back."""
    own = 2 * (SKIP_CONTEXTS + FIRST_CONTEXTS + WAYS * shape.channels)
    return own + context.state_bytes(shape) + 2 * shape.values


def _forget(state: State) -> None:
    state.skips = [_EVEN] * SKIP_CONTEXTS
    state.firsts = [_EVEN] * FIRST_CONTEXTS
    state.misses = [[context.ONE] * state.own.shape.channels for _ in range(WAYS)]


def _code_row(state: State, coder: Coder, row: list[Pixel], choose: bool) -> list[Pixel]:
    """Code `row`, or fill in a row that has the right size; gives it as it comes back."""
    if state.reference is None:
        return context.code_row(state.own, coder, row)
    then: list[Pixel] = state.reference.tolist()
    out: list[Pixel] = []
    skipped, tile = 0, state.tables.tile
    context.begin_row(state.own)
    for first in range(0, len(row), tile):
        was = then[first:first + tile]
        still = choose and _is_still(row[first:first + tile], was, state.tables.tolerance)
        skipped = coder.bit(state.skips, skipped, still)
        if skipped:
            out += was
        else:
            for pixel in row[first:first + tile]:
                _code_pixel(state, coder, then, out, pixel)
    context.end_row(state.own, out)
    state.before = then
    return out


def _is_still(tile: list[Pixel], was: list[Pixel], tolerance: int) -> bool:
    return all(abs(v - before) <= tolerance for pixel, then in zip(tile, was, strict=True)
               for v, before in zip(pixel, then, strict=True))


def _code_pixel(state: State, coder: Coder, then: list[Pixel], out: list[Pixel],
                pixel: Pixel) -> None:
    own, x = state.own, len(out)
    here = context.around(own, own.above, out, x)
    there = context.around(own, state.before, then, x)
    out.append([])
    for c, v in enumerate(pixel):
        ways, guess = _expect(state, here, there, then[x], c)
        first = 8 * guess.scale + guess.part
        v = context.code_value(own, coder, guess, context.Firsts(state.firsts, first, first + 4), v)
        out[x].append(v)
        for misses, way in zip(state.misses, ways, strict=True):
            off = abs(v * context.ONE - way) - misses[c]
            misses[c] += context.divide(off, 1 << LEARN)
        context.learn(own, c, ways[BLEND], guess, v)


def _expect(state: State, here: Around, there: Around, then: Pixel,
            c: int) -> tuple[list[int], context.Guess]:
    """Every way's prediction of a value, 1/64, and what is made of them."""
    own, missed = state.own, context.missed(state.own, c)
    near, still = context.near_of(own, here, c), then[c] * context.ONE
    ways = [context.clamp(near), still,
            context.clamp(near + still - context.near_of(own, there, c))]
    weights = _weights([state.misses[way][c] for way in (SPATIAL, STILL, MOVED)])
    blend = context.divide(sum(w * way for w, way in zip(weights, ways, strict=True)), sum(weights))
    without, crossed = _weights([state.misses[way][c] for way in (BLEND, CROSSED)])
    ways += [blend, context.clamp(blend + missed)]
    (_, n, _, ne), (_, was_n, _, was_ne) = here, there
    trouble = context.busy(own, abs(n[c] - was_n[c]), abs(ne[c] - was_ne[c]))
    mean = blend + context.divide(missed * crossed, without + crossed)
    return ways, context.predict(own, c, mean, trouble)


def _weights(misses: list[int]) -> list[int]:
    """How much each way counts: the fourth power of how near it came of late, at most 257."""
    least = min(misses) + 1
    ratios = [(least << 8) // (miss + 1) for miss in misses]
    return [1 + ((ratio * ratio >> 8) ** 2 >> 8) for ratio in ratios]
