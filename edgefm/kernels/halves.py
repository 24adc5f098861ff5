# SPDX-License-Identifier: Apache-2.0
"""Packings HALVES and PAIRS of CONV: weights as 16-bit numbers, there and back; docs/FORMAT.md."""

from __future__ import annotations

import numpy as np

from edgefm.kernels.tile import CHANNEL, HEAD, split
from edgefm.network.graph import Array

PLAIN = 4          # flag of a table of HALVES: some blocks are rows
HALVES_BLOCK = 1 << 28  # in the shift word of a block's first channel: the block is halves
_ORDER = (0, 2, 1, 3)  # of the inputs of a step
_SECOND_LIMIT = 1 << 16  # of the second channel's sum of magnitudes, so that 128 of it are 2**23


def pack_halves(tile: bytes, out: int) -> bytes:
    """A tile of `out` channels of packing HALVES for one of packing ROWS.

    A block of two channels whose sums could not be told apart stays two rows.
    """
    table, channels, weights = _split(tile, out)
    blocks = _blocks(weights.astype(np.int32))
    as_halves = _halves_hold(blocks) & (HEAD.unpack(table)[2] == 0)
    channels["packed"][::2][as_halves] |= HALVES_BLOCK
    halves = (256 * blocks[:, 1] + blocks[:, 0])[..., _ORDER].astype("<i2").tobytes()
    plain = blocks.astype(np.int8).reshape(len(blocks), -1)
    packed = np.where(as_halves[:, None],
                      np.frombuffer(halves, np.int8).reshape(plain.shape), plain)
    return _with_plain(table, not as_halves.all()) + channels.tobytes() + packed.tobytes()


def unpack_halves(tile: bytes, out: int, depth: int) -> bytes:
    """The tile of packing ROWS that became this one of packing HALVES."""
    table, channels, packed = _split(tile, -(-out // 2), channels=out)
    steps = -(-depth // 4)
    as_halves = channels["packed"][::2] & HALVES_BLOCK != 0
    halves = packed.view("<i2").reshape(len(packed), steps, 4)[..., _ORDER].astype(np.int32)
    first = halves.astype(np.int8)
    told_apart = np.stack([first, (halves - first) >> 8], 1)
    plain = packed.reshape(told_apart.shape)
    blocks = np.where(as_halves[:, None, None, None], told_apart, plain)
    channels["packed"] &= ~np.uint32(HALVES_BLOCK)
    return _with_plain(table, False) + channels.tobytes() + _rows(blocks, out, depth)


def pack_pairs(tile: bytes, out: int) -> bytes:
    """A tile of `out` channels of packing PAIRS for one of packing ROWS."""
    table, channels, weights = _split(tile, out)
    blocks = _blocks(weights.astype(np.int16) - HEAD.unpack(table)[2])
    count, _, steps, _ = blocks.shape
    words = blocks.reshape(count, 2, steps, 2, 2).transpose(0, 2, 4, 1, 3)  # step, odd, channel
    return table + channels.tobytes() + words.astype("<i2").tobytes()


def unpack_pairs(tile: bytes, out: int, depth: int) -> bytes:
    """The tile of packing ROWS that became this one of packing PAIRS."""
    table, channels, packed = _split(tile, -(-out // 2), channels=out)
    words = packed.view("<i2").reshape(len(packed), -(-depth // 4), 2, 2, 2)
    blocks = words.transpose(0, 3, 1, 4, 2).reshape(len(packed), 2, -1, 4) + HEAD.unpack(table)[2]
    return table + channels.tobytes() + _rows(blocks, out, depth)


def _split(tile: bytes, rows: int, channels: int | None = None) -> tuple[bytes, Array, Array]:
    """The table's head, records of channels, and int8 weights in `rows` rows."""
    table, weights = split(tile, rows if channels is None else channels, rows)
    return table[:HEAD.size], np.frombuffer(table[HEAD.size:], CHANNEL).copy(), weights


def _with_plain(table: bytes, plain: bool) -> bytes:
    low, high, zero, flags, zero_point = HEAD.unpack(table)
    return HEAD.pack(low, high, zero, flags | PLAIN if plain else flags & ~PLAIN, zero_point)


def _blocks(weights: Array) -> Array:
    """[O, K] as [blocks, 2 channels, steps, 4 inputs], filled up with zeros."""
    out, depth = weights.shape
    filled = np.pad(weights, ((0, -out % 2), (0, -depth % 4)))
    return filled.reshape(-1, 2, -(-depth // 4), 4)


def _rows(blocks: Array, out: int, depth: int) -> bytes:
    """Inverse of _blocks, as int8."""
    rows = blocks.reshape(2 * len(blocks), -1)[:out, :depth]
    return rows.astype(np.int8).tobytes()


def _halves_hold(blocks: Array) -> Array:
    """bool [blocks]: both weights fit one half, and sums of the second channel 24 bits."""
    fit = (256 * blocks[:, 1] + blocks[:, 0] >= -1 << 15).all(axis=(1, 2))
    found: Array = fit & (np.abs(blocks[:, 1]).sum(axis=(1, 2)) < _SECOND_LIMIT)
    return found
